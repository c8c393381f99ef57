// SPDX-License-Identifier: Apache-2.0
// Hedging: when no answer has begun after what most answers take, the request is sent to a second
// endpoint as well; the answer that begins first is given, and the other attempt is cut off, which
// says nothing about its endpoint. An answer that would be tried again, and a failure, leave the
// request to the attempt that is left. It is paid for like a retry, and not made where the cluster
// or weir is short of something. To routes without it this costs the test of a null pointer.
#include <algorithm>
#include <new>
#include <utility>

#include "proxy/cell_call.h"
#include "proxy/exchange.h"
#include "proxy/hedge.h"
#include "proxy/hops.h"
#include "proxy/worker.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {
namespace {

using upstream::HedgeRefusal;

// Nothing is changed by asking twice (RFC 9110, 9.2.1).
bool is_safe(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions;
}

}  // namespace

bool Exchange::hedging() const { return hedge_ != nullptr && hedge_->running; }

void Exchange::arm_hedge() {
  if (attempts_ > 1 || nested_attempt_ > 1 || !is_safe(request_.method)) return;
  if (request_.body.kind != BodyFraming::Kind::kNone || !request_.protocol.empty()) return;
  const auto& after = route_->config().hedge->after;
  const auto* fixed = std::get_if<Millis>(&after);
  std::optional<Duration> delay;
  if (fixed != nullptr) {
    delay = *fixed;
  } else {
    delay = cluster().recent_latency().percentile(std::get<LatencyPercentile>(after).percent);
  }
  if (!delay) return count_hedge_refusal(HedgeRefusal::kSamples);
  if (hedge_ == nullptr) {
    hedge_ = new (arena_.allocate(sizeof(Hedge)))
        Hedge(*this, net::timer_callback<&Exchange::on_hedge_due>(this));
  }
  worker_.loop().arm(hedge_->timer, *delay);
}

void Exchange::count_hedge_refusal(HedgeRefusal refusal) {
  cluster().stats().hedges_refused[static_cast<std::size_t>(refusal)].add();
}

std::optional<HedgeRefusal> Exchange::why_no_hedge() const {
  if (worker_.memory_stage() != base::MemoryStage::kCalm) return HedgeRefusal::kMemory;
  if (breaker_.of != nullptr && !breaker_.of->calm()) return HedgeRefusal::kBreaker;
  if (cell_ != nullptr && cell_->probe != nullptr) return HedgeRefusal::kBreaker;
  if (attempt_.waiting() || cluster().shared().pending() > 0) return HedgeRefusal::kQueueing;
  if (!attempt_.has_untried()) return HedgeRefusal::kEndpoint;
  return std::nullopt;
}

void Exchange::on_hedge_due() {
  auto refusal = why_no_hedge();
  upstream::RetryPermit permit;
  if (!refusal && !take_repetition(upstream::RetryVerdict::kBudget, permit)) {
    refusal = HedgeRefusal::kBudget;
  }
  if (refusal) {
    count_hedge_refusal(*refusal);
  } else {
    launch_hedge(std::move(permit));
  }
  flush();
}

// The second attempt takes the steps of any attempt. One that comes to nothing before it is sent
// takes nothing from the retries that the request may still need.
void Exchange::launch_hedge(upstream::RetryPermit permit) {
  const bool permitted = static_cast<bool>(permit);
  const uint32_t attempts = attempts_;
  retry_permit_ = std::move(permit);
  hedge_->other.swap(attempt_);
  hedge_->other_sent_at = sent_at_;
  hedge_->running = hedge_->second = hedge_->launching = true;
  request_end_sent_ = false;
  held_sent_ = 0;
  step_ = Step::kLease;
  advance();
  hedge_->launching = false;
  const bool queueing = attempt_.waiting() || std::exchange(hedge_->crowded_out, false);
  if (attempt_.waiting()) {
    outcome_ = "queueing";
    back_to_other();
  }
  if (hedging()) return cluster().stats().hedges.add();
  // Who had no room has felt nothing of it, and may be tried yet.
  if (queueing) attempt_.forget_last_tried();
  count_hedge_refusal(queueing ? HedgeRefusal::kQueueing : HedgeRefusal::kEndpoint);
  return_repetition(permitted);
  if (hops_ != nullptr) hops_->tries -= attempts_ - attempts;
  attempts_ = attempts;
}

void Exchange::heed(const UpstreamStream& from) {
  if (hedge_ != nullptr && hedge_->other.carries(from)) turn_to_other();
}

void Exchange::heed(const Attempt& attempt) {
  if (hedge_ != nullptr && &hedge_->other == &attempt) turn_to_other();
}

void Exchange::turn_to_other() {
  attempt_.swap(hedge_->other);
  std::swap(sent_at_, hedge_->other_sent_at);
  hedge_->second = !hedge_->second;
  request_end_sent_ = attempt_.awaits_response();
  step_ = request_end_sent_ ? Step::kRelay : Step::kLease;
}

// True: this attempt is over, and the one that is left goes on.
bool Exchange::back_to_other() {
  if (!hedging()) return false;
  if (attempt_.endpoint() != nullptr) note_attempt(attempt_, outcome_);
  attempt_.end();
  turn_to_other();
  hedge_->running = false;
  if (!hedge_->second) retry_permit_.release();
  return true;
}

// Whether a failure of the attempt leaves another one. All other failures end both.
bool Exchange::outlives(const Error& error) {
  hedge_->timer.cancel();
  if (!hedging()) return false;
  outcome_ = error_info(error.code).reason;
  hedge_->crowded_out = error.code == ErrorCode::kClusterConnectionsFull ||
                        error.code == ErrorCode::kClusterPendingFull;
  if (hedge_->launching || error.origin == Origin::kUpstream) return back_to_other();
  note_attempt(hedge_->other, outcome_);
  hedge_->other.end();
  hedge_->running = false;
  return false;
}

void Exchange::note_recent_latency(const Attempt& attempt) {
  cluster().recent_latency().note(response_at_ - attempt.begun_at(), response_at_);
}

// The attempt's answer is the one that is given.
void Exchange::settle_hedge() {
  if (!hedging()) return;
  hedge_->running = false;
  if (hedge_->second) {
    cluster().stats().hedges_won.add();
    // It would have taken this long at least. Without it, hedges would hide what is slow, and the
    // percentile would follow them down.
    note_recent_latency(hedge_->other);
  } else {
    retry_permit_.release();
  }
  note_attempt(hedge_->other, "hedged");
  hedge_->other.end();
}

void Exchange::leave_hedge() {
  hedge_->~Hedge();
  hedge_ = nullptr;
}

}  // namespace weir::proxy
