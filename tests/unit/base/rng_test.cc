// SPDX-License-Identifier: Apache-2.0
#include "base/rng.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(RngTest, OneSeedOneSequence) {
  Rng a(1), b(1), c(2);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    uint64_t n = a.next();
    EXPECT_EQ(n, b.next());
    differs |= n != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(RngTest, BelowStaysBelowAndIsEven) {
  Rng rng(3);
  int counts[7] = {};
  for (int i = 0; i < 70'000; ++i) {
    uint32_t n = rng.below(7);
    ASSERT_LT(n, 7U);
    ++counts[n];
  }
  for (int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(rng.below(1), 0U);
}

}  // namespace
}  // namespace weir::base
