// SPDX-License-Identifier: Apache-2.0
#include "upstream/health.h"

#include <gtest/gtest.h>

#include "upstream/endpoint_set.h"
#include "upstream/slow_start.h"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kWhole = EndpointSet::kWholeRamp;

class HealthTest : public testing::Test {
 protected:
  HealthTest() {
    rules_.checked = rules_.ejects = true;
    rules_.base_ejection = seconds(30);
    rules_.max_ejection = seconds(300);
  }
  void check(bool passed, bool witness = false) {
    health_.on_check(rules_, passed, passed ? "" : "status 500", witness, now_);
  }
  void pass(int times) {
    for (int i = 0; i < times; ++i) check(true);
  }
  void eject() { health_.eject(rules_, "5 attempts in a row failed", 0, now_); }
  void wait(Duration time) {
    now_ += time;
    health_.advance(rules_, now_);
  }
  HealthState state() const { return health_.state(rules_, now_); }
  void born(bool up = true, bool newcomer = false) { health_.begin(up, newcomer, now_); }
  void established() {
    born();
    check(true);
  }

  HealthRules rules_;
  EndpointHealth health_;
  TimePoint now_{seconds(1'000)};
};

TEST_F(HealthTest, TheFirstCheckDecidesAloneEitherWay) {
  born();
  check(false);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  EXPECT_EQ(health_.reason(), "status 500");
  EndpointHealth other;
  other.begin(false, false, now_);
  EXPECT_EQ(other.state(rules_, now_), HealthState::kUnhealthy);
  EXPECT_EQ(other.reason(), "not checked yet");
  other.on_check(rules_, true, "", false, now_);
  EXPECT_EQ(other.state(rules_, now_), HealthState::kHealthy);
}

TEST_F(HealthTest, AfterThatItTakesTheThresholdsInARow) {
  established();
  check(false);
  check(false);
  EXPECT_EQ(state(), HealthState::kSuspect);
  EXPECT_EQ(health_.standing(), Standing::kIn);
  check(true);
  EXPECT_EQ(state(), HealthState::kHealthy);
  for (int i = 0; i < 3; ++i) check(false);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  check(true);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  check(false);
  check(true);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  check(true);
  EXPECT_EQ(state(), HealthState::kHealthy);
  EXPECT_EQ(health_.reason(), "");
}

TEST_F(HealthTest, AFailedCheckWithAWitnessDecidesAlone) {
  established();
  health_.suspect("requests to it fail", now_);
  EXPECT_EQ(state(), HealthState::kSuspect);
  check(false, true);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
}

TEST_F(HealthTest, ASuspicionIsOverWhenACheckPasses) {
  established();
  health_.suspect("requests to it fail", now_);
  EXPECT_TRUE(health_.undecided(rules_));
  check(true);
  EXPECT_EQ(state(), HealthState::kHealthy);
  EXPECT_FALSE(health_.undecided(rules_));
}

TEST_F(HealthTest, AnEjectionEndsByTimeAndGrowsWithEachUpToTheMaximum) {
  established();
  Duration expected = seconds(30);
  for (int i = 1; i <= 12; ++i) {
    eject();
    EXPECT_EQ(state(), HealthState::kEjected);
    EXPECT_EQ(health_.ejected_until() - now_, std::min<Duration>(expected * i, seconds(300)));
    wait(health_.ejected_until() - now_);
    EXPECT_EQ(state(), HealthState::kHealthy);
  }
}

TEST_F(HealthTest, EjectionsAreForgottenOneByOneWhileItIsWell) {
  established();
  eject();
  wait(seconds(30));
  eject();
  wait(seconds(60));
  EXPECT_EQ(health_.ejections(), 2U);
  wait(seconds(30));
  EXPECT_EQ(health_.ejections(), 1U);
  wait(seconds(30));
  EXPECT_EQ(health_.ejections(), 0U);
}

TEST_F(HealthTest, JitterMakesAnEjectionLongerAndNeverShorter) {
  established();
  health_.eject(rules_, "x", 0.2, now_);
  EXPECT_EQ(health_.ejected_until() - now_, seconds(36));
}

TEST_F(HealthTest, ChecksWinOverAnEjectionAndDoNotEndIt) {
  established();
  eject();
  for (int i = 0; i < 3; ++i) check(false);
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  pass(2);
  EXPECT_EQ(state(), HealthState::kEjected);
  for (int i = 0; i < 3; ++i) check(false);
  wait(seconds(60));
  EXPECT_EQ(state(), HealthState::kUnhealthy);
  pass(2);
  EXPECT_EQ(state(), HealthState::kHealthy);
}

TEST_F(HealthTest, WhatNobodyLooksAfterAnyMoreIsForgotten) {
  established();
  for (int i = 0; i < 3; ++i) check(false);
  rules_.checked = false;
  health_.adopt(rules_, now_);
  EXPECT_EQ(state(), HealthState::kHealthy);
  eject();
  rules_.ejects = false;
  health_.adopt(rules_, now_);
  EXPECT_EQ(state(), HealthState::kHealthy);
  EXPECT_EQ(health_.ejections(), 0U);
}

TEST_F(HealthTest, SlowStartComesAfterAnAbsenceAndNotAtBirth) {
  rules_.slow_start.window = seconds(10);
  born();
  EXPECT_EQ(health_.ramp(rules_, now_), kWhole);
  check(true);
  EXPECT_EQ(state(), HealthState::kHealthy);
  eject();
  wait(seconds(30));
  EXPECT_EQ(state(), HealthState::kSlowStart);
  EXPECT_EQ(health_.ramp(rules_, now_), kWhole / 10);
  wait(seconds(5));
  EXPECT_EQ(health_.ramp(rules_, now_), kWhole / 2);
  wait(seconds(5));
  EXPECT_EQ(state(), HealthState::kHealthy);
}

TEST_F(HealthTest, ANewcomerStartsSlowlyFromItsFirstWork) {
  rules_.slow_start.window = seconds(10);
  born(false, true);
  wait(seconds(100));
  check(true);
  EXPECT_EQ(state(), HealthState::kSlowStart);
  EXPECT_EQ(health_.ramp(rules_, now_), kWhole / 10);
}

TEST_F(HealthTest, OneThatWaitedForItsFirstCheckAtTheStartOfTheProcessDoesNot) {
  rules_.slow_start.window = seconds(10);
  born(false, false);
  check(true);
  EXPECT_EQ(state(), HealthState::kHealthy);
}

TEST(RampTest, IsThePowerOfTheTimeAndNeverBelowItsMinimum) {
  SlowStartConfig config;
  config.window = Millis{10'000};
  EXPECT_EQ(ramp_part(config, seconds(0), 1'000), 100U);
  EXPECT_EQ(ramp_part(config, milliseconds(500), 1'000), 100U);
  EXPECT_EQ(ramp_part(config, seconds(4), 1'000), 400U);
  EXPECT_EQ(ramp_part(config, seconds(10), 1'000), 1'000U);
  config.aggression = 2.0;
  EXPECT_EQ(ramp_part(config, milliseconds(2'500), 1'000), 500U);
  config.min_weight = Share{0};
  EXPECT_EQ(ramp_part(config, seconds(0), 1'000), 1U);
  config.window = Millis{0};
  EXPECT_EQ(ramp_part(config, seconds(0), 1'000), 1'000U);
}

TEST(RampTest, ConcurrencyFollowsThePeersAndLeavesRoomForOne) {
  EXPECT_EQ(ramp_concurrency(50, 100, 1'000), 10U);
  EXPECT_EQ(ramp_concurrency(0, 100, 1'000), 1U);
}

}  // namespace
}  // namespace weir::upstream
