// SPDX-License-Identifier: Apache-2.0
#include "policy/breaker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "policy/cluster_breakers.h"

namespace weir::policy {
namespace {

using base::CallOutcome;
using namespace std::chrono_literals;
using Verdict = Breaker::Verdict;

class BreakerTest : public ::testing::Test {
 protected:
  void calls(int good, int bad) {
    for (int i = 0; i < good; ++i) breaker.record(config, CallOutcome::kSuccess, clock.now());
    for (int i = 0; i < bad; ++i) breaker.record(config, CallOutcome::kFailure, clock.now());
  }
  Verdict admit() { return breaker.admit(config, clock.now(), rng); }
  int refused_of(int n) {
    int refused = 0;
    for (int i = 0; i < n; ++i) refused += admit() == Verdict::kRefuse ? 1 : 0;
    return refused;
  }
  void trip() {
    calls(0, 20);
    ASSERT_EQ(breaker.state(), BreakerState::kOpen);
  }
  void probe(CallOutcome outcome) {
    ASSERT_EQ(admit(), Verdict::kProbe);
    breaker.record(config, outcome, clock.now());
    breaker.end_probe();
  }

  FakeClock clock;
  base::Rng rng{7};
  CircuitBreakerConfig config;
  Breaker breaker;
};

TEST_F(BreakerTest, JudgesNothingBelowTheMinimumOfRequests) {
  calls(0, 19);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  EXPECT_EQ(refused_of(1000), 0);
  calls(0, 1);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, OpensAtTheThresholdAndNotBelow) {
  calls(51, 49);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  calls(0, 2);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_EQ(admit(), Verdict::kRefuse);
}

TEST_F(BreakerTest, RefusesSomeAtRandomBeforeItOpens) {
  calls(80, 20);
  EXPECT_EQ(refused_of(1000), 0) << "below throttle_threshold";
  calls(0, 20);
  // 40 of 120 fail, K = 4/3: p = 1 - 80/120 * 4/3 = 11 %.
  const int refused = refused_of(1000);
  EXPECT_GT(refused, 60);
  EXPECT_LT(refused, 200);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, StopsRefusingAtRandomWhenTheWindowHasPassed) {
  calls(60, 40);
  EXPECT_GT(refused_of(1000), 0);
  clock.advance(11s);
  refused_of(1);
  EXPECT_EQ(refused_of(1000), 0);
}

TEST_F(BreakerTest, ForgetsWhatIsOlderThanTheWindow) {
  calls(0, 19);
  clock.advance(11s);
  calls(0, 1);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, LetsProbesInAfterOpenDuration) {
  trip();
  clock.advance(4999ms);
  EXPECT_EQ(admit(), Verdict::kRefuse);
  clock.advance(1ms);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(admit(), Verdict::kProbe) << i;
  EXPECT_EQ(admit(), Verdict::kRefuse) << "half_open_requests are under way";
}

TEST_F(BreakerTest, OpensForTwiceAsLongWhenProbesFail) {
  trip();
  clock.advance(5s);
  for (int i = 0; i < 5; ++i) probe(CallOutcome::kFailure);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  clock.advance(9999ms);
  EXPECT_EQ(admit(), Verdict::kRefuse);
  clock.advance(1ms);
  EXPECT_EQ(admit(), Verdict::kProbe);
}

TEST_F(BreakerTest, NeverOpensForLongerThanTheMaximum) {
  trip();
  for (int round = 0; round < 12; ++round) {
    clock.advance(config.max_open_duration);
    for (int i = 0; i < 5; ++i) probe(CallOutcome::kFailure);
    ASSERT_EQ(breaker.state(), BreakerState::kOpen) << round;
  }
}

TEST_F(BreakerTest, ALongQuietTimeGivesNoRoomForMoreProbes) {
  trip();
  clock.advance(5s);
  probe(CallOutcome::kSuccess);
  clock.advance(1h);
  EXPECT_LE(1000 - refused_of(1000), static_cast<int>(config.half_open_requests));
}

TEST_F(BreakerTest, RampsAndClosesWhenProbesSucceed) {
  trip();
  clock.advance(5s);
  for (int i = 0; i < 10; ++i) probe(CallOutcome::kSuccess);
  EXPECT_EQ(breaker.state(), BreakerState::kRamp);
  EXPECT_GT(refused_of(1000), 800) << "a tenth at first";
  clock.advance(2500ms);
  const int half = refused_of(1000);
  EXPECT_GT(half, 400);
  EXPECT_LT(half, 600);
  clock.advance(2500ms);
  EXPECT_EQ(refused_of(1000), 0);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, OldFailuresDoNotOpenItAgainInTheRamp) {
  trip();
  clock.advance(5s);
  for (int i = 0; i < 10; ++i) probe(CallOutcome::kSuccess);
  calls(0, 1);
  EXPECT_EQ(breaker.state(), BreakerState::kRamp);
}

TEST_F(BreakerTest, ProbesThatHangDoNotKeepItHalfOpenForEver) {
  trip();
  clock.advance(5s);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(admit(), Verdict::kProbe);
  ASSERT_EQ(admit(), Verdict::kRefuse);
  clock.advance(5s);
  EXPECT_EQ(admit(), Verdict::kProbe);
}

TEST_F(BreakerTest, SlowCallsOpenIt) {
  config.slow_call_rate_threshold = Share::percent(50);
  for (int i = 0; i < 10; ++i) breaker.record(config, CallOutcome::kSuccess, clock.now());
  for (int i = 0; i < 10; ++i) breaker.record(config, CallOutcome::kSlow, clock.now());
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, SlowProbesAreHeldToTheThresholdOfSlowCalls) {
  config.failure_rate_threshold = Share::percent(20);
  config.slow_call_rate_threshold = Share::percent(50);
  trip();
  clock.advance(5s);
  for (int i = 0; i < 4; ++i) probe(CallOutcome::kSlow);
  for (int i = 0; i < 6; ++i) probe(CallOutcome::kSuccess);
  EXPECT_EQ(breaker.state(), BreakerState::kRamp);
  calls(0, 20);
  clock.advance(10s);
  for (int i = 0; i < 5; ++i) probe(CallOutcome::kSlow);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, AnAnswerThatBreaksOffCountsOnceAsAFailure) {
  for (const CallOutcome first : {CallOutcome::kSuccess, CallOutcome::kSlow}) {
    config.minimum_requests = 1000;
    Breaker of;
    const CallEnd head{
        CallOutcome::kSuccess,
        first == CallOutcome::kSlow ? Duration(config.slow_call_duration) + 1s : Duration{0},
        clock.now()};
    of.record(config, first, clock.now());
    clock.advance(3s);
    of.withdraw(config, head);
    of.record(config, CallOutcome::kFailure, clock.now());
    const base::OutcomeCounts counts = of.counts(config, clock.now());
    EXPECT_EQ(counts.calls, 1u);
    EXPECT_EQ(counts.failures, 1u);
    EXPECT_EQ(counts.slow, 0u);
    clock.advance(9s);
    EXPECT_EQ(of.counts(config, clock.now()).failures, 1u) << "it counts from the cut on";
    clock.advance(2s);
    EXPECT_EQ(of.counts(config, clock.now()).calls, 0u);
  }
}

TEST_F(BreakerTest, OnlyASuccessThatIsStillThereIsTakenBack) {
  const CallEnd head{CallOutcome::kSuccess, Duration{0}, clock.now()};
  calls(0, 3);
  breaker.withdraw(config, head);
  EXPECT_EQ(breaker.counts(config, clock.now()).calls, 3u) << "failures are no successes";
  clock.advance(100s);
  calls(1, 0);
  breaker.withdraw(config, head);
  EXPECT_EQ(breaker.counts(config, clock.now()).calls, 1u) << "that of another turn";
}

TEST_F(BreakerTest, AProbeThatBreaksOffIsOneThatFailed) {
  trip();
  clock.advance(5s);
  for (int i = 0; i < 4; ++i) probe(CallOutcome::kFailure);
  for (int i = 0; i < 5; ++i) probe(CallOutcome::kSuccess);
  ASSERT_EQ(breaker.state(), BreakerState::kHalfOpen);
  breaker.withdraw(config, {CallOutcome::kSuccess, Duration{0}, clock.now()});
  breaker.record(config, CallOutcome::kFailure, clock.now());
  EXPECT_EQ(breaker.state(), BreakerState::kOpen) << "five of ten failed";
  EXPECT_EQ(breaker.read(config, clock.now()).cause.calls, 9u);
}

TEST_F(BreakerTest, IsForcedByHandUntilItExpires) {
  breaker.force(BreakerState::kOpen, clock.now() + 10s);
  EXPECT_EQ(admit(), Verdict::kRefuse);
  EXPECT_TRUE(breaker.read(config, clock.now()).forced);
  clock.advance(10s);
  EXPECT_EQ(admit(), Verdict::kPass);
  trip();
  breaker.force(BreakerState::kClosed, clock.now() + 10s);
  EXPECT_EQ(admit(), Verdict::kPass);
  breaker.force(std::nullopt, clock.now());
  EXPECT_EQ(admit(), Verdict::kRefuse);
}

TEST_F(BreakerTest, TellsWhatItOpenedOn) {
  calls(30, 10);
  calls(0, 30);
  const Breaker::Reading reading = breaker.read(config, clock.now());
  EXPECT_EQ(reading.state, BreakerState::kOpen);
  EXPECT_EQ(reading.cause.calls, 60u);
  EXPECT_EQ(reading.cause.failures, 30u);
  EXPECT_EQ(reading.until, 5s);
}

// ---- Levels.

class ClusterBreakersTest : public BreakerTest {
 protected:
  bool admitted(std::string_view function) {
    BreakerPermit permit;
    return !breakers.admit(config, function, permit, {clock.now(), rng});
  }
  void call(std::string_view function, CallOutcome outcome) {
    breakers.record(config, function, outcome, clock.now(), nullptr);
  }
  ClusterBreakers breakers{"orders"};
};

TEST_F(ClusterBreakersTest, OneFunctionThatFailsDoesNotTripTheCluster) {
  for (int i = 0; i < 100; ++i) {
    call("bad", CallOutcome::kFailure);
    if (i % 3 == 0) call("good", CallOutcome::kSuccess);
  }
  EXPECT_FALSE(admitted("bad"));
  EXPECT_TRUE(admitted("good"));
  EXPECT_FALSE(breakers.open(clock.now()));
}

TEST_F(ClusterBreakersTest, ManyFunctionsThatFailALittleTripTheCluster) {
  for (int i = 0; i < 100; ++i) call("f" + std::to_string(i), CallOutcome::kFailure);
  EXPECT_TRUE(breakers.open(clock.now()));
  EXPECT_FALSE(admitted("another"));
}

TEST_F(ClusterBreakersTest, WhatEjectedEndpointsExplainDoesNotTripIt) {
  struct All final : ExplainedBy {
    base::OutcomeCounts explained(const base::OutcomeCounts& all, TimePoint) const override {
      return {all.failures, all.failures, 0, 0};
    }
  } ejected;
  for (int i = 0; i < 100; ++i) {
    breakers.record(config, {}, CallOutcome::kFailure, clock.now(), &ejected);
  }
  EXPECT_FALSE(breakers.open(clock.now()));
  for (int i = 0; i < 20; ++i) call({}, CallOutcome::kFailure);
  EXPECT_TRUE(breakers.open(clock.now()));
}

TEST_F(ClusterBreakersTest, AFunctionThatNeverFailedHasNoBreaker) {
  for (int i = 0; i < 50; ++i) call("fine", CallOutcome::kSuccess);
  EXPECT_EQ(breakers.read(config, clock.now()).size(), 1u);
}

TEST_F(ClusterBreakersTest, FunctionsAreBounded) {
  const std::size_t most = ClusterBreakers::kMaxFunctions;
  config.minimum_requests = 1'000'000;
  for (std::size_t i = 0; i < most + 50; ++i) {
    call("f" + std::to_string(i), CallOutcome::kFailure);
  }
  const std::size_t shown = breakers.read(config, clock.now()).size();
  EXPECT_GT(shown, most + 1) << "those that came late are shown as well";
  EXPECT_LE(shown, most + 1 + ClusterBreakers::kShared);
}

TEST_F(ClusterBreakersTest, OneOfThoseThatShareABreakerIsNotForced) {
  config.minimum_requests = 1'000'000;
  for (std::size_t i = 0; i < ClusterBreakers::kMaxFunctions; ++i) {
    call("f" + std::to_string(i), CallOutcome::kFailure);
  }
  EXPECT_FALSE(breakers.force("late", BreakerState::kOpen, clock.now() + 1h));
  EXPECT_FALSE(breakers.force("late", std::nullopt, clock.now()));
  EXPECT_TRUE(admitted("late"));
  EXPECT_TRUE(breakers.force("f7", BreakerState::kOpen, clock.now() + 1h));
  EXPECT_FALSE(admitted("f7"));
  for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(admitted("late" + std::to_string(i)));
}

TEST_F(ClusterBreakersTest, OneBadFunctionAmongTooManyDoesNotOpenTheCluster) {
  for (std::size_t i = 0; i < ClusterBreakers::kMaxFunctions; ++i) {
    call("f" + std::to_string(i), CallOutcome::kFailure);
  }
  clock.advance(1h);
  for (int i = 0; i < 200; ++i) {
    call("fine", CallOutcome::kSuccess);
    call("late and bad", CallOutcome::kFailure);
  }
  EXPECT_FALSE(admitted("late and bad"));
  int refused = 0;
  for (int i = 0; i < 100; ++i) refused += admitted("fine") ? 0 : 1;
  EXPECT_EQ(refused, 0);
}

TEST_F(ClusterBreakersTest, ARefusalByTheClusterGivesTheFunctionsProbeBack) {
  for (int i = 0; i < 20; ++i) call("f", CallOutcome::kFailure);
  breakers.force({}, BreakerState::kOpen, clock.now() + 1h);
  clock.advance(5s);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(admitted("f"));
  breakers.force({}, std::nullopt, clock.now());
  EXPECT_TRUE(admitted("f")) << "all its probes are free";
}

TEST_F(ClusterBreakersTest, TheRegistryKeepsStateWhileSomebodyHasIt) {
  BreakerRegistry registry;
  const auto first = registry.state("a");
  EXPECT_EQ(registry.state("a"), first);
  EXPECT_NE(registry.state("b"), first);
}

}  // namespace
}  // namespace weir::policy
