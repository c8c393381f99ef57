// SPDX-License-Identifier: Apache-2.0
// /failover_groups: each group with its members in the order in which they are asked.
#include <nlohmann/json.hpp>

#include "admin/json.h"

namespace weir::admin {
namespace {

using Json = nlohmann::ordered_json;

Json member(const upstream::FailoverMemberSnapshot& m) {
  Json hops = Json::object();
  for (size_t i = 0; i < m.left.size(); ++i) {
    if (m.left[i] == 0) continue;
    const auto reason = static_cast<upstream::HopReason>(i);
    hops[std::string(upstream::hop_reason_word(reason))] = m.left[i];
  }
  Json json{{"cluster", m.cluster},
            {"priority", m.priority},
            {"phase", upstream::phase_word(m.phase)},
            {"why", m.why},
            {"phase_age_ms", m.phase_age.count()},
            {"wait_ms", m.wait.count()},
            {"suspected", m.suspected},
            {"share", static_cast<double>(m.share) / upstream::Failback::kWhole},
            {"requests", m.in_use},
            {"limit", nullptr},
            {"capacity", nullptr},
            {"region", m.region},
            {"zone", m.zone},
            {"own_zone", m.own_zone},
            {"placed", m.placed},
            {"hops_away", std::move(hops)}};
  if (m.limit != upstream::FailoverMember::kUnlimited) json["limit"] = m.limit;
  if (m.capacity) json["capacity"] = *m.capacity;
  return json;
}

}  // namespace

std::string failover_json(const std::vector<upstream::FailoverGroupSnapshot>& groups) {
  Json list = Json::array();
  for (const upstream::FailoverGroupSnapshot& group : groups) {
    Json members = Json::array();
    for (const auto& each : group.members) members.push_back(member(each));
    list.push_back({{"name", group.name},
                    {"max_other_clusters", group.max_other_clusters},
                    {"fleet_size", group.fleet_size},
                    {"refused", group.refused},
                    {"panics", group.panics},
                    {"retry_budget", group.budget},
                    {"members", std::move(members)}});
  }
  const Json page{{"failover_groups", std::move(list)}};
  return page.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::admin
