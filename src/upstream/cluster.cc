// SPDX-License-Identifier: Apache-2.0
#include "upstream/cluster.h"

#include <algorithm>
#include <utility>

namespace weir::upstream {
namespace {

// Never above the limit, not even for a moment: adding first and taking back would refuse others
// meanwhile.
bool count_below(std::atomic<std::uint32_t>& count, std::uint32_t limit, std::memory_order order) {
  std::uint32_t now = count.load(order);
  while (now < limit) {
    if (count.compare_exchange_weak(now, now + 1, order, order)) return true;
  }
  return false;
}

constexpr auto kRelaxed = std::memory_order_relaxed;
// Places and waiters are counted on either side of a race: a release that sees no waiter, and a
// waiter that sees no place, must not both happen. That needs one order for all threads.
constexpr auto kOrdered = std::memory_order_seq_cst;

}  // namespace

AutoLimits AutoLimits::from_descriptors(std::uint64_t descriptor_limit) {
  constexpr std::uint64_t kLeast = 16;
  constexpr std::uint64_t kMost = 1'000'000;
  return {static_cast<std::uint32_t>(std::clamp(descriptor_limit / 3, kLeast, kMost))};
}

ClusterLimits ClusterLimits::from(const ClusterConfig& config, const AutoLimits& automatic) {
  ClusterLimits out;
  out.max_connections = config.resource_limits.max_connections.value_or(automatic.max_connections);
  out.max_pending = config.resource_limits.max_pending;
  const std::uint64_t all = std::uint64_t{out.max_connections} + out.max_pending;
  out.max_requests = config.resource_limits.max_requests.value_or(
      static_cast<std::uint32_t>(std::min<std::uint64_t>(all, UINT32_MAX)));
  out.max_idle = config.pool.max_idle;
  return out;
}

void Cluster::publish(std::shared_ptr<const ClusterConfig> config, const ClusterLimits& limits,
                      std::shared_ptr<const net::TlsClientContext> tls,
                      std::shared_ptr<HealthPort> health) {
  std::lock_guard lock(mutex_);
  max_connections_.store(limits.max_connections, kRelaxed);
  max_requests_.store(limits.max_requests, kRelaxed);
  max_pending_.store(limits.max_pending, kRelaxed);
  max_idle_.store(limits.max_idle, kRelaxed);
  adaptive_.configure(config->adaptive_concurrency);
  published_.state = said_.value_or(config->state);
  state_.store(published_.state, kRelaxed);
  published_.config = std::move(config);
  published_.tls = std::move(tls);
  published_.health = std::move(health);
  tell_workers();
}

void Cluster::publish(std::shared_ptr<const EndpointSet> endpoints) {
  std::lock_guard lock(mutex_);
  eligible_.store(static_cast<std::uint32_t>(endpoints->eligible()), kRelaxed);
  members_.store(static_cast<std::uint32_t>(endpoints->members().size()), kRelaxed);
  eligible_weight_.store(endpoints->eligible_weight(), kRelaxed);
  healthy_weight_.store(endpoints->healthy_weight(), kRelaxed);
  total_weight_.store(endpoints->configured_weight(), kRelaxed);
  empty_reason_.store(endpoints->empty_reason(), kRelaxed);
  published_.endpoints = std::move(endpoints);
  tell_workers();
}

void Cluster::set_state(std::optional<OperatorState> state) {
  std::lock_guard lock(mutex_);
  said_ = state;
  published_.state =
      state.value_or(published_.config ? published_.config->state : published_.state);
  state_.store(published_.state, kRelaxed);
  tell_workers();
}

// Requires: mutex_ is held.
void Cluster::tell_workers() {
  version_.store(++published_.version, std::memory_order_release);
  // Without traffic nobody would look, and connections to what has left would stay open.
  for (const auto& port : ports_) port->post_refresh();
}

Cluster::Published Cluster::published() const {
  std::lock_guard lock(mutex_);
  return published_;
}

ClusterLimits Cluster::limits() const {
  return {max_connections_.load(kRelaxed), max_requests_.load(kRelaxed),
          max_pending_.load(kRelaxed), max_idle_.load(kRelaxed)};
}

std::string why_unusable(const ClusterHealth& health) {
  switch (health.state) {
    case OperatorState::kDrain:
      return "the cluster drains";
    case OperatorState::kMaint:
      return "the cluster is in maintenance";
    case OperatorState::kReady:
      break;
  }
  return std::string(error_info(health.reason).reason);
}

ClusterHealth Cluster::health() const {
  ClusterHealth out;
  out.eligible = eligible_.load(kRelaxed);
  out.members = members_.load(kRelaxed);
  out.eligible_weight = eligible_weight_.load(kRelaxed);
  out.healthy_weight = healthy_weight_.load(kRelaxed);
  out.total_weight = total_weight_.load(kRelaxed);
  out.state = state_.load(kRelaxed);
  out.reason = empty_reason_.load(kRelaxed);
  out.usable = out.state == OperatorState::kReady && out.eligible > 0;
  return out;
}

bool Cluster::try_acquire_request() {
  const std::uint32_t most = std::min(max_requests_.load(kRelaxed), adaptive_.limit());
  return count_below(requests_, most, kRelaxed);
}

bool Cluster::try_acquire_connection() {
  return count_below(connections_, max_connections_.load(kRelaxed), kOrdered);
}

bool Cluster::try_acquire_pending() {
  return count_below(pending_, max_pending_.load(kRelaxed), kOrdered);
}

bool Cluster::try_acquire_idle() { return count_below(idle_, max_idle_.load(kRelaxed), kRelaxed); }

bool Cluster::try_acquire_retry(const RetryBudget& budget) {
  const std::uint64_t share =
      std::uint64_t{requests_.load(kRelaxed)} * budget.percent.ppm / Share::kWhole;
  const std::uint64_t limit = std::max<std::uint64_t>(budget.min, share);
  return count_below(
      retries_, static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, UINT32_MAX)), kRelaxed);
}

void Cluster::release_connection() {
  do {
    if (pending_.load(kOrdered) > 0 && hand_over_place()) return;
    connections_.fetch_sub(1, kOrdered);
    // Whoever began to wait since has seen no place: take this one back and try to hand it over.
  } while (pending_.load(kOrdered) > 0 && try_acquire_connection());
}

bool Cluster::hand_over_place() {
  std::lock_guard lock(mutex_);
  // A reload may have lowered the limit below what is open.
  if (connections_.load(kRelaxed) > max_connections_.load(kRelaxed)) return false;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    WorkerPort& port = *ports_[next_port_++ % ports_.size()];
    if (port.waiting.load(kOrdered) == 0) continue;
    port.post_place(ConnectionPlace(shared_from_this()));
    return true;
  }
  return false;
}

void Cluster::attach(std::shared_ptr<WorkerPort> port, std::shared_ptr<const ClusterStats> stats) {
  std::lock_guard lock(mutex_);
  ports_.push_back(std::move(port));
  stats_.push_back(std::move(stats));
}

void Cluster::detach(const WorkerPort& port) {
  std::lock_guard lock(mutex_);
  std::erase_if(ports_, [&](const auto& each) { return each.get() == &port; });
}

void Cluster::ask_to_shed(const WorkerPort& asker) {
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    WorkerPort& port = *ports_[next_port_++ % ports_.size()];
    if (&port == &asker || port.idle.load(kRelaxed) == 0) continue;
    port.post_shed_idle();
    return;
  }
}

std::vector<std::shared_ptr<const ClusterStats>> Cluster::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace weir::upstream
