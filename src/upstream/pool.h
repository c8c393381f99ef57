// SPDX-License-Identifier: Apache-2.0
// The idle connections of one worker to one cluster. The most recently used one goes out first, so
// that a pool that has grown too large shrinks by its idle timeout. Not a factory: the proxy makes
// connections.
//
// Ownership: an entry is either in use (its user owns it) or idle (the pool owns it), and linked
// exactly while idle. The pool closes an idle entry by unlinking it, giving its permit back and
// calling close_idle(). An entry that ends while idle (its origin closed) calls leave_pool(). One
// thread.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <cstdint>
#include <utility>

#include "base/intrusive_list.h"
#include "upstream/permits.h"

namespace weir::upstream {

class Cluster;
class IdlePool;
class WorkerPort;
struct ClusterStats;
struct ByEndpoint;
struct ByAge;

/// The base of an upstream connection: what the pool knows of it.
class PoolEntry : public base::ListLink<ByEndpoint>, public base::ListLink<ByAge> {
 public:
  explicit PoolEntry(ConnectionPermit permit);
  PoolEntry(const PoolEntry&) = delete;
  PoolEntry& operator=(const PoolEntry&) = delete;

  /// Requires: leave_pool() was not called.
  WorkerEndpoint& endpoint() const { return *permit_; }
  bool idle() const { return pool_ != nullptr; }
  /// When it was last given back; the epoch before that.
  TimePoint idle_since() const { return idle_since_; }
  std::uint64_t requests_served() const { return requests_served_; }
  void count_request() { ++requests_served_; }
  /// WorkerCluster::transport() when it was made.
  std::uint32_t transport() const { return transport_; }

  /// Out of the pool and out of every count. The first thing to do when a connection closes, idle
  /// or not, because its memory may live on to the end of the turn. Harmless when repeated.
  void leave_pool();

 protected:
  virtual ~PoolEntry() { leave_pool(); }
  /// The connection goes on as something else. Requires: in use; leave_pool() follows.
  ConnectionPermit take_permit() { return std::move(permit_); }
  /// The pool lets go of an idle connection, which is unlinked and without permit by now: close the
  /// socket and retire. Must not call the pool.
  virtual void close_idle() = 0;

 private:
  friend class IdlePool;

  ConnectionPermit permit_;
  IdlePool* pool_ = nullptr;  ///< Set exactly while idle.
  TimePoint idle_since_{};
  std::uint64_t requests_served_ = 0;
  const std::uint32_t transport_;
};

class IdlePool {
 public:
  /// All three outlive the pool.
  IdlePool(Cluster& cluster, WorkerPort& port, ClusterStats& stats)
      : cluster_(cluster), port_(port), stats_(stats) {}
  IdlePool(const IdlePool&) = delete;
  IdlePool& operator=(const IdlePool&) = delete;
  ~IdlePool() { close_all(); }

  /// The most recently used idle connection, which is the caller's now; null if there is none.
  PoolEntry* take(WorkerEndpoint& endpoint);
  /// The pool's from now on. Closes it instead of keeping it (and says false) if it has served
  /// enough requests, if its endpoint has left the cluster, or if max_idle is reached.
  bool give_back(PoolEntry& entry, const PoolConfig& config, TimePoint now);
  /// Closes one that its user has done with instead of keeping it.
  void discard(PoolEntry& entry);
  /// Closes those idle since `deadline` or longer.
  void expire(TimePoint deadline);
  /// Closes the one that has been idle the longest; false if there is none.
  bool close_oldest();
  void close_endpoint(WorkerEndpoint& endpoint);
  void close_all();

  std::uint32_t size() const { return size_; }
  /// Since when the oldest is idle; TimePoint::max() if there is none.
  TimePoint oldest() { return by_age_.empty() ? TimePoint::max() : by_age_.front()->idle_since_; }

 private:
  friend class PoolEntry;
  void unlink(PoolEntry& entry);
  void close(PoolEntry& entry);
  void count(int change);

  Cluster& cluster_;
  WorkerPort& port_;
  ClusterStats& stats_;
  base::IntrusiveList<PoolEntry, ByAge> by_age_;  ///< Oldest first.
  std::uint32_t size_ = 0;
};

}  // namespace weir::upstream
