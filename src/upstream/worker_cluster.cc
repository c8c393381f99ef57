// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker_cluster.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "net/loop.h"
#include "upstream/zone_split.h"

namespace weir::upstream {

// ---- Permits.

void give_back(WorkerCluster& cluster, RequestKind) {
  cluster.shared_->release_request();
  --cluster.users_;
}

void give_back(WorkerCluster& cluster, RetryKind) {
  cluster.shared_->release_retry();
  --cluster.users_;
}

void give_back(WorkerEndpoint& endpoint, HoldKind) {
  endpoint.shared_->active_requests.fetch_sub(1, std::memory_order_relaxed);
  --endpoint.users_;
  --endpoint.cluster_.users_;
}

void give_back(WorkerEndpoint& endpoint, ConnectionKind) {
  endpoint.shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  --endpoint.users_;
  --endpoint.cluster_.users_;
  endpoint.cluster_.shared_->release_connection();
}

// ---- Birth, death, news.

WorkerCluster::WorkerCluster(net::Loop& loop, std::shared_ptr<Cluster> shared, std::uint64_t seed)
    : loop_(loop),
      shared_(std::move(shared)),
      stats_(std::make_shared<ClusterStats>()),
      port_(std::make_shared<WorkerPort>(loop, *this)),
      rng_(seed),
      balancer_(rng_.next()),
      pool_(*shared_, *port_, *stats_),
      idle_timer_(net::timer_callback<&WorkerCluster::on_idle_timer>(this)) {
  shared_->attach(port_, stats_);
  adopt_published();
}

WorkerCluster::~WorkerCluster() {
  close_idle();
  CHECK(!in_use());
  port_->view = nullptr;
  shared_->detach(*port_);
}

void WorkerCluster::retire() {
  retired_ = true;
  close_idle();
}

void WorkerCluster::close_idle() {
  pool_.close_all();
  for (auto& [key, endpoint] : endpoints_) retire_shared(*endpoint);
}

void WorkerCluster::retire_shared(WorkerEndpoint& endpoint) {
  endpoint.shared_connections_.for_each(
      [](SharedConnection& connection) { connection.retire_shared(); });
}

static bool same_transport(const Cluster::Published& a, const Cluster::Published& b) {
  return a.tls == b.tls && a.config->protocol == b.config->protocol &&
         a.config->proxy_protocol == b.config->proxy_protocol;
}

void WorkerCluster::adopt_published() {
  Cluster::Published next = shared_->published();
  CHECK(next.config != nullptr && next.endpoints != nullptr);
  const bool changed = published_.config != nullptr && !same_transport(published_, next);
  published_ = std::move(next);
  if (changed) {
    ++transport_;
    close_idle();
  }
  index_endpoints();
  drop_gone_endpoints();
  if (published_.state != OperatorState::kReady) close_idle();
}

void WorkerCluster::index_endpoints() {
  for (auto& [key, endpoint] : endpoints_) endpoint->gone_ = true;
  by_index_.clear();
  for (const EndpointSet::Member& member : published_.endpoints->members()) {
    auto& endpoint = endpoints_[member.endpoint.get()];
    if (endpoint == nullptr) endpoint = std::make_unique<WorkerEndpoint>(*this, member.endpoint);
    endpoint->gone_ = false;
    endpoint->drains_ = member.state != OperatorState::kReady;
    endpoint->avoided_ = endpoint->drains_ || member.standing == Standing::kUnhealthy;
    if (by_index_.size() < published_.endpoints->eligible()) by_index_.push_back(endpoint.get());
  }
}

// One that is still in use goes at a later change.
void WorkerCluster::drop_gone_endpoints() {
  for (auto& [key, endpoint] : endpoints_) {
    if (!endpoint->gone_ && !endpoint->avoided_) continue;
    pool_.close_endpoint(*endpoint);
    retire_shared(*endpoint);
  }
  std::erase_if(endpoints_,
                [](const auto& entry) { return entry.second->gone_ && entry.second->users_ == 0; });
}

// ---- Requests.

// Those who have been made well again since are all that anybody needs.
const EndpointSet& WorkerCluster::within(Reach reach) const {
  const EndpointSet& well = *published_.endpoints;
  return reach == Reach::kAny && well.in_need() != nullptr ? *well.in_need() : well;
}

Result<RequestPermit> WorkerCluster::admit(Reach reach) {
  refresh();
  const auto refuse = [this](ErrorCode code, const char* detail) {
    stats_->refused.add();
    return fail(code, detail);
  };
  if (published_.state != OperatorState::kReady) {
    return refuse(ErrorCode::kNoEndpoint, published_.state == OperatorState::kDrain
                                              ? "the cluster drains"
                                              : "the cluster is in maintenance");
  }
  if (within(reach).eligible() == 0) {
    return refuse(published_.endpoints->empty_reason(), nullptr);
  }
  if (!shared_->try_acquire_request()) {
    const bool adaptive = shared_->adaptive().limit() < shared_->limits().max_requests;
    return refuse(
        adaptive ? ErrorCode::kAdaptiveConcurrencyLimited : ErrorCode::kClusterRequestsFull,
        nullptr);
  }
  stats_->requests.add();
  shared_->retry_window().count_request(loop_.now());
  ++users_;
  return RequestPermit(*this);
}

Result<EndpointHold> WorkerCluster::pick(std::uint64_t hash, std::span<const Endpoint* const> tried,
                                         Reach reach) {
  refresh();
  if (published_.state == OperatorState::kMaint) {
    return fail(ErrorCode::kNoEndpoint, "the cluster is in maintenance");
  }
  const EndpointSet& set = within(reach);
  const BalancePolicy policy = published_.config->load_balancing.policy;
  const bool by_zone = set.zones() != nullptr && tried.empty();
  std::size_t index =
      by_zone ? pick_by_zone(*set.zones()) : balancer_.pick(set, policy, {rng_, hash, tried});
  if (index == Balancer::kNone && !tried.empty()) {
    index = balancer_.pick(set, policy, {rng_, hash, {}});
  }
  if (index == Balancer::kNone) return fail(set.empty_reason());
  if (&set != published_.endpoints.get()) return hold(*endpoints_.at(&set.endpoint(index)));
  if (set.ramps()) index = without_ramping(index, hash, tried);
  return hold(*by_index_[index]);
}

// Among the endpoints of the own zone, as far as they can take its part.
std::size_t WorkerCluster::pick_by_zone(const ZoneSplit& zones) {
  const bool near = zones.far == nullptr || rng_.below(ZoneSplit::kWhole) < zones.near_ppm;
  (near ? stats_->own_zone : stats_->other_zones).add();
  const BalancePolicy policy = near ? published_.config->load_balancing.policy : zones.far_policy;
  const std::size_t index = balancer_.pick(near ? *zones.near : *zones.far, policy, {rng_, 0, {}});
  return near ? zones.near_at[index] : zones.far_at[index];
}

EndpointHold WorkerCluster::hold(WorkerEndpoint& endpoint) {
  if (published_.health != nullptr) HealthPort::begun(*endpoint.shared_);
  endpoint.shared_->active_requests.fetch_add(1, std::memory_order_relaxed);
  ++endpoint.users_;
  ++users_;
  return EndpointHold(endpoint);
}

// One that ramps and has all that it may have in flight leaves the request to another, if one draw
// finds any; a cluster is not refused for the sake of a ramp.
std::size_t WorkerCluster::without_ramping(std::size_t index, std::uint64_t hash,
                                           std::span<const Endpoint* const> tried) {
  const EndpointSet& set = *published_.endpoints;
  const Endpoint& first = set.endpoint(index);
  const auto active = first.active_requests.load(std::memory_order_relaxed);
  if (active < set.max_active(index)) return index;
  std::array<const Endpoint*, 16> others;
  const std::size_t count = std::min(tried.size(), others.size() - 1);
  std::copy_n(tried.begin(), count, others.begin());
  others[count] = &first;
  const std::size_t other = balancer_.pick(set, published_.config->load_balancing.policy,
                                           {rng_, hash, {others.data(), count + 1}});
  return other == Balancer::kNone ? index : other;
}

RetryPermit WorkerCluster::try_retry(const RetryBudget& budget, RetryWindow* over_time) {
  RetryWindow& window = over_time != nullptr ? *over_time : shared_->retry_window();
  const bool place = shared_->try_acquire_retry(budget);
  if (place && window.take(budget, loop_.now())) {
    ++users_;
    return RetryPermit(*this);
  }
  if (place) shared_->release_retry();
  stats_->retries_over_budget.add();
  return {};
}

// ---- Connections.

Result<LeaseOffer> WorkerCluster::lease(WorkerEndpoint& endpoint, PlaceWaiter& waiter) {
  if (SharedConnection* const shared = shared_with_room(endpoint)) {
    LeaseOffer offer;
    offer.shared = shared;
    waiter.cancel();
    return offer;
  }
  // First come, first served: who comes while others wait goes to the end.
  if (!waiter.waiting() && !waiters_.empty()) return enqueue(waiter);
  LeaseOffer offer;
  offer.reused = pool_.take(endpoint);
  if (offer.reused == nullptr && take_place()) {
    endpoint.shared_->connections.fetch_add(1, std::memory_order_relaxed);
    ++endpoint.users_;
    ++users_;
    offer.connect = ConnectionPermit(endpoint);
  }
  if (!offer.waits()) {
    waiter.cancel();
    return offer;
  }
  return waiter.waiting() ? std::move(offer) : enqueue(waiter);
}

bool WorkerCluster::take_place() {
  if (granted_ > 0) {
    --granted_;
    return true;
  }
  if (shared_->try_acquire_connection()) return true;
  // An idle connection to another endpoint is worth less than a request that waits.
  return (pool_.close_oldest() || close_idle_shared()) && shared_->try_acquire_connection();
}

// The oldest one, so that those opened for a burst run dry and close.
SharedConnection* WorkerCluster::shared_with_room(WorkerEndpoint& endpoint) {
  SharedConnection* found = nullptr;
  endpoint.shared_connections_.for_each([&found](SharedConnection& connection) {
    if (connection.has_room()) found = &connection;
  });
  return found;
}

bool WorkerCluster::close_idle_shared() {
  for (auto& [key, endpoint] : endpoints_) {
    SharedConnection* idle = nullptr;
    endpoint->shared_connections_.for_each([&idle](SharedConnection& connection) {
      if (connection.idle()) idle = &connection;
    });
    if (idle == nullptr) continue;
    idle->retire_shared();
    return true;
  }
  return false;
}

void WorkerCluster::give_back(PoolEntry& entry) {
  // A request on another worker waits for the place that this connection would sit on.
  const bool wanted_elsewhere = waiters_.empty() && shared_->pending() > 0;
  const bool serves = !retired_ && published_.state == OperatorState::kReady;
  if (!serves || wanted_elsewhere || entry.transport() != transport_) {
    pool_.discard(entry);
    return;
  }
  if (!pool_.give_back(entry, published_.config->pool, loop_.now())) return;
  if (!idle_timer_.armed()) arm_idle_timer();
  post_serve();
}

void WorkerCluster::post_serve() {
  if (waiters_.empty() || serve_posted_) return;
  serve_posted_ = true;
  port_->post_serve();
}

void WorkerCluster::arm_idle_timer() {
  loop_.arm_at(idle_timer_, pool_.oldest() + published_.config->pool.idle_timeout);
}

void WorkerCluster::on_idle_timer() {
  refresh();
  pool_.expire(loop_.now() - published_.config->pool.idle_timeout);
  if (pool_.size() > 0) arm_idle_timer();
}

// ---- Waiting for a place.

void PlaceWaiter::cancel() {
  if (waiting()) cluster_->dequeue(*this);
}

Result<LeaseOffer> WorkerCluster::enqueue(PlaceWaiter& waiter) {
  // Counted here before it is counted in the cluster: a release that sees it there finds the port.
  port_->waiting.fetch_add(1, std::memory_order_seq_cst);
  if (!shared_->try_acquire_pending()) {
    port_->waiting.fetch_sub(1, std::memory_order_seq_cst);
    stats_->refused.add();
    return fail(shared_->limits().max_pending == 0 ? ErrorCode::kClusterConnectionsFull
                                                   : ErrorCode::kClusterPendingFull);
  }
  waiter.cluster_ = this;
  waiters_.push_back(waiter);
  stats_->waited.add();
  stats_->waiting.add();
  if (shared_->idle() > pool_.size()) shared_->ask_to_shed(*port_);
  // A place that came free between the look and the count was handed to nobody.
  if (shared_->try_acquire_connection()) port_->post_place(ConnectionPlace(shared_));
  return LeaseOffer{};
}

void WorkerCluster::dequeue(PlaceWaiter& waiter) {
  waiter.unlink();
  waiter.cluster_ = nullptr;
  shared_->release_pending();
  port_->waiting.fetch_sub(1, std::memory_order_seq_cst);
  stats_->waiting.sub();
}

void WorkerCluster::on_place_granted(ConnectionPlace place) {
  place.take();
  ++granted_;
  serve_waiters();
}

void WorkerCluster::serve_waiters() {
  serve_posted_ = false;
  while (PlaceWaiter* const first = waiters_.front()) {
    first->on_place();
    if (waiters_.front() == first) break;
  }
  while (granted_ > 0) {
    --granted_;
    shared_->release_connection();
  }
}

}  // namespace weir::upstream
