// SPDX-License-Identifier: Apache-2.0
// Failover groups of a config as plain values: clusters that can stand in for each other, in what
// order, and how much each can take. In-class values are the defaults. Not behaviour:
// upstream/failover_group places requests. Immutable once loaded; any thread may read.
#pragma once

#include <weir/units.h>
#include <weir/value_match.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

struct FailoverMemberConfig {
  std::string cluster;         // required
  std::uint32_t priority = 0;  // 0 is asked first
  // Requests in flight that the whole member can take, from all weirs; nullopt no limit. Required
  // where priorities differ.
  std::optional<std::uint32_t> capacity;
  std::string region;  // for people, logs and admin pages
  std::string zone;    // within a priority, members of this weir's own zone come first
  SourceLocation location;
};

struct FailbackConfig {
  Millis min_healthy_time{30'000};  // how long a member that was out must be healthy; 0 at once
  Millis ramp{60'000};              // over which its share then grows; 0 at once
};

// What happens when no member can serve.
enum class FailoverPanic : std::uint8_t {
  kLastResort,  // those that are only suspected are tried all the same
  kOff,         // 503
};

struct FailoverGroupConfig {
  std::string name;
  std::vector<FailoverMemberConfig> members;  // at least one, at most kMaxFailoverMembers
  std::uint32_t max_other_clusters = 3;       // clusters that a request may try after its first
  FailbackConfig failback;
  std::uint32_t fleet_size = 1;  // weirs that share the capacities
  FailoverPanic panic = FailoverPanic::kLastResort;
  SourceLocation location;
};

inline constexpr std::size_t kMaxFailoverMembers = 16;

struct FailoverTarget {
  std::string group;
};

}  // namespace weir
