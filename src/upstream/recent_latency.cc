// SPDX-License-Identifier: Apache-2.0
#include "upstream/recent_latency.h"

#include <algorithm>
#include <bit>

namespace weir::upstream {

// Eight buckets an octave: the three bits behind the highest one.
std::size_t RecentLatency::bucket_of(std::uint64_t us) {
  constexpr std::uint64_t kLinear = 1U << kSubBits;
  if (us < kLinear) return us;
  const auto octave = static_cast<unsigned>(std::bit_width(us)) - 1 - kSubBits;
  const std::size_t bucket = ((octave + 1) << kSubBits) + ((us >> octave) & (kLinear - 1));
  return std::min(bucket, kBuckets - 1);
}

// The first microsecond above the bucket.
std::uint64_t RecentLatency::bound_us(std::size_t bucket) {
  constexpr std::uint64_t kLinear = 1U << kSubBits;
  if (bucket < kLinear) return bucket + 1;
  const std::uint64_t octave = (bucket >> kSubBits) - 1;
  return (kLinear + (bucket & (kLinear - 1)) + 1) << octave;
}

void RecentLatency::note(Duration latency, TimePoint now) {
  if (now - halved_at_ >= kHalfLife) {
    // Of whoever was away for long nothing is left, however long it was.
    const bool stale = now - halved_at_ >= 16 * kHalfLife;
    if (stale) counts_.fill(0);
    halve();
    halved_at_ = now;
  }
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  ++counts_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)))];
  ++total_;
  ++since_known_;
}

void RecentLatency::halve() {
  total_ = 0;
  for (std::uint32_t& count : counts_) {
    count /= 2;
    total_ += count;
  }
  since_known_ = kStale;
}

std::optional<Duration> RecentLatency::percentile(std::uint32_t percent) {
  if (total_ < kLeast) return std::nullopt;
  if (percent == known_percent_ && since_known_ < kStale) return known_;
  const std::uint64_t below = std::uint64_t{total_} * percent;
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  for (; bucket + 1 < kBuckets; ++bucket) {
    seen += std::uint64_t{counts_[bucket]} * 100;
    if (seen >= below) break;
  }
  known_percent_ = percent;
  since_known_ = 0;
  known_ = std::chrono::microseconds(bound_us(bucket));
  return known_;
}

}  // namespace weir::upstream
