// SPDX-License-Identifier: Apache-2.0
// A worker's letter box for one cluster: how the control thread and other workers reach its view.
// Shared by the Cluster and the WorkerCluster; letters hold it too, so that one which arrives after
// the view has gone finds nobody and does nothing.
//
// Thread: post_*() and the counts any thread; `view` only the worker's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace weir::net {
class Loop;
}

namespace weir::upstream {

class Cluster;
class WorkerCluster;

/// A place among the cluster's connections, on its way to a worker. Lost letters give it back.
class ConnectionPlace {
 public:
  explicit ConnectionPlace(std::shared_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}
  ConnectionPlace(ConnectionPlace&&) = default;
  ConnectionPlace& operator=(ConnectionPlace&&) = delete;
  ~ConnectionPlace();
  /// The receiver counts it from now on.
  void take() { cluster_.reset(); }

 private:
  std::shared_ptr<Cluster> cluster_;
};

class WorkerPort : public std::enable_shared_from_this<WorkerPort> {
 public:
  /// `loop` outlives the port's attachment to its cluster.
  WorkerPort(net::Loop& loop, WorkerCluster& owner) : view(&owner), loop_(loop) {}

  /// Something was published: endpoints may have left.
  void post_refresh();
  /// A connection place for a request that waits there.
  void post_place(ConnectionPlace place);
  /// A connection has become idle while requests wait there.
  void post_serve();
  /// Another worker waits for a place: close one idle connection.
  void post_shed_idle();

  std::atomic<std::uint32_t> waiting{0};  ///< Requests that wait there for a place.
  std::atomic<std::uint32_t> idle{0};     ///< Idle connections there.
  WorkerCluster* view;                    ///< Null once it has gone.

 private:
  net::Loop& loop_;
};

}  // namespace weir::upstream
