// SPDX-License-Identifier: Apache-2.0
#include "upstream/adaptive_limit.h"

#include <algorithm>
#include <cmath>

namespace weir::upstream {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Gradient2's own values, but for the long window: 600 samples there, 240 windows (a minute) here.
constexpr double kTolerance = 1.5;
constexpr double kSmoothing = 0.2;
constexpr double kLongWindow = 1.0 / 240;
constexpr double kLeastGradient = 0.5;
// A long mean that lies far above the short one remembers an overload that is over.
constexpr double kForget = 0.95;
// Of the limit: less in flight has not met it.
constexpr double kUsed = 0.8;

void raise(std::atomic<std::uint32_t>& peak, std::uint32_t to) {
  std::uint32_t now = peak.load(kRelaxed);
  while (now < to && !peak.compare_exchange_weak(now, to, kRelaxed, kRelaxed)) {
  }
}

}  // namespace

void AdaptiveLimit::configure(const std::optional<AdaptiveConcurrencyConfig>& config) {
  if (!config) return limit_.store(kNone, kRelaxed);
  min_.store(config->min, kRelaxed);
  max_.store(config->max, kRelaxed);
  const std::uint32_t now = limit_.load(kRelaxed);
  limit_.store(std::clamp(now == kNone ? config->initial : now, config->min, config->max),
               kRelaxed);
}

void AdaptiveLimit::on_sample(Duration latency, std::uint32_t in_flight, TimePoint now) {
  if (!enabled()) return;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  sum_us_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 1)), kRelaxed);
  samples_.fetch_add(1, kRelaxed);
  raise(peak_, in_flight);
  const std::int64_t at = now.time_since_epoch().count();
  std::int64_t end = window_end_.load(kRelaxed);
  if (at < end || samples_.load(kRelaxed) < kLeastSamples) return;
  if (closing_.exchange(true, std::memory_order_acquire)) return;
  if (window_end_.load(kRelaxed) == end) {
    close_window();
    window_end_.store(at + kWindow.count(), kRelaxed);
  }
  closing_.store(false, std::memory_order_release);
}

// Samples that come meanwhile fall to this window or the next: both are right.
void AdaptiveLimit::close_window() {
  const std::uint32_t count = samples_.exchange(0, kRelaxed);
  const std::uint64_t sum = sum_us_.exchange(0, kRelaxed);
  const std::uint32_t peak = peak_.exchange(0, kRelaxed);
  if (count == 0) return;
  const double short_us = static_cast<double>(sum) / count;
  long_us_ = long_us_ == 0 ? short_us : long_us_ + kLongWindow * (short_us - long_us_);
  if (long_us_ > 2 * short_us) long_us_ *= kForget;
  std::uint32_t limit = limit_.load(kRelaxed);
  if (limit == kNone || peak < kUsed * limit) return;
  if (static_cast<std::uint32_t>(std::lround(exact_)) != limit) exact_ = limit;
  const double gradient = std::clamp(kTolerance * long_us_ / short_us, kLeastGradient, 1.0);
  // The root is the queue that is granted: without one the limit could never grow.
  const double next = exact_ * gradient + std::sqrt(exact_);
  exact_ = std::clamp(exact_ + kSmoothing * (next - exact_), double(min_.load(kRelaxed)),
                      double(max_.load(kRelaxed)));
  // A reload may have turned it off meanwhile.
  limit_.compare_exchange_strong(limit, static_cast<std::uint32_t>(std::lround(exact_)), kRelaxed);
}

}  // namespace weir::upstream
