// SPDX-License-Identifier: Apache-2.0
// The state of failover groups as plain values, for whoever shows it. Free to copy.
#pragma once

#include <weir/units.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "upstream/failover_member.h"

namespace weir::upstream {

struct FailoverMemberSnapshot {
  std::string cluster;
  std::string region;
  std::string zone;
  std::uint32_t priority = 0;
  bool own_zone = false;
  MemberPhase phase = MemberPhase::kDown;
  std::string why;                        ///< Of a member that is not up.
  std::optional<std::uint32_t> capacity;  ///< As configured.
  std::uint32_t limit = 0;  ///< Of this process now; FailoverMember::kUnlimited: none.
  std::uint32_t share = 0;  ///< In ppm.
  std::uint32_t in_use = 0;
  bool suspected = false;
  Millis phase_age{0};
  Millis wait{0};  ///< How long it must be healthy before it ramps.
  std::uint64_t placed = 0;
  std::array<std::uint64_t, kHopReasons> left{};
};

struct FailoverGroupSnapshot {
  std::string name;
  std::uint32_t max_other_clusters = 0;
  std::uint32_t fleet_size = 0;
  std::uint64_t refused = 0;
  std::uint64_t panics = 0;
  double budget = 0;                            ///< Repetitions that it allows now.
  std::vector<FailoverMemberSnapshot> members;  ///< In the order in which they are asked.
};

}  // namespace weir::upstream
