// SPDX-License-Identifier: Apache-2.0
#include "upstream/adaptive_limit.h"

#include <gtest/gtest.h>

namespace weir::upstream {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class AdaptiveLimitTest : public testing::Test {
 protected:
  void SetUp() override { limit_.configure(AdaptiveConcurrencyConfig{10, 500, 100}); }

  // `windows` full of samples of one latency.
  void feed(int windows, Duration latency, std::uint32_t in_flight) {
    for (int i = 0; i < windows; ++i) {
      clock_.advance(AdaptiveLimit::kWindow);
      for (std::uint32_t n = 0; n < AdaptiveLimit::kLeastSamples; ++n) {
        limit_.on_sample(latency, in_flight, clock_.now());
      }
    }
  }
  // As many in flight as are let in.
  void feed_full(int windows, Duration latency) {
    for (int i = 0; i < windows; ++i) feed(1, latency, limit_.limit());
  }

  FakeClock clock_;
  AdaptiveLimit limit_;
};

TEST_F(AdaptiveLimitTest, OffItLimitsNothing) {
  limit_.configure(std::nullopt);
  feed(10, milliseconds(10), 100);
  EXPECT_FALSE(limit_.enabled());
  EXPECT_EQ(limit_.limit(), AdaptiveLimit::kNone);
}

TEST_F(AdaptiveLimitTest, ItBeginsWhereTheConfigSays) { EXPECT_EQ(limit_.limit(), 100U); }

TEST_F(AdaptiveLimitTest, UsedAtASteadyLatencyItGrowsToItsMost) {
  feed_full(400, milliseconds(10));
  EXPECT_EQ(limit_.limit(), 500U);
}

TEST_F(AdaptiveLimitTest, LatencyThatRisesWhileItIsUsedLowersIt) {
  feed_full(50, milliseconds(10));
  const std::uint32_t before = limit_.limit();
  feed_full(20, milliseconds(100));
  EXPECT_LT(limit_.limit(), before / 2);
  EXPECT_GE(limit_.limit(), 10U);
}

TEST_F(AdaptiveLimitTest, LatencyThatRisesWhileItIsUnusedLowersNothing) {
  feed(50, milliseconds(10), 5);
  feed(50, milliseconds(500), 5);
  EXPECT_EQ(limit_.limit(), 100U);
}

TEST_F(AdaptiveLimitTest, UnusedItDoesNotGrowEither) {
  feed(100, milliseconds(10), 50);
  EXPECT_EQ(limit_.limit(), 100U);
}

TEST_F(AdaptiveLimitTest, WithinTheToleranceNothingIsLowered) {
  feed_full(20, milliseconds(10));
  const std::uint32_t before = limit_.limit();
  feed_full(20, milliseconds(14));
  EXPECT_GE(limit_.limit(), before);
}

TEST_F(AdaptiveLimitTest, ItNeverFallsBelowItsLeast) {
  feed_full(20, milliseconds(1));
  Duration latency = milliseconds(10);
  for (int i = 0; i < 100; ++i) feed_full(1, latency = latency * 11 / 10);
  EXPECT_GE(limit_.limit(), 10U);
}

TEST_F(AdaptiveLimitTest, ItRecoversWhenTheLatencyDoes) {
  feed_full(50, milliseconds(10));
  feed_full(20, milliseconds(100));
  const std::uint32_t low = limit_.limit();
  feed_full(200, milliseconds(10));
  EXPECT_GT(limit_.limit(), 2 * low);
}

TEST_F(AdaptiveLimitTest, FewSamplesSayNothing) {
  for (std::uint32_t n = 0; n + 1 < AdaptiveLimit::kLeastSamples; ++n) {
    clock_.advance(AdaptiveLimit::kWindow);
    limit_.on_sample(milliseconds(10), 100, clock_.now());
  }
  EXPECT_EQ(limit_.limit(), 100U);
}

TEST_F(AdaptiveLimitTest, AReloadKeepsWhatWasFoundWithinTheNewBounds) {
  feed_full(400, milliseconds(10));
  limit_.configure(AdaptiveConcurrencyConfig{10, 1000, 100});
  EXPECT_EQ(limit_.limit(), 500U);
  limit_.configure(AdaptiveConcurrencyConfig{10, 200, 100});
  EXPECT_EQ(limit_.limit(), 200U);
}

// A server of 50 places at 10 ms: beyond them requests queue, and the latency grows with them.
TEST_F(AdaptiveLimitTest, ItFindsTheKneeOfASimulatedServer) {
  limit_.configure(std::nullopt);
  limit_.configure(AdaptiveConcurrencyConfig{10, 500, 20});
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t in_flight = limit_.limit();
    feed(1, microseconds(10'000) * std::max(50U, in_flight) / 50, in_flight);
  }
  EXPECT_GE(limit_.limit(), 50U);
  EXPECT_LE(limit_.limit(), 200U);
}

}  // namespace
}  // namespace weir::upstream
