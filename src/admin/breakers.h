// SPDX-License-Identifier: Apache-2.0
// Circuit breakers, read for the pages that show them. Pure functions of a snapshot and the time.
// Thread: the control thread's.
#pragma once

#include <weir/clock.h>

#include <string>
#include <vector>

#include "admin/overrides.h"
#include "policy/cluster_breakers.h"
#include "proxy/snapshot.h"

namespace weir::admin {

/// The breakers of one cluster, or of one cell.
struct BreakerTotals {
  std::string cluster;                             ///< Empty: of a cell.
  std::vector<policy::ClusterBreakers::Row> rows;  ///< The cluster's own, then functions'.
  std::string cell;                                ///< Empty: of a cluster.

  /// What it is of, for pages, labels and logs.
  std::string_view level() const { return cell.empty() ? "cluster" : "cell"; }
  const std::string& name() const { return cell.empty() ? cluster : cell; }
};

std::vector<BreakerTotals> breaker_totals(const proxy::Snapshot& snapshot, TimePoint now);
std::string_view breaker_word(policy::BreakerState state);
/// The page /breakers.
std::string breakers_json(const std::vector<BreakerTotals>& totals,
                          const std::vector<OverrideRow>& set);

}  // namespace weir::admin
