// SPDX-License-Identifier: Apache-2.0
// Brings a compiled config into force: listeners, clusters, snapshot, workers - the same way at
// start and at reload. What can fail (binding) comes first and changes nothing. The snapshot that
// goes is kept until every worker has let go, and then the config thread frees it.
// Thread: the control loop's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/breaker_watch.h"
#include "app/cell_failback.h"
#include "app/compile.h"
#include "app/config_thread.h"
#include "app/listeners.h"
#include "app/memory_guard.h"
#include "app/overrides.h"
#include "app/region_watch.h"
#include "net/loop.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "upstream/cluster_manager.h"
#include "upstream/failover_manager.h"

namespace weir::app {

class Publisher {
 public:
  using Done = std::move_only_function<void()>;

  /// All outlive it.
  struct Parts {
    net::Loop& loop;
    ConfigThread& config_thread;
    Listeners& listeners;
    upstream::ClusterManager& clusters;
    upstream::FailoverManager& failover;
    MemoryGuard& memory;
    policy::CellLedger& cells;
    policy::ReleaseLedger& releases;
    const std::vector<std::unique_ptr<proxy::Worker>>& workers;
    BreakerWatch& breaker_watch;
    RegionWatch& region_watch;
    CellFailback& cell_failback;
    Overrides& overrides;
  };
  explicit Publisher(Parts parts) : parts_(parts) {}
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// `done` runs on the loop when all workers work with it. The error is a sentence; nothing has
  /// changed then. Requires: no publication is under way.
  std::expected<void, std::string> publish(Compiled compiled, Done done);
  /// Null before the first publication.
  const std::shared_ptr<const proxy::Snapshot>& current() const { return current_; }
  uint64_t version() const { return current_ ? current_->version : 0; }

 private:
  std::vector<std::shared_ptr<policy::ClusterBreakers>> breakers_of(const Config& config);
  void on_worker_adopted();

  Parts parts_;
  policy::BreakerRegistry breakers_;
  std::shared_ptr<const proxy::Snapshot> current_;
  std::shared_ptr<const proxy::Snapshot> leaving_;
  size_t waiting_for_ = 0;  ///< Workers that still hold leaving_.
  Done done_;
};

}  // namespace weir::app
