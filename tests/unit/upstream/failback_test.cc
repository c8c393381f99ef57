// SPDX-License-Identifier: Apache-2.0
#include "upstream/failback.h"

#include <gtest/gtest.h>

namespace weir::upstream {
namespace {

using std::chrono::seconds;

class FailbackTest : public testing::Test {
 protected:
  FailbackTest() { failback_.configure({Millis{30'000}, Millis{60'000}}); }

  MemberPhase look(bool usable) {
    failback_.look(usable, clock_.now());
    return failback_.phase();
  }
  // Looks each second.
  MemberPhase look_for(seconds time, bool usable) {
    for (seconds passed{0}; passed < time; passed += seconds(1)) {
      clock_.advance(seconds(1));
      look(usable);
    }
    return failback_.phase();
  }

  FakeClock clock_;
  Failback failback_;
};

TEST_F(FailbackTest, WhoHasNeverServedIsUpAtOnce) {
  EXPECT_EQ(look(false), MemberPhase::kDown);
  EXPECT_EQ(look_for(seconds(5), false), MemberPhase::kDown);
  EXPECT_EQ(look(true), MemberPhase::kUp);
  EXPECT_EQ(failback_.share(), Failback::kWhole);
}

TEST_F(FailbackTest, ComesBackAfterTheWaitByARamp) {
  look(true);
  EXPECT_EQ(look(false), MemberPhase::kDown);
  EXPECT_EQ(failback_.share(), 0U);
  EXPECT_EQ(look(true), MemberPhase::kWaiting);
  EXPECT_EQ(look_for(seconds(29), true), MemberPhase::kWaiting);
  EXPECT_EQ(failback_.share(), 0U);
  EXPECT_EQ(look_for(seconds(1), true), MemberPhase::kRamping);
  EXPECT_EQ(failback_.share(), Failback::kFirstShare);
  std::uint32_t before = failback_.share();
  for (int second = 1; second < 60; ++second) {
    EXPECT_EQ(look_for(seconds(1), true), MemberPhase::kRamping);
    EXPECT_GE(failback_.share(), before);
    before = failback_.share();
  }
  EXPECT_NEAR(before, 59.0 / 60 * Failback::kWhole, 2);
  EXPECT_EQ(look_for(seconds(1), true), MemberPhase::kUp);
  EXPECT_EQ(failback_.share(), Failback::kWhole);
}

TEST_F(FailbackTest, EachFlapDoublesTheWaitUpToABound) {
  look(true);
  look(false);
  EXPECT_EQ(failback_.wait(), seconds(30));
  for (const int expected : {60, 120, 240, 240, 240}) {
    look(true);
    look_for(failback_.wait() > seconds(100) ? seconds(100) : seconds(10), true);
    look(false);
    EXPECT_EQ(failback_.wait(), seconds(expected));
  }
}

TEST_F(FailbackTest, AFallFromTheRampIsAFlapToo) {
  look(true);
  look(false);
  look(true);
  EXPECT_EQ(look_for(seconds(31), true), MemberPhase::kRamping);
  look(false);
  EXPECT_EQ(failback_.wait(), seconds(60));
}

TEST_F(FailbackTest, WhoStandsForLongIsForgiven) {
  look(true);
  look(false);
  look(true);
  EXPECT_EQ(look_for(seconds(91), true), MemberPhase::kUp);
  look(false);
  EXPECT_EQ(failback_.wait(), seconds(60));
  look(true);
  EXPECT_EQ(look_for(seconds(121), true), MemberPhase::kUp);
  look_for(seconds(300), true);
  look(false);
  EXPECT_EQ(failback_.wait(), seconds(30));
}

TEST_F(FailbackTest, WithoutWaitAndRampItIsBackAtOnce) {
  failback_.configure({Millis{0}, Millis{0}});
  look(true);
  look(false);
  EXPECT_EQ(look(true), MemberPhase::kUp);
}

}  // namespace
}  // namespace weir::upstream
