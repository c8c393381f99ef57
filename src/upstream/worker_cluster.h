// SPDX-License-Identifier: Apache-2.0
// One worker's view of one cluster: what an exchange uses. It notices what the control thread
// publishes, picks endpoints, and finds or admits connections.
//
// An exchange: admit() -> pick() -> lease() -> connection in use -> give_back(), or the connection
// closes. A retry: try_retry() if the budget has a say, then pick() with what was tried.
//
// Lifetime: owned by WorkerClusters, which keeps it while a permit names it. Thread: its worker.
#pragma once

#include <weir/config.h>
#include <weir/error.h>

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/intrusive_list.h"
#include "base/rng.h"
#include "net/timer_wheel.h"
#include "net/tls_client_context.h"
#include "upstream/balancer.h"
#include "upstream/cluster.h"
#include "upstream/cluster_stats.h"
#include "upstream/permits.h"
#include "upstream/pool.h"
#include "upstream/recent_latency.h"
#include "upstream/shared_connection.h"
#include "upstream/worker_port.h"

namespace weir::net {
class Loop;
}

namespace weir::upstream {

/// One worker's half of an endpoint.
class WorkerEndpoint {
 public:
  WorkerEndpoint(WorkerCluster& cluster, std::shared_ptr<Endpoint> shared)
      : cluster_(cluster), shared_(std::move(shared)) {}
  WorkerEndpoint(const WorkerEndpoint&) = delete;
  WorkerEndpoint& operator=(const WorkerEndpoint&) = delete;

  Endpoint& shared() const { return *shared_; }
  const net::SocketAddress& address() const { return shared_->address; }
  const std::string& text() const { return shared_->text; }
  const std::string& host() const { return shared_->host; }
  WorkerCluster& cluster() const { return cluster_; }
  /// A shared connection takes more exchanges from now on, until it unlinks itself.
  void offer(SharedConnection& connection) { shared_connections_.push_front(connection); }
  /// The origin's last word on ALPN was HTTP/2: the next connection will be shared as well.
  bool speaks_http2() const { return speaks_http2_; }
  void set_speaks_http2(bool yes) { speaks_http2_ = yes; }
  /// Streams that the origin was last seen to take on one connection.
  std::uint32_t max_streams() const { return max_streams_; }
  void set_max_streams(std::uint32_t streams) { max_streams_ = streams; }
  /// It fails its checks, or an operator takes it out: whoever has not sent anything there yet had
  /// better choose another.
  bool avoided(Reach reach) const { return drains_ || (avoided_ && reach == Reach::kWell); }
  /// What TLS remembers of this endpoint, for resumption.
  net::TlsSessionCache& tls_sessions() { return tls_sessions_; }

 private:
  friend class WorkerCluster;
  friend class IdlePool;
  friend void give_back(WorkerEndpoint&, HoldKind);
  friend void give_back(WorkerEndpoint&, ConnectionKind);

  WorkerCluster& cluster_;
  const std::shared_ptr<Endpoint> shared_;
  base::IntrusiveList<PoolEntry, ByEndpoint> idle_;  ///< Most recently used first.
  base::IntrusiveList<SharedConnection> shared_connections_;
  net::TlsSessionCache tls_sessions_;
  std::uint32_t users_ = 0;  ///< Permits that name it.
  std::uint32_t max_streams_ = UINT32_MAX;
  bool speaks_http2_ = false;
  bool gone_ = false;     ///< The cluster has it no more.
  bool drains_ = false;   ///< By the word of an operator.
  bool avoided_ = false;  ///< No idle connection to it is kept.
};

/// A request that waits for a connection place; a member of whoever waits. Destroying it cancels.
class PlaceWaiter : public base::ListLink<> {
 public:
  PlaceWaiter() = default;
  virtual ~PlaceWaiter() { cancel(); }
  bool waiting() const { return linked(); }
  void cancel();
  /// There may be a place: call lease() again, now, with the same waiter. Called by the loop only.
  virtual void on_place() = 0;

 private:
  friend class WorkerCluster;
  WorkerCluster* cluster_ = nullptr;
};

/// What lease() came to; exactly one is set, or neither: then the waiter waits.
struct LeaseOffer {
  PoolEntry* reused = nullptr;         ///< A pooled connection, the caller's now.
  SharedConnection* shared = nullptr;  ///< One with room for this exchange.
  ConnectionPermit connect;            ///< Leave to open a new one.
  bool waits() const { return reused == nullptr && shared == nullptr && !connect; }
};

class WorkerCluster {
 public:
  /// `loop` outlives it. `seed` differs between workers.
  WorkerCluster(net::Loop& loop, std::shared_ptr<Cluster> shared, std::uint64_t seed);
  WorkerCluster(const WorkerCluster&) = delete;
  WorkerCluster& operator=(const WorkerCluster&) = delete;
  /// Requires: !in_use(). Idle connections are closed.
  ~WorkerCluster();

  /// Counts a request in. Errors: kNoEndpoint (drain, maint, none eligible), kNoHealthyEndpoint,
  /// kDnsFailure, kClusterRequestsFull.
  Result<RequestPermit> admit(Reach reach = Reach::kWell);
  /// An endpoint for the next attempt; one that was tried comes again only when all have been.
  /// `hash` counts for maglev only. Errors: kNoEndpoint, kNoHealthyEndpoint, kDnsFailure.
  Result<EndpointHold> pick(std::uint64_t hash = 0, std::span<const Endpoint* const> tried = {},
                            Reach reach = Reach::kWell);
  /// What an attempt at `endpoint` has come to (outcome.h); `first` and `latency_us` as HealthPort.
  void report(WorkerEndpoint& endpoint, AttemptOutcome outcome, bool first,
              std::uint64_t latency_us = 0) {
    if (published_.health == nullptr) return;
    published_.health->report(endpoint.shared_, outcome, first, latency_us);
  }
  /// Its endpoints' health is watched: what begins now is reported when it has ended.
  bool watched() const { return published_.health != nullptr; }
  /// A place in the retry budget; an empty permit if it is used up.
  /// `over_time`: who counts repetitions instead of the cluster; null: nobody.
  RetryPermit try_retry(const RetryBudget& budget, RetryWindow* over_time = nullptr);

  /// A pooled connection, or leave to open one, or `waiter` waits in turn and on_place() comes.
  /// Errors: kClusterPendingFull; kClusterConnectionsFull where nobody may wait at all.
  Result<LeaseOffer> lease(WorkerEndpoint& endpoint, PlaceWaiter& waiter);
  /// A connection that can carry another request. Closed instead of kept where the pool says so.
  void give_back(PoolEntry& entry);
  /// A shared connection has room again.
  void on_room() { post_serve(); }
  void close_idle();
  /// The cluster has gone from the config: no connection is kept from now on.
  void retire();

  /// Endpoints that can be picked, as last seen.
  std::size_t eligible() const { return published_.endpoints->eligible(); }
  const std::string& name() const { return shared_->name(); }
  /// As last published. Valid within the turn until admit() or pick(): copy what must last.
  const ClusterConfig& config() const { return *published_.config; }
  Cluster& shared() const { return *shared_; }
  /// As config().
  const EndpointSet& endpoints() const { return *published_.endpoints; }
  /// As config(). Null: connections are plain.
  const net::TlsClientContext* tls() const { return published_.tls.get(); }
  /// Moves when a reload changes how connections are made (TLS, protocol, PROXY header): those made
  /// before carry no request that was admitted after.
  std::uint32_t transport() const { return transport_; }
  ClusterStats& stats() { return *stats_; }
  /// How long an attempt took to its response head, or until it was given up.
  void note_latency(Duration latency, TimePoint now) {
    AdaptiveLimit& adaptive = shared_->adaptive();
    if (adaptive.enabled()) adaptive.on_sample(latency, shared_->requests(), now);
  }
  /// Of its answers to routes that ask for it.
  RecentLatency& recent_latency() {
    if (recent_latency_ == nullptr) recent_latency_ = std::make_unique<RecentLatency>();
    return *recent_latency_;
  }
  std::size_t idle() const { return pool_.size(); }
  /// Since when the oldest of them idles; TimePoint::max() without one.
  TimePoint oldest_idle() { return pool_.oldest(); }
  bool close_oldest_idle() { return pool_.close_oldest(); }
  /// A permit or a waiter names it.
  bool in_use() const { return users_ != 0 || !waiters_.empty(); }
  /// Looks for what was published since.
  void refresh() {
    if (shared_->version() != published_.version) adopt_published();
  }

 private:
  friend class PlaceWaiter;
  friend class WorkerPort;
  friend void weir::upstream::give_back(WorkerCluster&, RequestKind);
  friend void weir::upstream::give_back(WorkerCluster&, RetryKind);
  friend void weir::upstream::give_back(WorkerEndpoint&, HoldKind);
  friend void weir::upstream::give_back(WorkerEndpoint&, ConnectionKind);

  void adopt_published();
  void index_endpoints();
  const EndpointSet& within(Reach reach) const;
  std::size_t pick_by_zone(const ZoneSplit& zones);
  EndpointHold hold(WorkerEndpoint& endpoint);
  std::size_t without_ramping(std::size_t index, std::uint64_t hash,
                              std::span<const Endpoint* const> tried);
  void drop_gone_endpoints();
  SharedConnection* shared_with_room(WorkerEndpoint& endpoint);
  bool close_idle_shared();
  void retire_shared(WorkerEndpoint& endpoint);
  void post_serve();
  bool take_place();
  Result<LeaseOffer> enqueue(PlaceWaiter& waiter);
  void dequeue(PlaceWaiter& waiter);
  void serve_waiters();
  void on_place_granted(ConnectionPlace place);
  void on_idle_timer();
  void arm_idle_timer();

  net::Loop& loop_;
  const std::shared_ptr<Cluster> shared_;
  const std::shared_ptr<ClusterStats> stats_;
  const std::shared_ptr<WorkerPort> port_;
  Cluster::Published published_;
  base::Rng rng_;
  Balancer balancer_;
  std::unordered_map<const Endpoint*, std::unique_ptr<WorkerEndpoint>> endpoints_;
  std::vector<WorkerEndpoint*>
      by_index_;  ///< In the order of the published set's eligible members.
  base::IntrusiveList<PlaceWaiter> waiters_;
  IdlePool pool_;
  net::Timer idle_timer_;
  std::unique_ptr<RecentLatency> recent_latency_;  ///< Null until somebody asks.
  std::uint32_t users_ = 0;    ///< Permits that name it or one of its endpoints.
  std::uint32_t granted_ = 0;  ///< Places handed over and not used yet.
  std::uint32_t transport_ = 0;
  bool serve_posted_ = false;
  bool retired_ = false;
};

}  // namespace weir::upstream
