// SPDX-License-Identifier: Apache-2.0
#include "upstream/recent_latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace weir::upstream {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RecentLatencyTest : public testing::Test {
 protected:
  void note(Duration latency, int times = 1) {
    for (int i = 0; i < times; ++i) latency_.note(latency, clock_.now());
  }

  FakeClock clock_;
  RecentLatency latency_;
};

TEST_F(RecentLatencyTest, KnowsNothingUntilItHasEnough) {
  note(milliseconds(5), RecentLatency::kLeast - 1);
  EXPECT_FALSE(latency_.percentile(95));
  note(milliseconds(5));
  EXPECT_TRUE(latency_.percentile(95));
}

TEST_F(RecentLatencyTest, IsAtOrALittleAboveThePercentile) {
  base::Rng rng(3);
  std::vector<microseconds> all;
  for (int i = 0; i < 5'000; ++i) {
    all.push_back(microseconds(1 + rng.next() % (1ULL << (4 + rng.next() % 20))));
    note(all.back());
  }
  std::ranges::sort(all);
  for (const std::uint32_t percent : {50U, 90U, 95U, 99U}) {
    const auto exact = all[all.size() * percent / 100 - 1];
    const auto told = latency_.percentile(percent);
    ASSERT_TRUE(told);
    EXPECT_GE(*told, exact) << percent;
    EXPECT_LE(*told, exact + exact / 8 + microseconds(2)) << percent;
  }
}

TEST_F(RecentLatencyTest, OneInTwentyIsNotBelowTheNinetyFifth) {
  note(milliseconds(1), 960);
  note(seconds(1), 40);
  EXPECT_LT(*latency_.percentile(95), milliseconds(2));
  EXPECT_GT(*latency_.percentile(97), milliseconds(900));
}

TEST_F(RecentLatencyTest, OldTimesFade) {
  note(seconds(2), 1000);
  EXPECT_GT(*latency_.percentile(95), seconds(1));
  for (int i = 0; i < 8; ++i) {
    clock_.advance(RecentLatency::kHalfLife);
    note(milliseconds(3), 200);
  }
  EXPECT_LT(*latency_.percentile(95), milliseconds(4));
}

TEST_F(RecentLatencyTest, AfterALongSilenceItKnowsNothing) {
  note(milliseconds(5), 1000);
  clock_.advance(seconds(3600));
  note(milliseconds(5));
  EXPECT_FALSE(latency_.percentile(95));
}

TEST_F(RecentLatencyTest, WhatIsOutOfRangeCountsAsTheEnds) {
  note(Duration(-5), 60);
  note(std::chrono::hours(10), 60);
  EXPECT_LE(*latency_.percentile(50), microseconds(1));
  EXPECT_GE(*latency_.percentile(99), seconds(100));
}

}  // namespace
}  // namespace weir::upstream
