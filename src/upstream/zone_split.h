// SPDX-License-Identifier: Apache-2.0
// How a cluster's requests are shared between the endpoints of this weir's own zone and all others.
// Weirs are taken to stand evenly in the zones that the cluster has, so each brings one part in as
// many of the requests as there are zones. A zone that has at least that part of the healthy weight
// keeps its requests; of one that has less, what is missing goes to those that have more, by how
// much more. Worked out by the control thread with the EndpointSet that it belongs to.
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "upstream/endpoint_set.h"

namespace weir::upstream {

struct ZoneSplit {
  static constexpr std::uint32_t kWhole = 1'000'000;

  std::shared_ptr<const EndpointSet> near;  ///< Of the own zone.
  std::shared_ptr<const EndpointSet> far;   ///< Null where all stay near.
  BalancePolicy far_policy{};               ///< Uneven parts would make a long rotation.
  std::vector<std::uint32_t> near_at;       ///< Where its members are in the whole set.
  std::vector<std::uint32_t> far_at;
  std::uint32_t near_ppm = kWhole;
};

/// Null where there is nothing to choose: all eligible endpoints are of one zone, or none of
/// `zone`.
std::shared_ptr<const ZoneSplit> split_by_zone(const EndpointSet& whole, std::string_view zone,
                                               BalancePolicy policy);

}  // namespace weir::upstream
