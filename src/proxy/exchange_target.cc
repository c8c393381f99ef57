// SPDX-License-Identifier: Apache-2.0
// The choose-cluster step: which target of its route an exchange goes to, and its admission there.
// choose_target() says where; enter() takes the place, or says why there is none.
#include "base/hash.h"
#include "proxy/exchange.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {

Exchange::Next Exchange::choose_cluster() {
  if (route_->fault().armed() && !fault_met_) {
    fault_met_ = true;
    if (const Next next = meet_fault(route_->fault()); next != Next::kContinue) return next;
  }
  if (const auto* direct = std::get_if<DirectTarget>(&route_->target())) {
    answer_direct(*direct);
    return Next::kDone;
  }
  if (std::holds_alternative<RedirectTarget>(route_->target())) {
    answer_redirect();
    return Next::kDone;
  }
  const Result<void> entered = cell_ == nullptr ? enter(choose_target()) : enter_cell();
  if (!entered) {
    const bool open = entered.error().code == ErrorCode::kCircuitOpen && hops_ == nullptr;
    const auto instead = open ? fall_back(entered.error()) : std::nullopt;
    if (!instead) fail(entered.error());
    if (instead != Next::kContinue) return Next::kDone;
  }
  const RetryConfig& retry = route_->retry();
  replayable_ = (retry.num_retries > 0 || hops_ != nullptr) &&
                request_.body.length <= retry.replay_buffer_bytes &&
                (upstream::is_idempotent(request_.method) || may_refuse_unprocessed());
  return Next::kContinue;
}

uint32_t Exchange::choose_target() {
  const std::vector<uint32_t>& targets = worker_.snapshot().targets.of_route[route_index_];
  const auto* weighted = std::get_if<WeightedTarget>(&route_->target());
  if (weighted != nullptr) return targets[choose_weighted(*weighted)];
  const uint32_t target = targets[0];
  return (target & kReleaseBit) == 0 ? target : choose_release(target & ~kReleaseBit);
}

Result<void> Exchange::enter(uint32_t target) {
  if ((target & kGroupBit) != 0) return enter_group(target & ~kGroupBit);
  auto admitted = admit_to(target, upstream::Reach::kWell);
  if (!admitted) return std::unexpected(admitted.error());
  go_in(std::move(*admitted));
  return {};
}

Result<Admitted> Exchange::admit_to(uint32_t target, upstream::Reach reach) {
  BreakerCall there;
  if (const Result<void> passed = pass_breakers(target, there); !passed) {
    return std::unexpected(passed.error());
  }
  auto permit = worker_.cluster(target).admit(reach);
  if (!permit) return std::unexpected(permit.error());
  return Admitted{std::move(*permit), std::move(there)};
}

// Until now it had to do with the breakers of the cluster that it was in.
void Exchange::go_in(Admitted admitted) {
  request_permit_ = std::move(admitted.permit);
  breaker_.enter(std::move(admitted.breaker));
  // It has been detached already, so the next reload passes it by.
  if (route_hold_ != nullptr) keep_breaker(worker_.snapshot());
}

size_t Exchange::choose_weighted(const WeightedTarget& target) {
  uint64_t total = 0;
  for (const WeightedCluster& cluster : target.clusters) total += cluster.weight;
  // Salted by the route, so that two splits on the same key are independent of each other.
  uint64_t point = base::mix64(hash_of(target.hash_on) ^ base::hash64(route_->name())) % total;
  for (size_t i = 0; i < target.clusters.size(); ++i) {
    if (point < target.clusters[i].weight) return i;
    point -= target.clusters[i].weight;
  }
  return 0;
}

}  // namespace weir::proxy
