// SPDX-License-Identifier: Apache-2.0
// What answers have lately taken, as percentiles: log-linear buckets (the relative error is at most
// an eighth) whose counts are halved every few seconds, so that old times fade. It knows nothing
// until there are kLeast samples. One worker's; one thread.
#pragma once

#include <weir/clock.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir::upstream {

class RecentLatency {
 public:
  static constexpr std::uint32_t kLeast = 100;
  static constexpr Duration kHalfLife = std::chrono::seconds(10);

  void note(Duration latency, TimePoint now);
  /// At or a little above the latency below which `percent` of the recent ones lie; nullopt: there
  /// are too few. It may be some tens of samples late.
  std::optional<Duration> percentile(std::uint32_t percent);

 private:
  static constexpr unsigned kSubBits = 3;
  static constexpr std::size_t kOctaves = 27;  // To 134 s; all that is longer counts as that.
  static constexpr std::size_t kBuckets = kOctaves << kSubBits;
  static constexpr std::uint32_t kStale = 32;

  static std::size_t bucket_of(std::uint64_t us);
  static std::uint64_t bound_us(std::size_t bucket);
  void halve();

  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint32_t total_ = 0;
  TimePoint halved_at_{};
  // The last answer, which is good for kStale samples.
  std::uint32_t known_percent_ = 0;
  std::uint32_t since_known_ = 0;
  Duration known_{0};
};

}  // namespace weir::upstream
