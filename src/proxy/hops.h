// SPDX-License-Identifier: Apache-2.0
// What an exchange remembers of where it has been: its place in a failover group, and the attempts
// it has made. In the exchange's arena, and only where there is something to remember. The code is
// in exchange_hops.cc. One thread; destroyed by the end of the exchange.
#pragma once

#include <weir/failover_config.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/breaker_call.h"
#include "upstream/failover_group.h"

namespace weir::proxy {

/// Of an exchange whose target is a failover group.
struct Hops {
  Hops(const upstream::FailoverGroup& of, std::string_view name) : group(&of), group_name(name) {}

  const upstream::FailoverGroup* group;  ///< Of the snapshot it was placed by; null after a reload.
  std::string_view group_name;           ///< The arena's.
  upstream::MemberPermit permit;
  std::array<const upstream::Cluster*, kMaxFailoverMembers> visited{};
  uint32_t visited_count = 0;
  uint32_t tries = 0;                              ///< At the cluster it is in.
  upstream::Reach reach = upstream::Reach::kWell;  ///< There.

  std::span<const upstream::Cluster* const> seen() const { return {visited.data(), visited_count}; }
};

/// A place in a cluster of a group, not taken yet.
struct Placed {
  upstream::Placement placement;
  Admitted admitted;
};

/// The attempts before the last one, from the first on. Views are the arena's or of static storage.
struct Trail {
  struct Attempt {
    std::string_view cluster;
    std::string_view endpoint;
    std::string_view outcome;  ///< A status, or a reason word.
  };
  static constexpr uint32_t kMost = 12;

  std::array<Attempt, kMost> attempts;
  uint32_t count = 0;
};

class Exchange;
/// The trail in words: "a/127.0.0.1:80=503, b/127.0.0.1:81=connect_refused", in the exchange's
/// arena. Requires: trail().
std::string_view trail_text(Exchange& exchange);

}  // namespace weir::proxy
