// SPDX-License-Identifier: Apache-2.0
#include "policy/breaker.h"

#include <algorithm>

namespace weir::policy {
namespace {

using base::CallOutcome;
using base::OutcomeCounts;

constexpr std::uint64_t kWhole = Share::kWhole;
// While some are refused at random, and nothing fails any more, the share must fall all the same.
constexpr Duration kLookAgain = std::chrono::milliseconds(100);
// What a ramp lets in at first.
constexpr std::uint64_t kRampFrom = kWhole / 10;

bool reaches(std::uint64_t part, std::uint64_t whole, Share threshold) {
  return part != 0 && part * kWhole >= whole * threshold.ppm;
}

bool trips(const CircuitBreakerConfig& config, const OutcomeCounts& counts) {
  if (counts.calls < config.minimum_requests) return false;
  return reaches(counts.failures, counts.calls, config.failure_rate_threshold) ||
         reaches(counts.slow, counts.calls, config.slow_call_rate_threshold);
}

}  // namespace

// ---- Before a call.

Breaker::Force Breaker::forced(TimePoint now) const {
  const Force force = force_.load(std::memory_order_relaxed);
  if (force == Force::kNone) return force;
  return ticks(now) < force_until_.load(std::memory_order_relaxed) ? force : Force::kNone;
}

bool Breaker::open(TimePoint now) const {
  const Force force = forced(now);
  if (force != Force::kNone) return force == Force::kOpen;
  return state() == BreakerState::kOpen && ticks(now) < until_.load(std::memory_order_relaxed);
}

Breaker::Verdict Breaker::admit(const CircuitBreakerConfig& config, TimePoint now, base::Rng& rng) {
  const Force force = forced(now);
  if (force == Force::kClosed) return Verdict::kPass;
  Verdict verdict = Verdict::kRefuse;
  if (force == Force::kNone) {
    switch (state()) {
      case BreakerState::kClosed:
      case BreakerState::kRamp:
        verdict = refused_at_random(config, now, rng) ? Verdict::kRefuse : Verdict::kPass;
        break;
      case BreakerState::kOpen:
      case BreakerState::kHalfOpen:
        verdict = admit_probe(config, now);
        break;
    }
  }
  if (verdict == Verdict::kRefuse) window_.record(CallOutcome::kRefused, now, slot(config));
  return verdict;
}

bool Breaker::refused_at_random(const CircuitBreakerConfig& config, TimePoint now, base::Rng& rng) {
  if (state() == BreakerState::kRamp) {
    const std::int64_t since = since_.load(std::memory_order_relaxed);
    const std::int64_t whole = until_.load(std::memory_order_relaxed) - since;
    if (ticks(now) - since >= whole) {
      close(now);
      return false;
    }
    const auto in = kWhole *
                    static_cast<std::uint64_t>(std::max<std::int64_t>(ticks(now) - since, 0)) /
                    static_cast<std::uint64_t>(whole);
    return rng.below(kWhole) >= std::max(in, kRampFrom);
  }
  if (refused_ppm_.load(std::memory_order_relaxed) == 0) return false;
  std::int64_t looked = looked_.load(std::memory_order_relaxed);
  if (ticks(now) - looked >= kLookAgain.count() &&
      looked_.compare_exchange_strong(looked, ticks(now), std::memory_order_relaxed)) {
    throttle(config, counts(config, now));
  }
  return rng.below(kWhole) < refused_ppm_.load(std::memory_order_relaxed);
}

Breaker::Verdict Breaker::admit_probe(const CircuitBreakerConfig& config, TimePoint now) {
  if (state() == BreakerState::kOpen) {
    if (ticks(now) < until_.load(std::memory_order_relaxed)) return Verdict::kRefuse;
    enter_half_open(now);
  }
  // Time without a probe gives no room for more of them.
  if (probes_.load(std::memory_order_relaxed) == 0) {
    since_.store(ticks(now), std::memory_order_relaxed);
  }
  // Probes that hang must not keep it half open for ever: after another open_duration as many more.
  const std::int64_t age = ticks(now) - since_.load(std::memory_order_relaxed);
  const std::int64_t rounds =
      1 + std::max<std::int64_t>(age, 0) /
              std::max<std::int64_t>(Duration(config.open_duration).count(), 1);
  const std::uint64_t room = static_cast<std::uint64_t>(rounds) * config.half_open_requests;
  if (probes_.fetch_add(1, std::memory_order_relaxed) < room) return Verdict::kProbe;
  probes_.fetch_sub(1, std::memory_order_relaxed);
  return Verdict::kRefuse;
}

Duration Breaker::retry_after(TimePoint now) const {
  const bool by_hand = forced(now) == Force::kOpen;
  const auto& end = by_hand ? force_until_ : until_;
  const Duration left{end.load(std::memory_order_relaxed) - ticks(now)};
  return std::max<Duration>(left, std::chrono::seconds(1));
}

// ---- After a call.

void Breaker::record(const CircuitBreakerConfig& config, CallOutcome outcome, TimePoint now,
                     const ExplainedBy* children) {
  window_.record(outcome, now, slot(config));
  switch (state()) {
    case BreakerState::kHalfOpen:
      return judge_probe(config, outcome, now);
    case BreakerState::kClosed:
    case BreakerState::kRamp:
      // Only what is bad can trip it.
      if (outcome != CallOutcome::kSuccess) judge_window(config, now, children);
      return;
    case BreakerState::kOpen:
      return;
  }
}

void Breaker::withdraw(const CircuitBreakerConfig& config, const CallEnd& end) {
  const CallOutcome outcome = end.judged(config);
  window_.withdraw(outcome, end.at, slot(config));
  // What began before is no probe of this time.
  const bool probed =
      state() == BreakerState::kHalfOpen && ticks(end.at) >= since_.load(std::memory_order_relaxed);
  if (!probed) return;
  const std::lock_guard lock(mutex_);
  if (probes_ended_ <= probes_failed_) return;
  --probes_ended_;
  if (outcome == CallOutcome::kSlow && probes_slow_ > 0) --probes_slow_;
}

void Breaker::judge_window(const CircuitBreakerConfig& config, TimePoint now,
                           const ExplainedBy* children) {
  const OutcomeCounts all = counts(config, now);
  if (all.calls < config.minimum_requests) return;
  OutcomeCounts left = all;
  if (children != nullptr &&
      (trips(config, all) || reaches(all.failures, all.calls, config.throttle_threshold))) {
    left = all.without(children->explained(all, now));
  }
  if (!trips(config, left)) return throttle(config, left);
  const std::lock_guard lock(mutex_);
  const BreakerState seen = state();
  if (seen == BreakerState::kClosed || seen == BreakerState::kRamp) enter_open(config, now, left);
}

void Breaker::throttle(const CircuitBreakerConfig& config, const OutcomeCounts& left) {
  std::uint64_t ppm = 0;
  const std::uint64_t from = config.throttle_threshold.ppm;
  if (from != 0 && from < kWhole && left.calls >= config.minimum_requests &&
      reaches(left.failures, left.calls, config.throttle_threshold)) {
    const std::uint64_t requests = left.calls + left.refused;
    const std::uint64_t accepts = (left.calls - left.failures) * kWhole / (kWhole - from);
    if (requests > accepts) ppm = (requests - accepts) * kWhole / (requests + 1);
  }
  refused_ppm_.store(static_cast<std::uint32_t>(ppm), std::memory_order_relaxed);
}

void Breaker::judge_probe(const CircuitBreakerConfig& config, CallOutcome outcome, TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (state() != BreakerState::kHalfOpen) return;
  ++probes_ended_;
  if (outcome == CallOutcome::kFailure) ++probes_failed_;
  if (outcome == CallOutcome::kSlow) ++probes_slow_;
  const std::uint32_t of = config.half_open_requests;
  if (reaches(probes_failed_, of, config.failure_rate_threshold) ||
      reaches(probes_slow_, of, config.slow_call_rate_threshold)) {
    return enter_open(config, now, {probes_ended_, probes_failed_, probes_slow_, 0});
  }
  if (probes_ended_ >= of) enter_ramp(config, now);
}

// ---- Transitions.

void Breaker::enter(BreakerState state, TimePoint now, TimePoint until) {
  since_.store(ticks(now), std::memory_order_relaxed);
  until_.store(ticks(until), std::memory_order_relaxed);
  refused_ppm_.store(0, std::memory_order_relaxed);
  state_.store(state, std::memory_order_release);
  ++changes_;
}

void Breaker::enter_open(const CircuitBreakerConfig& config, TimePoint now,
                         const OutcomeCounts& on) {
  // One that stayed closed for as long as the longest opening begins anew.
  const bool calm =
      state() == BreakerState::kClosed && ticks(now) - since_.load(std::memory_order_relaxed) >
                                              Duration(config.max_open_duration).count();
  openings_ = calm ? 1 : openings_ + 1;
  Duration wait = config.open_duration;
  for (std::uint32_t i = 1; i < openings_ && wait < config.max_open_duration; ++i) wait *= 2;
  cause_ = on;
  enter(BreakerState::kOpen, now, now + std::min<Duration>(wait, config.max_open_duration));
}

void Breaker::enter_half_open(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (state() != BreakerState::kOpen) return;
  probes_ended_ = 0;
  probes_failed_ = 0;
  probes_slow_ = 0;
  enter(BreakerState::kHalfOpen, now, now);
}

void Breaker::enter_ramp(const CircuitBreakerConfig& config, TimePoint now) {
  // What failed before it opened must not open it again.
  window_.clear();
  enter(BreakerState::kRamp, now, now + config.open_duration);
}

void Breaker::close(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (state() == BreakerState::kRamp) enter(BreakerState::kClosed, now, now);
}

void Breaker::force(std::optional<BreakerState> state, TimePoint until) {
  const std::lock_guard lock(mutex_);
  force_until_.store(ticks(until), std::memory_order_relaxed);
  Force force = Force::kNone;
  if (state) force = *state == BreakerState::kOpen ? Force::kOpen : Force::kClosed;
  force_.store(force, std::memory_order_relaxed);
  ++changes_;
}

Breaker::Reading Breaker::read(const CircuitBreakerConfig& config, TimePoint now) const {
  const std::lock_guard lock(mutex_);
  Reading out;
  out.state = state();
  out.refused_ppm = refused_ppm_.load(std::memory_order_relaxed);
  out.changes = changes_;
  out.window = counts(config, now);
  out.cause = cause_;
  Duration left{until_.load(std::memory_order_relaxed) - ticks(now)};
  if (const Force force = forced(now); force != Force::kNone) {
    out.forced = true;
    out.state = force == Force::kOpen ? BreakerState::kOpen : BreakerState::kClosed;
    left = Duration{force_until_.load(std::memory_order_relaxed) - ticks(now)};
  } else if (out.state != BreakerState::kOpen && out.state != BreakerState::kRamp) {
    left = Duration{0};
  }
  out.until = std::max(left, Duration{0});
  return out;
}

}  // namespace weir::policy
