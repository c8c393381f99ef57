// SPDX-License-Identifier: Apache-2.0
// A worker's views of all clusters, by their place in the snapshot that it works with. A cluster
// that stays through a reload keeps its view and so its connections; the view of one that has gone
// lives until nothing uses it. Thread: its worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "upstream/cluster_list.h"
#include "upstream/worker_cluster.h"

namespace weir::upstream {

class WorkerClusters {
 public:
  WorkerClusters(net::Loop& loop, std::uint64_t seed) : loop_(loop), seed_(seed) {}
  WorkerClusters(const WorkerClusters&) = delete;
  WorkerClusters& operator=(const WorkerClusters&) = delete;

  /// Takes over the clusters of a new snapshot. Views that were handed out stay valid while a
  /// permit names them.
  void adopt(const ClusterList& list);
  /// By ClusterList index.
  WorkerCluster& operator[](std::size_t index) { return *current_[index]; }
  std::size_t size() const { return current_.size(); }
  /// Closes every idle connection (drain, shutdown).
  void close_idle();
  /// Closes the pooled connection that has idled longest, if that is since `until` or longer. Of
  /// very many clusters only some are looked at, the next ones each time. False: none was closed.
  bool close_idle_before(TimePoint until);
  /// Views that have gone from the config and are still in use.
  std::size_t retired() const { return retired_.size(); }

 private:
  net::Loop& loop_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<WorkerCluster>> current_;
  std::vector<std::unique_ptr<WorkerCluster>> retired_;
  std::size_t look_at_ = 0;
};

}  // namespace weir::upstream
