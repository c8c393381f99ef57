// SPDX-License-Identifier: Apache-2.0
// Keys of failover groups: which clusters stand in for each other, and how much each takes.
#include <string>

#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMostCapacity = 10'000'000;
constexpr std::uint32_t kMostFleet = 100'000;
constexpr std::uint32_t kMostPriority = 100;

CodecPtr<FailoverMemberConfig> member_section() {
  using S = FailoverMemberConfig;
  return section<S>({
      key("cluster", &S::cluster, cluster_or_template(),
          "The name of a cluster, or of one for each cell: orders-{cell}.", KeyUse::kRequired),
      key("priority", &S::priority, count<std::uint32_t>(0, kMostPriority),
          "The lowest number is asked first."),
      key("capacity", &S::capacity, or_word("null", count<std::uint32_t>(1, kMostCapacity)),
          "Requests in flight that it can take from all weirs together; null for no limit."),
      key("region", &S::region, text(), "Where it stands, for logs and admin pages."),
      key("zone", &S::zone, text(),
          "Within a priority, members of this weir's own zone are asked first."),
  });
}

const Words<FailoverPanic> kPanic{{"last_resort", FailoverPanic::kLastResort},
                                  {"off", FailoverPanic::kOff}};

void check_capacities(Reader& reader, const FailoverGroupConfig& group) {
  bool ordered = false;
  bool any = false;
  for (const FailoverMemberConfig& member : group.members) {
    ordered = ordered || member.priority != group.members.front().priority;
    any = any || member.capacity.has_value();
  }
  for (const FailoverMemberConfig& member : group.members) {
    if (member.capacity && *member.capacity < group.fleet_size) {
      reader.error_at(member.location, {"less than one request for each of `fleet_size` weirs",
                                        "raise capacity to at least fleet_size"});
    }
    if (member.capacity || (!ordered && !any)) continue;
    reader.error_at(member.location,
                    {ordered ? "priorities differ, so every member needs `capacity`"
                             : "either all members have `capacity` or none",
                     "add capacity: 1000, the requests in flight that it can take"});
  }
}

void check_members(Reader& reader, NodeId id, FailoverGroupConfig& group) {
  const NodeId at = reader.find(id, "members");
  if (at == Document::kNone || reader.document().kind(at) != NodeKind::kList) return;
  const Reader::Step step(reader, "members");
  if (group.members.empty()) {
    return reader.error(at, {"a group without members", "add members: [{cluster: NAME}]"});
  }
  if (group.members.size() > kMaxFailoverMembers) {
    reader.error(at, {"more than " + std::to_string(kMaxFailoverMembers) + " members",
                      "put servers that are interchangeable into one cluster"});
  }
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& cluster = group.members[i].cluster;
      if (cluster.empty() || cluster != group.members[j].cluster) continue;
      reader.error_at(group.members[i].location,
                      {"`" + cluster + "` is there twice", "keep one of them"});
      break;
    }
  }
  check_capacities(reader, group);
}

}  // namespace

CodecPtr<FailbackConfig> failback_section() {
  using S = FailbackConfig;
  return section<S>({
      key("min_healthy_time", &S::min_healthy_time, duration(Zero::kOff),
          "How long who was out must be healthy; twice as long after each flap."),
      key("ramp", &S::ramp, duration(Zero::kOff),
          "Over which its share then grows to the whole; 0 at once."),
  });
}

CodecPtr<FailoverGroupConfig> failover_group_section() {
  using S = FailoverGroupConfig;
  static const auto table = section<S>(
      {
          key("members", &S::members,
              section_list<FailoverMemberConfig>(
                  member_section(), [](const auto& m) -> std::string_view { return m.cluster; },
                  "cluster"),
              "Clusters that can stand in for each other.", KeyUse::kRequired),
          key("max_other_clusters", &S::max_other_clusters, count<std::uint32_t>(0, 15),
              "A request tries at most this many further clusters."),
          key("failback", &S::failback, failback_section(), "How a member comes home."),
          key("fleet_size", &S::fleet_size, count<std::uint32_t>(1, kMostFleet),
              "Weirs that share the capacities: each uses its part."),
          key("panic", &S::panic, enumeration(kPanic),
              "When no member is usable: last_resort tries the suspected ones too, off answers "
              "503."),
      },
      check_members);
  return table;
}

}  // namespace weir::config
