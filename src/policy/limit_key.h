// SPDX-License-Identifier: Apache-2.0
// The key of a bucket: SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012) of each of a limit's
// dimension values, under a secret of the process, joined into one. Whoever chooses tenants or
// headers can neither aim at another's bucket nor at one place of a table. Two keys that meet are
// one in 2^128. A name is hashed once a request, whatever counts by it alone or with others.
// Values; any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "base/short_load.h"

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
    word((bytes_ + tail.size()) << 56 | base::load_short(tail));
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

inline LimitKey key_of_name(const KeySecret& secret, std::string_view name) {
  SipHasher sip(secret);
  for (; name.size() >= 8; name.remove_prefix(8)) sip.word(base::load_short(name.substr(0, 8)));
  return sip.finish(name);
}

/// A name that requests are counted by, with its key: all tables that know it are asked with this.
struct CountedName {
  std::string_view text;
  LimitKey key;

  static CountedName make(const KeySecret& secret, std::string_view text) {
    return {text, key_of_name(secret, text)};
  }
};

/// Joins the keys of dimension values in their order: the key of one value is its own, and none
/// are the key of nothing.
class KeyJoiner {
 public:
  void add(const LimitKey& value) {
    key_ = count_++ == 0 ? value : LimitKey{join(key_.lo, value.lo), join(key_.hi, value.hi)};
  }
  LimitKey finish() const { return key_; }

 private:
  // The factor tells apart in which order values come. Mixed, so that sums which lie close together
  // do not: who has found two neighbours among functions has not found them for every tenant.
  static std::uint64_t join(std::uint64_t before, std::uint64_t value) {
    return base::mix64(before * 0x9e3779b97f4a7c15ULL + value);
  }

  LimitKey key_;
  std::uint32_t count_ = 0;
};

}  // namespace weir::policy
