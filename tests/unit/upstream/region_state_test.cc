// SPDX-License-Identifier: Apache-2.0
#include "upstream/region_state.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace weir::upstream {
namespace {

using std::chrono::seconds;

// 10 s to leave, 60 s to come back, 300 s of ramp, a TTL of 30 s.
class RegionStateTest : public testing::Test {
 protected:
  RegionStateTest() {
    RegionConfig config;
    config.name = "eu";
    region_.configure(config);
  }

  bool look(bool healthy) {
    region_.look(healthy, clock_.now());
    return region_.in_answer();
  }
  // Looks each second.
  bool look_for(seconds time, bool healthy) {
    for (seconds passed{0}; passed < time; passed += seconds(1)) {
      clock_.advance(seconds(1));
      look(healthy);
    }
    return region_.in_answer();
  }
  void go_out() {
    look(true);
    look(false);
    ASSERT_FALSE(look_for(seconds(10), false));
  }
  std::uint32_t weight() { return region_.weight(clock_.now()); }
  RegionPhase phase() { return region_.phase(clock_.now()); }

  FakeClock clock_;
  RegionState region_;
};

TEST_F(RegionStateTest, IsOutUntilItIsFirstFitAndThenInAtOnceAndWhole) {
  EXPECT_FALSE(look(false));
  EXPECT_EQ(phase(), RegionPhase::kStarting);
  EXPECT_FALSE(look_for(seconds(100), false));
  EXPECT_TRUE(look(true));
  EXPECT_EQ(weight(), 100U);
  EXPECT_EQ(phase(), RegionPhase::kIn);
}

TEST_F(RegionStateTest, LeavesOnlyAfterItHasBeenBadForAWhile) {
  look(true);
  EXPECT_TRUE(look(false));
  EXPECT_EQ(phase(), RegionPhase::kFailing);
  EXPECT_TRUE(look_for(seconds(9), false));
  EXPECT_EQ(weight(), 100U);
  EXPECT_FALSE(look_for(seconds(1), false));
  EXPECT_EQ(weight(), 0U);
  EXPECT_EQ(phase(), RegionPhase::kOut);
  EXPECT_EQ(region_.since(), clock_.now());
}

TEST_F(RegionStateTest, AFlapMovesNothingHoweverOftenItComes) {
  look(true);
  const TimePoint since = region_.since();
  for (int i = 0; i < 100; ++i) {
    look_for(seconds(9), false);
    EXPECT_TRUE(look_for(seconds(1), true));
    EXPECT_EQ(weight(), 100U);
  }
  EXPECT_EQ(region_.since(), since);
}

TEST_F(RegionStateTest, AShortRecoveryBringsItNotBack) {
  go_out();
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(look_for(seconds(59), true));
    EXPECT_EQ(phase(), RegionPhase::kReturning);
    EXPECT_FALSE(look_for(seconds(1), false));
    EXPECT_EQ(phase(), RegionPhase::kOut);
  }
}

TEST_F(RegionStateTest, ComesBackAfterTheWaitByARamp) {
  go_out();
  look(true);
  EXPECT_FALSE(look_for(seconds(59), true));
  EXPECT_TRUE(look_for(seconds(1), true));
  EXPECT_EQ(phase(), RegionPhase::kRamping);
  EXPECT_EQ(weight(), RegionState::kFirstWeight);
  std::uint32_t before = weight();
  for (int second = 1; second < 300; ++second) {
    look_for(seconds(1), true);
    EXPECT_GE(weight(), before);
    EXPECT_LE(weight() - before, 1U);
    before = weight();
  }
  EXPECT_EQ(before, 99U);
  look_for(seconds(1), true);
  EXPECT_EQ(weight(), 100U);
  EXPECT_EQ(phase(), RegionPhase::kIn);
}

TEST_F(RegionStateTest, ABadMomentWithinTheRampDoesNotBeginItAnew) {
  go_out();
  look(true);
  look_for(seconds(60 + 150), true);
  EXPECT_EQ(weight(), 50U);
  look_for(seconds(5), false);
  EXPECT_EQ(phase(), RegionPhase::kFailing);
  look_for(seconds(1), true);
  EXPECT_EQ(phase(), RegionPhase::kRamping);
  EXPECT_EQ(weight(), 52U);
}

TEST_F(RegionStateTest, LeavingIsAtOnceAndForGood) {
  look(true);
  region_.leave(clock_.now());
  EXPECT_FALSE(region_.in_answer());
  EXPECT_EQ(weight(), 0U);
  EXPECT_FALSE(look_for(seconds(1000), true));
  EXPECT_EQ(phase(), RegionPhase::kLeaving);
}

TEST_F(RegionStateTest, ServesOnForTwoTtlsAfterItLeft) {
  look(true);
  clock_.advance(seconds(5));
  region_.leave(clock_.now());
  EXPECT_EQ(region_.serve_until() - clock_.now(), seconds(60));
}

TEST_F(RegionStateTest, WhoHasBeenOutForLongEnoughNeedNotWait) {
  go_out();
  look_for(seconds(50), false);
  region_.leave(clock_.now());
  EXPECT_EQ(region_.serve_until() - clock_.now(), seconds(10));
  look_for(seconds(20), false);
  EXPECT_LT(region_.serve_until(), clock_.now());
}

TEST_F(RegionStateTest, WhoWasNeverInNeedNotWait) {
  clock_.advance(seconds(100'000));
  look(false);
  region_.leave(clock_.now());
  EXPECT_LE(region_.serve_until(), clock_.now());
}

TEST_F(RegionStateTest, TimesOfZeroAreAtOnce) {
  RegionConfig config;
  config.unhealthy_after = config.healthy_after = config.ramp = config.ttl = Millis{0};
  region_.configure(config);
  EXPECT_TRUE(look(true));
  EXPECT_FALSE(look(false));
  EXPECT_TRUE(look(true));
  EXPECT_EQ(weight(), 100U);
  region_.leave(clock_.now());
  EXPECT_EQ(region_.serve_until(), clock_.now());
}

// Whatever the looks say: no two changes are nearer than the shorter wait, and in the answer is
// exactly who has a weight.
TEST_F(RegionStateTest, NeverChangesFasterThanItsWaits) {
  base::Rng rng(7);
  look(true);
  TimePoint changed = clock_.now();
  bool in = true;
  for (int i = 0; i < 20'000; ++i) {
    const bool healthy = rng.next() % 100 < (i / 1000 % 2 == 0 ? 95U : 5U);
    look_for(seconds(1), healthy);
    ASSERT_EQ(region_.in_answer(), weight() > 0);
    if (region_.in_answer() == in) continue;
    ASSERT_GE(clock_.now() - changed, in ? seconds(10) : seconds(60));
    in = !in;
    changed = clock_.now();
  }
}

}  // namespace
}  // namespace weir::upstream
