// SPDX-License-Identifier: Apache-2.0
#include "policy/limit_key.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <utility>

namespace weir::policy {
namespace {

constexpr KeySecret kReference{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

// The reference implementation's test vectors (vectors_sip128): key 00..0f, message 00, 01, ...
TEST(SipHasher, MatchesTheReferenceVectors) {
  EXPECT_EQ(SipHasher(kReference).finish(), (LimitKey{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(SipHasher(kReference).finish(std::string_view("\0", 1)),
            (LimitKey{0x44af996bd8c187da, 0x45fc229b11597634}));
  SipHasher eight(kReference);
  eight.word(0x0706050403020100ULL);
  EXPECT_EQ(eight.finish(), (LimitKey{0x61f55862baa9623b, 0xb49714f364e2830f}));
  SipHasher fifteen(kReference);
  fifteen.word(0x0706050403020100ULL);
  EXPECT_EQ(fifteen.finish("\x08\x09\x0a\x0b\x0c\x0d\x0e"),
            (LimitKey{0x11a8b03399e99354, 0xd9c3cf970fec087e}));
}

LimitKey key_of(std::initializer_list<std::string_view> values, KeySecret secret = kReference) {
  KeyJoiner joiner;
  for (const std::string_view value : values) joiner.add(key_of_name(secret, value));
  return joiner.finish();
}

TEST(KeyJoiner, TellsApartWhereAValueEnds) {
  EXPECT_NE(key_of({"ab", "c"}), key_of({"a", "bc"}));
  EXPECT_NE(key_of({"abc", ""}), key_of({"", "abc"}));
  EXPECT_NE(key_of({"abc"}), key_of({"abc", ""}));
  EXPECT_NE(key_of({std::string_view("a\0", 2)}), key_of({"a"}));
}

TEST(KeyJoiner, TheKeyOfOneNameIsItsOwn) {
  EXPECT_EQ(key_of({"acme"}), key_of_name(kReference, "acme"));
}

TEST(KeyJoiner, DependsOnTheOrder) {
  EXPECT_NE(key_of({"a", "b"}), key_of({"b", "a"}));
  EXPECT_NE(key_of({"a", "b", "c"}), key_of({"a", "c", "b"}));
}

// Each pair has a place of its own, and neighbours among functions are none of another tenant's.
TEST(KeyJoiner, PairsOfFewNamesSpreadAsManyNamesDo) {
  constexpr std::size_t kPlaces = 64;
  std::array<int, kPlaces> low{};
  std::array<int, kPlaces> high{};
  for (int tenant = 0; tenant < 80; ++tenant) {
    for (int function = 0; function < 80; ++function) {
      const LimitKey key = key_of({"t" + std::to_string(tenant), "f" + std::to_string(function)});
      ++low[(key.lo & UINT32_MAX) * kPlaces >> 32];
      ++high[key.hi >> 58];
    }
  }
  for (std::size_t i = 0; i < kPlaces; ++i) {
    EXPECT_NEAR(low[i], 100, 50) << i;
    EXPECT_NEAR(high[i], 100, 50) << i;
  }
}

TEST(KeyJoiner, DependsOnEveryByteAtEveryLength) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string base(length, 'x');
    const LimitKey whole = key_of({base});
    EXPECT_TRUE(seen.emplace(whole.lo, whole.hi).second);
    for (std::size_t i = 0; i < length; ++i) {
      std::string other = base;
      other[i] = 'y';
      const LimitKey key = key_of({other});
      EXPECT_TRUE(seen.emplace(key.lo, key.hi).second) << length << " " << i;
    }
  }
}

TEST(KeyJoiner, AnotherSecretGivesOtherKeys) {
  EXPECT_NE(key_of({"acme"}), key_of({"acme"}, {1, 2}));
}

}  // namespace
}  // namespace weir::policy
