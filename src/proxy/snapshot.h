// SPDX-License-Identifier: Apache-2.0
// One config, compiled: immutable and shared by all workers. Made on the config thread; a worker
// holds it while it is current, exchanges hold only their route (see Worker::adopt). app/ keeps one
// more reference until every worker has moved on, so that the config thread does the freeing.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/cluster_breakers.h"
#include "proxy/access_log.h"
#include "proxy/cells.h"
#include "proxy/listener.h"
#include "proxy/policies.h"
#include "route/table.h"
#include "upstream/cluster_list.h"
#include "upstream/failover_manager.h"

namespace weir::proxy {

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
  /// Per route: indices into `clusters` of its target, in the target's order, and in that of
  /// the cells where it names {cell}; empty for answers that need none. With kGroupBit they are
  /// indices into `failover`.
  std::vector<std::vector<uint32_t>> route_clusters;
};

inline constexpr uint32_t kGroupBit = 1U << 31;

/// Resolves the targets of all routes. Requires: the config has been validated, so every name
/// exists.
std::vector<std::vector<uint32_t>> resolve_route_clusters(const Config& config);

}  // namespace weir::proxy
