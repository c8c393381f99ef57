// SPDX-License-Identifier: Apache-2.0
#include "admin/region_page.h"

#include <time.h>

#include <nlohmann/json.hpp>

#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

using Json = nlohmann::ordered_json;

// RFC 3339, in whole seconds.
std::string text_of(WallTime at) {
  const time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(at));
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, n};
}

Json member(const upstream::RegionMember& m) {
  Json json{{"name", m.name},
            {"kind", m.group ? "failover_group" : "cluster"},
            {"required", m.required},
            {"served", m.served},
            {"healthy_percent", m.healthy_ppm / 10'000}};
  if (!m.why.empty()) json["why"] = m.why;
  return json;
}

}  // namespace

std::string region_json(const upstream::RegionReading& region, const Clock& clock) {
  const TimePoint now = clock.now();
  Json json{{"region", region.name},
            {"in_answer", region.in_answer},
            {"weight", region.weight},
            {"phase", upstream::phase_word(region.phase)},
            {"reason", region.reason.empty() ? "all is well" : region.reason}};
  if (region.since == TimePoint{}) {
    json["since"] = nullptr;
  } else {
    const auto age = std::chrono::duration_cast<WallTime::duration>(now - region.since);
    json["since"] = text_of(clock.wall() - age);
    if (!region.in_answer && region.serve_until > now) {
      const auto left = std::chrono::duration_cast<Millis>(region.serve_until - now);
      json["ttl_left_ms"] = left.count();
    }
  }
  json["ttl_ms"] = region.ttl.count();
  json["targets"] = region.targets;
  json["served"] = region.served;
  Json clusters = Json::array();
  for (const auto& each : region.members) clusters.push_back(member(each));
  json["clusters"] = std::move(clusters);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool add_region(Metric metric, const Totals& totals, Samples& out) {
  if (metric != Metric::kRegionInAnswer && metric != Metric::kRegionWeight) return false;
  if (!totals.region) return true;
  const upstream::RegionReading& region = *totals.region;
  const uint32_t value =
      metric == Metric::kRegionWeight ? region.weight : uint32_t{region.in_answer};
  out.add(value, {{"region", region.name}});
  return true;
}

}  // namespace weir::admin
