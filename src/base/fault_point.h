// SPDX-License-Identifier: Apache-2.0
// A place where operators may inject faults for a drill: what shall happen to which part of the
// requests that pass here, in one word, so that passing it without a drill costs one relaxed load.
// It knows nothing of requests, and not how long it lasts. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::base {

struct Fault {
  static constexpr std::uint32_t kAll = 10'000;  ///< For Fault::share.

  std::uint32_t delay_ms = 0;  ///< Below 2^22; 0: none.
  std::uint16_t abort = 0;     ///< The status that weir answers itself; 0: it goes on.
  std::uint32_t share = 0;     ///< Of the requests, in hundredths of a percent; 0: no fault.
};

class FaultPoint {
 public:
  bool armed() const { return word_.load(std::memory_order_relaxed) != 0; }
  Fault load() const {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return {static_cast<std::uint32_t>(word & kDelayMask),
            static_cast<std::uint16_t>((word >> kDelayBits) & kAbortMask),
            static_cast<std::uint32_t>(word >> (kDelayBits + kAbortBits))};
  }
  /// A share of 0 disarms it.
  void set(const Fault& fault) {
    const std::uint64_t word = (std::uint64_t{fault.share} << (kDelayBits + kAbortBits)) |
                               ((fault.abort & kAbortMask) << kDelayBits) |
                               (fault.delay_ms & kDelayMask);
    word_.store(fault.share == 0 ? 0 : word, std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned kDelayBits = 22;
  static constexpr unsigned kAbortBits = 10;
  static constexpr std::uint64_t kDelayMask = (1U << kDelayBits) - 1;
  static constexpr std::uint64_t kAbortMask = (1U << kAbortBits) - 1;

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace weir::base
