// SPDX-License-Identifier: Apache-2.0
//
// What the load generator measures with: a latency histogram and a reader of the proxy's CPU time.
// Both are fixed-size and single-threaded; neither is used by weir.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::bench {

// Microseconds in log-linear buckets: 64 to each power of two, so a quantile is right within 1.6 %.
class Histogram {
 public:
  void add(uint64_t micros) {
    ++counts_[index(micros)];
    ++total_;
    if (micros > max_) max_ = micros;
  }
  void clear() { *this = Histogram{}; }
  uint64_t total() const { return total_; }
  uint64_t max() const { return max_; }

  // The value that the share `q` of all samples does not exceed.
  uint64_t quantile(double q) const {
    uint64_t left = static_cast<uint64_t>(q * static_cast<double>(total_));
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > left) return value(i);
      left -= counts_[i];
    }
    return max_;
  }

 private:
  static constexpr unsigned kBits = 6;
  static size_t index(uint64_t v) {
    if (v < (1u << kBits)) return v;
    const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - 1 - kBits;
    const size_t at = ((shift + 1) << kBits) + ((v >> shift) - (1u << kBits));
    return at < kBuckets ? at : kBuckets - 1;
  }
  static uint64_t value(size_t at) {
    if (at < (1u << kBits)) return at;
    const unsigned shift = static_cast<unsigned>(at >> kBits) - 1;
    return ((at & ((1u << kBits) - 1)) + (1u << kBits)) << shift;
  }

  static constexpr size_t kBuckets = 32 << kBits;
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

// CPU time of a set of processes and business of one core, read from /proc.
struct CpuSample {
  uint64_t process_ns = 0;  // user + system of all threads, nanoseconds (schedstat)
  uint64_t core_busy = 0;   // ticks
  uint64_t core_total = 0;  // ticks
};

class CpuWatch {
 public:
  // `pids`: comma-separated, all of the proxy's processes. `core`: where they are pinned.
  CpuWatch(const std::string& pids, int core);
  CpuSample read() const;

 private:
  std::vector<std::string> pids_;
  int core_;
};

}  // namespace weir::bench
