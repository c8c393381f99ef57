// SPDX-License-Identifier: Apache-2.0
// Circuit breakers, read for the pages that show them. Pure functions of a snapshot and the time.
// Thread: the control thread's.
#pragma once

#include <weir/clock.h>

#include <string>
#include <vector>

#include "policy/cluster_breakers.h"
#include "proxy/snapshot.h"

namespace weir::admin {

/// One cluster's breakers.
struct BreakerTotals {
  std::string cluster;
  std::vector<policy::ClusterBreakers::Row> rows;  ///< The cluster's own, then functions'.
};

std::vector<BreakerTotals> breaker_totals(const proxy::Snapshot& snapshot, TimePoint now);
std::string_view breaker_word(policy::BreakerState state);
/// The page /breakers.
std::string breakers_json(const std::vector<BreakerTotals>& totals);

}  // namespace weir::admin
