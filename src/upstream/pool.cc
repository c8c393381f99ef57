// SPDX-License-Identifier: Apache-2.0
#include "upstream/pool.h"

#include <utility>

#include "base/check.h"
#include "upstream/cluster.h"
#include "upstream/cluster_stats.h"
#include "upstream/worker_cluster.h"

namespace weir::upstream {

PoolEntry::PoolEntry(ConnectionPermit permit)
    : permit_(std::move(permit)), transport_(permit_->cluster().transport()) {}

void PoolEntry::leave_pool() {
  if (pool_ != nullptr) pool_->unlink(*this);
  permit_.release();
}

PoolEntry* IdlePool::take(WorkerEndpoint& endpoint) {
  PoolEntry* const entry = endpoint.idle_.front();
  if (entry != nullptr) unlink(*entry);
  return entry;
}

bool IdlePool::give_back(PoolEntry& entry, const PoolConfig& config, TimePoint now) {
  DCHECK(!entry.idle());
  const bool worn_out = config.max_requests != 0 && entry.requests_served_ >= config.max_requests;
  if (worn_out || entry.endpoint().gone_ || entry.endpoint().avoided_ ||
      !cluster_.try_acquire_idle()) {
    discard(entry);
    return false;
  }
  entry.pool_ = this;
  entry.idle_since_ = now;
  entry.endpoint().idle_.push_front(entry);
  by_age_.push_back(entry);
  count(1);
  return true;
}

void IdlePool::discard(PoolEntry& entry) {
  // The place is free when the socket is closed, not before: who waits for it opens another.
  const ConnectionPermit place = std::move(entry.permit_);
  entry.close_idle();
}

void IdlePool::count(int change) {
  size_ = static_cast<std::uint32_t>(static_cast<int>(size_) + change);
  stats_.idle.add(change);
  port_.idle.store(size_, std::memory_order_relaxed);
}

void IdlePool::unlink(PoolEntry& entry) {
  entry.base::ListLink<ByEndpoint>::unlink();
  entry.base::ListLink<ByAge>::unlink();
  entry.pool_ = nullptr;
  cluster_.release_idle();
  count(-1);
}

void IdlePool::close(PoolEntry& entry) {
  unlink(entry);
  discard(entry);
}

void IdlePool::expire(TimePoint deadline) {
  while (!by_age_.empty() && by_age_.front()->idle_since_ <= deadline) close(*by_age_.front());
}

bool IdlePool::close_oldest() {
  if (by_age_.empty()) return false;
  close(*by_age_.front());
  return true;
}

void IdlePool::close_endpoint(WorkerEndpoint& endpoint) {
  while (PoolEntry* entry = endpoint.idle_.front()) close(*entry);
}

void IdlePool::close_all() {
  while (close_oldest()) {
  }
}

}  // namespace weir::upstream
