// SPDX-License-Identifier: Apache-2.0
// A small fast generator for load balancing and jitter. Not for secrets.
// One thread.
#pragma once

#include <cstdint>

namespace weir::base {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}
  /// SplitMix64 (Steele, Lea, Flood 2014).
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), without a division (Lemire 2019; the bias is below 2^-32).
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }

 private:
  uint64_t state_;
};

}  // namespace weir::base
