// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::base {
namespace {

TEST(Hash, NeverChanges) {
  // Consistent hashing places keys by these: another value here moves them in every fleet.
  EXPECT_EQ(hash64(""), 0ULL);
  EXPECT_EQ(hash64("a"), 3764562023654139118ULL);
  EXPECT_EQ(hash64("weir"), 4740737356744254994ULL);
  EXPECT_EQ(hash64("12345678"), 16321200685253250920ULL);
  EXPECT_EQ(hash64("user-1000000", 42), 2711315685811617143ULL);
}

TEST(Hash, DependsOnEveryByteLengthAndSeed) {
  std::set<uint64_t> seen;
  std::string text(40, 'x');
  for (size_t n = 0; n <= text.size(); ++n) {
    EXPECT_TRUE(seen.insert(hash64(std::string_view(text).substr(0, n))).second) << n;
  }
  for (size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = 'y';
    EXPECT_TRUE(seen.insert(hash64(other)).second) << at;
  }
  EXPECT_TRUE(seen.insert(hash64(text, 1)).second);
  EXPECT_NE(hash64(std::string(3, '\0')), hash64(std::string(4, '\0')));
}

TEST(Hash, SpreadsEvenlyOverLowBits) {
  int buckets[64] = {};
  for (int i = 0; i < 64'000; ++i) ++buckets[hash64("key-" + std::to_string(i)) % 64];
  for (int count : buckets) {
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1200);
  }
}

}  // namespace
}  // namespace weir::base
