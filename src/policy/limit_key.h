// SPDX-License-Identifier: Apache-2.0
// The key of a bucket: SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012) of a limit's dimension
// values, under a secret of the process. Whoever chooses tenants or headers can neither aim at
// another's bucket nor at one place of a table. Two keys that meet are one in 2^128.
// Values; any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::policy {

struct LimitKey {
  std::uint64_t lo = 0;
  std::uint64_t hi = 0;
  bool operator==(const LimitKey&) const = default;
};

/// From the kernel's generator, once a process.
struct KeySecret {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

/// SipHash over 64-bit words, with 128 bits out.
class SipHasher {
 public:
  explicit SipHasher(const KeySecret& secret)
      : v0_(secret.k0 ^ 0x736f6d6570736575ULL),
        v1_(secret.k1 ^ 0x646f72616e646f6dULL ^ 0xee),
        v2_(secret.k0 ^ 0x6c7967656e657261ULL),
        v3_(secret.k1 ^ 0x7465646279746573ULL) {}

  void word(std::uint64_t m) {
    v3_ ^= m;
    round();
    round();
    v0_ ^= m;
    bytes_ += 8;
  }
  /// `tail`: the last bytes of the message, fewer than eight.
  LimitKey finish(std::string_view tail = {}) {
    std::uint64_t last = (bytes_ + tail.size()) << 56;
    for (std::size_t i = 0; i < tail.size(); ++i) {
      last |= std::uint64_t{static_cast<unsigned char>(tail[i])} << (8 * i);
    }
    word(last);
    v2_ ^= 0xee;
    for (int i = 0; i < 4; ++i) round();
    LimitKey key;
    key.lo = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    for (int i = 0; i < 4; ++i) round();
    key.hi = v0_ ^ v1_ ^ v2_ ^ v3_;
    return key;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
  std::uint64_t bytes_ = 0;
};

/// Hashes dimension values in their order. Each goes in as its length and its bytes, so that
/// {"ab", "c"} and {"a", "bc"} differ.
class KeyHasher {
 public:
  explicit KeyHasher(const KeySecret& secret) : sip_(secret) {}

  void add(std::string_view value) {
    // The first four bytes share a word with the length: short names take one word fewer.
    const std::size_t first = std::min<std::size_t>(value.size(), 4);
    sip_.word(static_cast<std::uint32_t>(value.size()) | load(value.substr(0, first)) << 32);
    for (value.remove_prefix(first); value.size() >= 8; value.remove_prefix(8)) {
      sip_.word(load(value.substr(0, 8)));
    }
    if (!value.empty()) sip_.word(load(value));
  }
  LimitKey finish() { return sip_.finish(); }

 private:
  // Up to eight bytes, the first lowest. Loads that overlap write the same bytes twice.
  static std::uint64_t load(std::string_view bytes) {
    const char* const data = bytes.data();
    const std::size_t size = bytes.size();
    if (size >= 4) {
      std::uint32_t low = 0;
      std::uint32_t high = 0;
      std::memcpy(&low, data, 4);
      std::memcpy(&high, data + size - 4, 4);
      return low | std::uint64_t{high} << (8 * (size - 4));
    }
    if (size == 0) return 0;
    const auto at = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
    };
    return at(0) | at(size / 2) | at(size - 1);
  }

  SipHasher sip_;
};

}  // namespace weir::policy
