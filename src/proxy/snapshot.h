// SPDX-License-Identifier: Apache-2.0
// One config, compiled: immutable and shared by all workers. Made on the config thread; a worker
// holds it while it is current, exchanges hold only their route (see Worker::adopt). app/ keeps one
// more reference until every worker has moved on, so that the config thread does the freeing.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "policy/cluster_breakers.h"
#include "proxy/access_log.h"
#include "proxy/cells.h"
#include "proxy/listener.h"
#include "proxy/policies.h"
#include "proxy/releases.h"
#include "route/table.h"
#include "upstream/cluster_list.h"
#include "upstream/failover_instances.h"
#include "upstream/failover_manager.h"

namespace weir::proxy {

inline constexpr uint32_t kGroupBit = 1U << 31;    ///< Snapshot::failover.
inline constexpr uint32_t kCellsBit = 1U << 30;    ///< Targets::of_cells.
inline constexpr uint32_t kReleaseBit = 1U << 29;  ///< Snapshot::releases.

/// Where requests may be led: indices into Snapshot::clusters; with one of the bits above, into
/// what the bit says.
struct Targets {
  /// Per route: its target's places, in the target's order; empty for answers that need none.
  std::vector<std::vector<uint32_t>> of_route;
  /// Per route: the cluster that gets copies of its requests; empty where no route copies any.
  std::vector<uint32_t> mirror_of_route;
  /// Per release: the places of its rules in order, then of its default.
  std::vector<std::vector<uint32_t>> of_release;
  /// As Snapshot::failover.
  std::vector<upstream::FailoverInstance> groups;
  /// Per group: its clusters that stand for the cell that it is of.
  std::vector<std::vector<uint32_t>> of_group;
  /// Per name with {cell} in it: its clusters or groups, in the order of the cells.
  std::vector<std::vector<uint32_t>> of_cells;
  /// Per cell: the clusters that serve in it, those of of_cells and in cells.self all others.
  std::vector<std::vector<uint32_t>> in_cell;

  /// Calls `see` with each cluster that stands for a cell, of a place of of_cells.
  template <class See>
  void each_in_cell(uint32_t place, See see) const {
    if ((place & kGroupBit) == 0) return see(place);
    for (const uint32_t cluster : of_group[place & ~kGroupBit]) see(cluster);
  }

  /// Calls `see` with each cluster or failover group that `target`, not a release, can lead to.
  template <class See>
  void each_end(uint32_t target, See see) const {
    if ((target & kCellsBit) != 0) {
      for (const uint32_t place : of_cells[target & ~kCellsBit]) see(place);
    } else {
      see(target);
    }
  }
};

/// Calls `see` with each cluster or failover group that the route sends requests to. A place at 0
/// is a stage of a release, and gets none.
template <class See>
void each_used(const Config& config, const Targets& targets, size_t route, See see) {
  const auto* split = std::get_if<WeightedTarget>(&config.routes[route].target);
  for (size_t i = 0; i < targets.of_route[route].size(); ++i) {
    const uint32_t target = targets.of_route[route][i];
    if (split != nullptr && split->clusters[i].weight == 0) continue;
    if ((target & kReleaseBit) == 0) {
      targets.each_end(target, see);
      continue;
    }
    const uint32_t release = target & ~kReleaseBit;
    const auto& rules = config.releases[release].rules;
    for (size_t rule = 0; rule < targets.of_release[release].size(); ++rule) {
      const bool idle = rule < rules.size() && rules[rule].kind == ReleaseRule::Kind::kWeight &&
                        rules[rule].weight.ppm == 0;
      if (!idle) targets.each_end(targets.of_release[release][rule], see);
    }
  }
}

struct Snapshot {
  uint64_t version = 0;  ///< Counts up with each published config, from 1.
  std::shared_ptr<const Config> config;
  std::unique_ptr<const route::Table> routes;
  std::unique_ptr<const AccessLogFormat> access_log;         ///< Null if it is off.
  std::shared_ptr<const Policies> policies;                  ///< Null: neither identity nor limits.
  std::shared_ptr<const Cells> cells;                        ///< Null: there are none.
  std::shared_ptr<const upstream::ClusterList> clusters;     ///< In the order of config->clusters.
  std::vector<ListenerUse> listeners;                        ///< In the order of config->listeners.
  std::shared_ptr<const upstream::FailoverGroups> failover;  ///< Null: there are none.
  /// In the order of config->clusters, null for those without a breaker; empty: none has one.
  std::vector<std::shared_ptr<policy::ClusterBreakers>> breakers;
  std::shared_ptr<const Releases> releases;  ///< Null: there are none.
  Targets targets;
};

/// Requires: the config has been validated, so every name exists.
Targets resolve_targets(const Config& config);

}  // namespace weir::proxy
