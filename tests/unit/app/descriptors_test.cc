// SPDX-License-Identifier: Apache-2.0
#include "app/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace weir::app {
namespace {

TEST(Descriptors, AreRaisedToTheHardLimit) {
  const uint64_t now = raise_descriptor_limit();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
  EXPECT_EQ(now, limit.rlim_max);
}

TEST(Descriptors, AutoLeavesHalfForTheUpstreamSide) {
  const uint32_t all = automatic_max_connections(100'000, 1);
  EXPECT_LE(all * 2, 100'000U);
  EXPECT_GE(all * 2, 99'000U);
  EXPECT_LE(automatic_max_connections(100'000, 4) * 4, all);
}

TEST(Descriptors, AutoIsNeverNothingAndNeverTooMuch) {
  EXPECT_GE(automatic_max_connections(0, 1), 1U);
  EXPECT_GE(automatic_max_connections(64, 100), 1U);
  EXPECT_EQ(automatic_max_connections(UINT64_MAX, 1), UINT32_MAX);
  EXPECT_GT(automatic_max_connections(1'000'000, 0), 0U);
}

}  // namespace
}  // namespace weir::app
