// SPDX-License-Identifier: Apache-2.0
// Counters and histograms that one thread writes and others read at scrape: plain words, no locked
// instruction. Relaxed atomics make the reads well defined and cost nothing on the writer's side.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::base {

/// One writer thread, any readers. Never goes down.
class Counter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// One writer thread, any readers. Goes both ways; the sum over workers is what counts.
class Gauge {
 public:
  void add(int64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(int64_t n = 1) { add(-n); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

/// Counts microseconds in powers of two: bucket i holds values below 2^i us, the last one all
/// others.
class LatencyHistogram {
 public:
  static constexpr size_t kBuckets = 27;  // 2^25 us = 33 s, then "longer".

  void observe_us(uint64_t us) {
    size_t bucket = static_cast<size_t>(std::bit_width(us));
    buckets_[bucket < kBuckets ? bucket : kBuckets - 1].add();
    sum_us_.add(us);
  }
  uint64_t bucket(size_t i) const { return buckets_[i].value(); }
  /// Upper bound of bucket i in microseconds, for all but the last.
  static uint64_t bound_us(size_t i) { return uint64_t{1} << i; }
  uint64_t sum_us() const { return sum_us_.value(); }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_us_;
};

}  // namespace weir::base
