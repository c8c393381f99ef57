// SPDX-License-Identifier: Apache-2.0
// Failover groups in the exchange: its placement, and after a failure another try where it is or a
// hop to another cluster. Every trigger comes by here: no endpoint, a full cluster, connect
// failures, ends and timeouts without an answer, answers that the route retries. What health,
// breakers and operators know keeps a cluster from being placed at all. To routes without groups
// this costs the test of a null pointer.
#include <algorithm>
#include <charconv>
#include <new>
#include <optional>

#include "base/hash.h"
#include "http/header_id.h"
#include "proxy/cell_heads.h"
#include "proxy/exchange.h"
#include "proxy/hops.h"
#include "proxy/owner.h"
#include "proxy/request_head.h"
#include "proxy/response_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {
namespace {

using upstream::FailoverGroup;
using upstream::FailoverSeat;
using upstream::HopReason;
using upstream::RetryVerdict;

// Why another cluster may do better; nullopt: it would not.
std::optional<HopReason> hop_reason(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNoEndpoint:
    case ErrorCode::kNoHealthyEndpoint:
    case ErrorCode::kDnsFailure:
      return HopReason::kNoEndpoint;
    case ErrorCode::kClusterPendingFull:
    case ErrorCode::kClusterRequestsFull:
    case ErrorCode::kAdaptiveConcurrencyLimited:
    case ErrorCode::kClusterConnectionsFull:
      return HopReason::kFull;
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectFailed:
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kUpstreamTls:
      return HopReason::kConnect;
    case ErrorCode::kUpstreamReset:
    case ErrorCode::kUpstreamRefusedStream:
    case ErrorCode::kUpstreamBadHead:
    case ErrorCode::kUpstreamBadFraming:
    case ErrorCode::kUpstreamHeadTooLarge:
    case ErrorCode::kUpstreamHttp2:
      return HopReason::kReset;
    case ErrorCode::kUpstreamTimeout:
    case ErrorCode::kUpstreamIdle:
      return HopReason::kTimeout;
    default:
      return std::nullopt;
  }
}

// Nothing of the request has left weir.
bool nothing_sent(HopReason reason, const Error& error) {
  return reason == HopReason::kNoEndpoint || reason == HopReason::kFull ||
         error.retry == Retry::kUnsent;
}

// A wait was all that came of it: the same cluster would take as long again.
bool waited_in_vain(ErrorCode code) {
  return code == ErrorCode::kConnectTimeout || code == ErrorCode::kUpstreamTimeout;
}

class Admission final : public upstream::SeatAdmitter {
 public:
  explicit Admission(Exchange& exchange) : exchange_(exchange) {}
  Result<void> admit(const FailoverSeat& seat, upstream::Reach reach) override {
    auto by_cluster = exchange_.admit_to(seat.cluster_index, reach);
    if (!by_cluster) return std::unexpected(by_cluster.error());
    admitted = std::move(*by_cluster);
    return {};
  }
  Admitted admitted;

 private:
  Exchange& exchange_;
};

}  // namespace

// ---- Placement.

Result<void> Exchange::enter_group(uint32_t index) {
  const FailoverGroup& group = (*worker_.snapshot().failover)[index];
  hops_ = new (arena_.allocate(sizeof(Hops))) Hops(group, arena_.copy(group.name()));
  group.state().budget.deposit(route_->retry().budget.percent.ppm);
  auto placed = place_in(group);
  if (!placed) return std::unexpected(placed.error());
  move_to(std::move(*placed));
  return {};
}

Result<Placed> Exchange::place_in(const FailoverGroup& group) {
  Admission admission(*this);
  const bool may_try = upstream::is_idempotent(request_.method) &&
                       request_.body.length <= route_->retry().replay_buffer_bytes;
  const bool yields = priority() > kDefaultPriority;
  auto placement =
      group.place({worker_.rng(), worker_.loop().now(), hops_->seen(), may_try, yields}, admission);
  if (!placement) return std::unexpected(placement.error());
  return Placed{std::move(*placement), std::move(admission.admitted)};
}

void Exchange::move_to(Placed placed) {
  hops_->visited[hops_->visited_count++] = placed.placement.seat->cluster.get();
  hops_->permit = std::move(placed.placement.permit);
  hops_->tries = 0;
  hops_->reach = placed.placement.reach;
  go_in(std::move(placed.admitted));
  attempt_.forget_tried();
  // The next cluster may be other than a weir, and is not to see what weirs tell each other.
  const bool restamp = cell_ != nullptr && upstream_request_.headers.size() != 0;
  if (restamp) stamp_cell(upstream_request_.headers, true, *this);
}

// A reload has made groups anew: the one of the same name goes on.
const FailoverGroup* Exchange::current_group() const {
  if (hops_->group != nullptr) return hops_->group;
  const auto& groups = worker_.snapshot().failover;
  return groups == nullptr ? nullptr : groups->find(hops_->group_name);
}

void Exchange::keep_group() { hops_->group = nullptr; }

void Exchange::leave_group() {
  hops_->~Hops();
  hops_ = nullptr;
}

upstream::Reach Exchange::reach() const {
  return hops_ == nullptr ? upstream::Reach::kWell : hops_->reach;
}

// ---- After a failure.

bool Exchange::retry_in_group(const Error& error) {
  const auto reason = hop_reason(error.code);
  if (!reason) return false;
  if (error.origin == Origin::kUpstream && *reason != HopReason::kNoEndpoint) {
    const bool silence = *reason == HopReason::kTimeout;
    hops_->permit->failed(worker_.loop().now(), silence ? owner_key() : 0);
  }
  const RetryVerdict verdict = nothing_sent(*reason, error)
                                   ? RetryVerdict::kFree
                                   : upstream::judge_error(route_->retry(), error, request_.method);
  const bool stays = error.retry != Retry::kNo && !waited_in_vain(error.code);
  return retry_or_hop(verdict, *reason, stays);
}

void Exchange::note_answer(const ResponseHead& head) {
  const bool failed = head.status >= 502 && head.status <= 504 && !refused_by_weir(head);
  if (failed) {
    hops_->permit->failed(worker_.loop().now(), owner_key());
  } else {
    hops_->permit->succeeded();
  }
}

// Of whom a failure speaks first: one function that fails does not take a cluster from all others.
uint64_t Exchange::owner_key() const {
  if (owner_ == nullptr || (owner_->tenant.empty() && owner_->function.empty())) return 0;
  return (base::mix64(base::hash64(owner_->tenant)) ^ base::hash64(owner_->function)) | 1U;
}

// A tunnel's end is no answer, and is seldom polite.
void Exchange::note_broken_answer() {
  if (tunnel_ == nullptr) hops_->permit->broke(worker_.loop().now(), owner_key());
}

void Exchange::note_whole_answer() {
  hops_->permit->completed(worker_.loop().now(), upstream_status_ < 500 ? owner_key() : 0);
}

bool Exchange::retry_or_hop(RetryVerdict verdict, HopReason reason, bool stays) {
  if (verdict == RetryVerdict::kNo || !may_send_again()) return false;
  const bool again = stays && hops_->tries <= route_->retry().num_retries &&
                     attempt_.has_untried() && !hops_->permit->suspected();
  if (again && begin_retry(verdict)) return true;
  return hop(verdict, reason);
}

bool Exchange::hop(RetryVerdict verdict, HopReason reason) {
  const FailoverGroup* const group = current_group();
  if (group == nullptr || hops_->visited_count > group->max_other_clusters()) return false;
  if (hops_->visited_count == hops_->visited.size()) return false;
  // One exchange is one retry in flight, however many it has made.
  retry_permit_.release();
  upstream::RetryPermit permit;
  if (!take_repetition(verdict, permit)) return false;
  auto placed = place_in(*group);
  if (!placed) {
    if (verdict == RetryVerdict::kBudget) return_repetition(static_cast<bool>(permit));
    return false;
  }
  // In need, and with failures in a row there too: what was never sent is not asked for free.
  const bool in_vain = verdict == RetryVerdict::kFree &&
                       placed->placement.reach == upstream::Reach::kAny &&
                       placed->placement.permit->suspected();
  if (in_vain && !take_repetition(RetryVerdict::kBudget, permit)) return false;
  note_attempt(attempt_, outcome_);
  hops_->permit->count_hop(reason);
  attempt_.end();
  move_to(std::move(*placed));
  // Somebody else is asked, who has felt nothing yet: at once.
  repeat(std::move(permit), Duration::zero());
  return true;
}

bool Exchange::take_repetition(RetryVerdict verdict, upstream::RetryPermit& permit) {
  if (verdict == RetryVerdict::kFree) return true;
  if (nested_attempt_ > 1) return false;
  const RetryBudget& budget = route_->retry().budget;
  if (hops_ == nullptr) {
    permit = cluster().try_retry(budget);
    return static_cast<bool>(permit);
  }
  const FailoverGroup* const group = current_group();
  if (group != nullptr && group->state().budget.withdraw()) return true;
  permit = cluster().try_retry({Share{0}, budget.min},
                               group == nullptr ? nullptr : &group->state().floor);
  return static_cast<bool>(permit);
}

// Of what take_repetition() took in this turn, with a permit or without: it was not made.
void Exchange::return_repetition(bool permit) {
  const FailoverGroup* const group = hops_ != nullptr ? current_group() : nullptr;
  if (permit) {
    upstream::RetryWindow& window =
        group != nullptr ? group->state().floor : cluster().shared().retry_window();
    window.give_back(worker_.loop().now());
  } else if (group != nullptr) {
    group->state().budget.give_back();
  }
}

bool Exchange::could_hop() const {
  const FailoverGroup* const group = current_group();
  return group != nullptr && hops_->visited_count <= group->max_other_clusters();
}

// ---- What was tried.

void Exchange::tell_attempt() {
  HeaderList& headers = upstream_request_.headers;
  headers.remove_if([](const Header& header) { return is_attempt_header(header); });
  headers.push({kAttemptHeader, number_text(nested_attempt_ + attempts_ - 1), HeaderId::kOther});
}

void Exchange::note_attempt(const Attempt& attempt, std::string_view outcome) {
  if (trail_ == nullptr) trail_ = new (arena_.allocate(sizeof(Trail))) Trail;
  if (trail_->count == Trail::kMost) return;
  // A reload may take the cluster's name away.
  trail_->attempts[trail_->count++] = {arena_.copy(cluster().name()), attempt.endpoint_text(),
                                       outcome};
}

std::string_view Exchange::number_text(uint32_t number) {
  char digits[10];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return arena_.copy({digits, static_cast<size_t>(end - digits)});
}

std::string_view trail_text(Exchange& exchange) {
  const Trail& trail = *exchange.trail();
  size_t room = 0;
  for (uint32_t i = 0; i < trail.count; ++i) {
    const Trail::Attempt& each = trail.attempts[i];
    room += each.cluster.size() + each.endpoint.size() + each.outcome.size() + 4;
  }
  char* const text = static_cast<char*>(exchange.arena().allocate(room));
  char* end = text;
  const auto add = [&end](std::string_view part) { end = std::ranges::copy(part, end).out; };
  for (uint32_t i = 0; i < trail.count; ++i) {
    const Trail::Attempt& each = trail.attempts[i];
    if (i > 0) add(", ");
    add(each.cluster);
    add("/");
    add(each.endpoint);
    add("=");
    add(each.outcome);
  }
  return {text, static_cast<size_t>(end - text)};
}

}  // namespace weir::proxy
