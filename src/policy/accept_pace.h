// SPDX-License-Identifier: Apache-2.0
// How fast connections are taken from a listener, by all workers together: a GCRA in one word. What
// comes faster is not refused but waits in the kernel's queue, so nothing is charged for asking:
// look, take one, then say so. Two workers that look at once may both take; the second is charged
// all the same, and the next waits the longer for it. Any thread.
#pragma once

#include <weir/clock.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace weir::policy {

class AcceptPace {
 public:
  /// For how long to take none: zero, at most a second. `rate`: connections a second; 0 no limit.
  Duration wait(TimePoint now, std::uint32_t rate) const {
    if (rate == 0) return {};
    const std::int64_t over = due_.load(std::memory_order_relaxed) + step(rate) - burst(rate) -
                              now.time_since_epoch().count();
    // Short waits are bundled: a wake-up for each connection would cost more than it.
    return over <= 0 ? Duration::zero() : std::clamp(Duration(over), kShortest, kLongest);
  }
  /// One was taken.
  void took(TimePoint now, std::uint32_t rate) {
    if (rate == 0) return;
    const std::int64_t time = now.time_since_epoch().count();
    std::int64_t due = due_.load(std::memory_order_relaxed);
    while (!due_.compare_exchange_weak(due, std::max(due, time) + step(rate),
                                       std::memory_order_relaxed)) {
    }
  }

 private:
  static constexpr Duration kShortest = std::chrono::milliseconds(5);
  static constexpr Duration kLongest = std::chrono::seconds(1);
  static constexpr std::int64_t kSecond = 1'000'000'000;

  static std::int64_t step(std::uint32_t rate) { return kSecond / rate; }
  /// A tenth of a second's connections may come at once; one always may.
  static std::int64_t burst(std::uint32_t rate) { return std::max(kSecond / 10, step(rate)); }

  std::atomic<std::int64_t> due_{0};  ///< When the connections taken so far were due, ns.
};

}  // namespace weir::policy
