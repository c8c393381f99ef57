// SPDX-License-Identifier: Apache-2.0
// The one place where failures end: retry, local reply, cut-off answer or nothing, from what the
// Error says and how far the exchange has come.
#include "http/header_id.h"
#include "proxy/deadline.h"
#include "proxy/exchange.h"
#include "proxy/hops.h"
#include "proxy/owner.h"
#include "proxy/response_head.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {

// Retry-After with anything but 0: a date is a wait as well.
static bool asks_to_wait(const HeaderList& headers) {
  const Header* wait = headers.find(HeaderId::kRetryAfter);
  return wait != nullptr && wait->value != "0";
}

void Exchange::on_request_error(const Error& error) {
  if (finished() || response_ended_) return;
  fail(error);
}

void Exchange::on_downstream_gone(const Error& error) {
  if (finished()) return;
  downstream_gone_ = true;
  if (!failed_) error_ = error;
  failed_ = true;
  attempt_.end();
  step_ = Step::kFinish;
  advance();
}

void Exchange::on_upstream_error(const UpstreamStream& from, const Error& error) {
  heed(from);
  attempt_.detached();
  fail(error);
}

void Exchange::on_attempt_timeout(const Attempt& from, const Error& error) {
  heed(from);
  fail(error);
  flush();
}

bool Exchange::waits_for_origin() const {
  // A tunnel's silence is timed by itself.
  if (client_.stream->congested() || tunnel_ != nullptr) return false;
  const UpstreamStream* stream = attempt_.stream();
  return request_ended_ || response_started_ || stream == nullptr || stream->congested();
}

// The time was up while the origin had the whole request and kept silent for half of it: a frozen
// one would be seen by nobody where the route's timeout is the shorter one. What a client chose is
// no measure.
void Exchange::note_silence() {
  if (!request_permit_ || response_started_ || deadline_->by_client) return;
  const bool silent = note_attempts_silence();
  bool other_silent = false;
  if (hedging()) {
    turn_to_other();
    other_silent = note_attempts_silence();
    // What is told of the end names who kept silent.
    if (silent || !other_silent) turn_to_other();
  }
  if (hops_ == nullptr || (!silent && !other_silent)) return;
  hops_->permit->failed(worker_.loop().now(), owner_key());
}

bool Exchange::note_attempts_silence() {
  const bool waited = request_end_sent_ && !attempt_.answered() && attempt_.stream() != nullptr;
  if (!waited || worker_.loop().now() - sent_at_ < (deadline_->at - head_at_) / 2) return false;
  attempt_.report(upstream::AttemptOutcome::kTimeout);
  if (judged()) tell_breaker(base::CallOutcome::kFailure);
  return true;
}

void Exchange::on_deadline() {
  if (deadline_ != nullptr) note_silence();
  fail(make_error(ErrorCode::kDeadlineExceeded, deadline_detail()));
  flush();
}

void Exchange::fail(const Error& error) {
  if (finished() || failed_) return;
  if (error.origin == Origin::kUpstream && request_permit_) count_upstream_failure(error);
  if (hedge_ != nullptr && outlives(error)) return;
  attempt_.end();
  if (owner_ != nullptr) owner_->end_wait();
  if (keeps_answer() && retry_cut_answer(error)) return;
  // A cell that is a group of clusters is left when the group has nobody.
  const bool grouped = hops_ != nullptr;
  if (!response_started_ && grouped && retry(error)) return;
  if (!response_started_ && cell_ != nullptr && hop_after(error)) return;
  if (!response_started_ && !grouped && retry(error)) return;
  backoff_timer_.cancel();
  // What a drill injects is given, whoever has answered before.
  const bool own = error.code == ErrorCode::kFaultInjected || error_info(error.code).status < 500;
  if (!response_started_ && has_kept_answer() && !own) {
    return send_kept_answer(attempt_.endpoint() != nullptr);
  }
  failed_ = true;
  error_ = error;
  if (!response_started_ && copy_ == nullptr) return reply(error);
  // The client has part of an answer: it must see that the rest will not come (RFC 9112, 8).
  client_.stream->abort();
  step_ = Step::kFinish;
  advance();
}

void Exchange::count_upstream_failure(const Error& error) {
  const upstream::AttemptOutcome outcome = upstream::outcome_of(error, attempt_.answered());
  attempt_.report(outcome);
  if (hops_ != nullptr && outcome == upstream::AttemptOutcome::kBroken) note_broken_answer();
  // An answer over the route's own limit is no failure of who gave it.
  const bool own = error.code == ErrorCode::kResponseTooLarge;
  if (judged() && !own) tell_breaker(base::CallOutcome::kFailure);
  upstream::ClusterStats& stats = cluster().stats();
  switch (error.code) {
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectFailed:
    case ErrorCode::kConnectTimeout:
      stats.connect_failures.add();
      break;
    case ErrorCode::kUpstreamTimeout:
      note_latency();
      [[fallthrough]];
    case ErrorCode::kUpstreamIdle:
      stats.timeouts.add();
      break;
    default:
      stats.resets.add();
      break;
  }
}

// All of the body so far is still here. What was never sent is always held.
bool Exchange::may_send_again() const {
  return bytes_received_ == held_.size() && !downstream_gone_;
}

bool Exchange::may_repeat() const {
  return may_send_again() && attempts_ <= route_->retry().num_retries;
}

// Whether the origin may say of a request of any method that it did nothing about it. Only for that
// the body of a POST is kept.
bool Exchange::may_refuse_unprocessed() const {
  const RetryOnSet& on = route_->retry().on;
  return (grpc_ != nullptr && on.contains(RetryOn::kGrpcUnavailable)) ||
         (on.contains(RetryOn::kRefusedStream) &&
          cluster().config().protocol != UpstreamProtocol::kHttp1);
}

bool Exchange::retry(const Error& error) {
  if (route_ == nullptr || !request_permit_) return false;
  outcome_ = error_info(error.code).reason;
  if (hops_ != nullptr) return retry_in_group(error);
  if (error.retry == Retry::kNo || !may_repeat()) return false;
  return begin_retry(upstream::judge_error(route_->retry(), error, request_.method));
}

// The response's connection is given up with its attempt, so this looks first whether a retry will
// follow.
bool Exchange::retry_answer(const ResponseHead& head) {
  if (hops_ != nullptr) note_answer(head);
  const auto verdict = upstream::judge_status(route_->retry(), head.status, request_.method);
  if (verdict == upstream::RetryVerdict::kNo) return false;
  outcome_ = number_text(head.status);
  // Who says when to come back, or is a weir that has done what can be done, is not asked again.
  const bool stays = !asks_to_wait(head.headers) && !refused_by_weir(head);
  if (back_to_other()) return true;
  if (!could_repeat(stays)) return false;
  return keep_answer(head, verdict, stays) || repeat_for_answer(verdict, stays);
}

bool Exchange::could_repeat(bool stays) const {
  if (nested_attempt_ > 1) return false;
  return hops_ != nullptr ? may_send_again() && (stays || could_hop()) : stays && may_repeat();
}

bool Exchange::repeat_for_answer(upstream::RetryVerdict verdict, bool stays) {
  if (hops_ != nullptr) return retry_or_hop(verdict, upstream::HopReason::kAnswer, stays);
  return stays && may_repeat() && begin_retry(verdict);
}

bool Exchange::begin_retry(upstream::RetryVerdict verdict) {
  if (verdict == upstream::RetryVerdict::kNo) return false;
  // One exchange is one retry in flight, however many it has made.
  retry_permit_.release();
  upstream::RetryPermit permit;
  if (!take_repetition(verdict, permit)) return false;
  note_attempt(attempt_, outcome_);
  // Nothing was sent: another endpoint can be tried at once, the origin has felt nothing.
  const bool at_once = verdict == upstream::RetryVerdict::kFree && attempts_ == 1;
  const Duration delay =
      at_once ? Duration::zero()
              : upstream::retry_delay(route_->retry().backoff, attempts_ - 1, worker_.rng());
  repeat(std::move(permit), delay);
  return true;
}

void Exchange::repeat(upstream::RetryPermit permit, Duration delay) {
  attempt_.end();
  retry_permit_ = std::move(permit);
  held_sent_ = 0;
  request_end_sent_ = false;
  // The request was read to its end, or its body waits here: either way the step is the lease
  // again.
  step_ = Step::kLease;
  worker_.loop().arm(backoff_timer_, delay);
}

void Exchange::on_backoff_over() {
  if (fault_waits_) {
    on_fault_over();
  } else if (keeps_answer()) {
    stop_keeping();
  } else {
    advance();
  }
  flush();
}

}  // namespace weir::proxy
