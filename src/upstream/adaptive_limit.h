// SPDX-License-Identifier: Apache-2.0
// How many requests a cluster is given at once, found from its latency, after Netflix's Gradient2
// and without a probe of the least latency: a short mean over a long one is the gradient, and the
// limit follows it. Lowered only when it was really used: latency that rises while few requests are
// under way is the cluster's own affair, and a lower limit would not help.
//
// The latency is to the response's head; what weir refuses itself is no sample and no failure.
// Shared by all workers, of the process. Threads: configure() the control thread, the others any.
#pragma once

#include <weir/clock.h>
#include <weir/overload_config.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>

namespace weir::upstream {

class AdaptiveLimit {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr Duration kWindow = std::chrono::milliseconds(250);
  static constexpr std::uint32_t kLeastSamples = 10;

  /// The limit that was found stays, within the new bounds. nullopt: off.
  void configure(const std::optional<AdaptiveConcurrencyConfig>& config);
  bool enabled() const { return limit_.load(std::memory_order_relaxed) != kNone; }
  /// kNone: off.
  std::uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  /// An attempt was answered, or given up as too slow, after `latency`, with `in_flight` requests
  /// at the cluster. Requires nothing; ignored when off.
  void on_sample(Duration latency, std::uint32_t in_flight, TimePoint now);

 private:
  void close_window();

  std::atomic<std::uint32_t> limit_{kNone};
  std::atomic<std::uint32_t> min_{0};
  std::atomic<std::uint32_t> max_{0};
  alignas(64) std::atomic<std::uint64_t> sum_us_{0};
  std::atomic<std::uint32_t> samples_{0};
  std::atomic<std::uint32_t> peak_{0};       ///< In flight, of this window.
  std::atomic<std::int64_t> window_end_{0};  ///< Steady clock, ns.
  std::atomic<bool> closing_{false};         ///< Somebody works on what follows.
  double long_us_ = 0;                       ///< Under closing_.
  double exact_ = 0;                         ///< The limit before it was rounded.
};

}  // namespace weir::upstream
