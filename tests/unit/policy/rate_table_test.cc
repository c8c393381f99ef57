// SPDX-License-Identifier: Apache-2.0
// What a rate promises, on a moved clock: the burst, the flow back, never more than
// rate x t + burst in any window whatever is refunded or evicted, and refusals that change nothing.
#include "policy/rate_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/rng.h"

namespace weir::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr KeySecret kSecret{1, 2};

LimitKey key_of(std::uint64_t number) { return key_of_name(kSecret, std::to_string(number)); }

Rate rate_of(std::uint64_t amount, std::uint64_t burst, Millis window = seconds(1)) {
  return Rate(RateConfig{amount, window, burst});
}

class RateTableTest : public testing::Test {
 protected:
  bool charge(std::uint64_t number, const Rate& rate, std::uint64_t cost = 1) {
    return table_.charge(key_of(number), rate, cost, clock_.now()).passed;
  }
  std::uint64_t charge_all(std::uint64_t number, const Rate& rate) {
    std::uint64_t passed = 0;
    while (charge(number, rate)) ++passed;
    return passed;
  }
  std::uint64_t left(std::uint64_t number, const Rate& rate) {
    return rate.tokens(table_.peek(key_of(number), rate, 1, clock_.now()).left_ns);
  }

  FakeClock clock_;
  RateTable table_{1'000, clock_.now()};
};

TEST_F(RateTableTest, PassesExactlyTheBurstAtOnce) {
  struct Case {
    std::uint64_t amount, burst;
    Millis window;
  };
  const Case cases[] = {{200, 400, seconds(1)},         {1, 1, seconds(1)},
                        {300'000, 1'000, seconds(1)},   {7, 13, seconds(60)},
                        {3, 5, std::chrono::hours(24)}, {5'000'000, 20'000, seconds(1)}};
  std::uint64_t number = 0;
  for (const Case& each : cases) {
    EXPECT_EQ(charge_all(++number, rate_of(each.amount, each.burst, each.window)), each.burst);
  }
}

TEST_F(RateTableTest, FlowsBackAtItsRate) {
  const Rate rate = rate_of(100, 10);
  charge_all(1, rate);
  clock_.advance(milliseconds(9));
  EXPECT_FALSE(charge(1, rate));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(charge(1, rate));
  EXPECT_FALSE(charge(1, rate));
  clock_.advance(seconds(100));
  EXPECT_EQ(charge_all(1, rate), 10U);
}

TEST_F(RateTableTest, AdmitsWithinOnePercentOfTheRate) {
  for (const std::uint64_t amount : {3ULL, 997ULL, 70'000ULL, 3'000'000ULL}) {
    const Rate rate = rate_of(amount, 1 + amount / 100);
    charge_all(amount, rate);
    std::uint64_t passed = 0;
    for (int i = 0; i < 1'000; ++i) {
      clock_.advance(milliseconds(1));
      passed += charge_all(amount, rate);
    }
    EXPECT_LE(passed, amount);
    EXPECT_GE(passed + 1, amount * 99 / 100);
  }
}

TEST_F(RateTableTest, KeysDoNotShareBuckets) {
  const Rate rate = rate_of(10, 5);
  EXPECT_EQ(charge_all(1, rate), 5U);
  EXPECT_EQ(charge_all(2, rate), 5U);
}

TEST_F(RateTableTest, ARefusalChangesNothingAndSaysWhenToComeBack) {
  const Rate rate = rate_of(10, 5);
  charge_all(1, rate);
  for (int i = 0; i < 1'000; ++i) charge(1, rate);
  const RateResult refused = table_.charge(key_of(1), rate, 1, clock_.now());
  EXPECT_FALSE(refused.passed);
  EXPECT_EQ(refused.retry_after, milliseconds(100));
  clock_.advance(refused.retry_after);
  EXPECT_TRUE(charge(1, rate));
}

TEST_F(RateTableTest, PeekTellsWithoutTaking) {
  const Rate rate = rate_of(10, 5);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(table_.peek(key_of(1), rate, 1, clock_.now()).passed);
  EXPECT_EQ(left(1, rate), 5U);
  EXPECT_EQ(charge_all(1, rate), 5U);
  const RateResult peeked = table_.peek(key_of(1), rate, 1, clock_.now());
  EXPECT_FALSE(peeked.passed);
  EXPECT_EQ(peeked.retry_after, milliseconds(100));
}

TEST_F(RateTableTest, CostsOtherThanOne) {
  const Rate rate = rate_of(1'000'000, 500'000);
  EXPECT_TRUE(charge(1, rate, 300'000));
  EXPECT_FALSE(charge(1, rate, 300'000));
  EXPECT_TRUE(charge(1, rate, 200'000));
  EXPECT_FALSE(charge(1, rate, 1));
  clock_.advance(milliseconds(100));
  EXPECT_TRUE(charge(1, rate, 100'000));
}

TEST_F(RateTableTest, MoreThanABurstNeverPasses) {
  const Rate rate = rate_of(1'000, 100);
  const RateResult result = table_.charge(key_of(1), rate, 101, clock_.now());
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.retry_after, Duration::max());
}

TEST_F(RateTableTest, AByteRateAboveANanosecondAByteIsExact) {
  const Rate rate = rate_of(8'000'000'000, 1'000'000'000);
  EXPECT_TRUE(charge(1, rate, 1'000'000'000));
  EXPECT_FALSE(charge(1, rate, 16'384));
  clock_.advance(milliseconds(10));
  EXPECT_TRUE(charge(1, rate, 80'000'000));
  EXPECT_FALSE(charge(1, rate, 16'384));
}

TEST_F(RateTableTest, ADebtIsTakenWithoutRoomAndMustFlowBackFirst) {
  const Rate rate = rate_of(1'000, 1'000);
  table_.charge_debt(key_of(1), rate, 3'000, clock_.now());
  EXPECT_FALSE(charge(1, rate));
  clock_.advance(milliseconds(2'000));
  EXPECT_FALSE(charge(1, rate));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(charge(1, rate));
}

TEST_F(RateTableTest, ARefundLeavesTheBucketAsItWas) {
  const Rate rate = rate_of(10, 5);
  for (std::uint64_t used = 0; used < 5; ++used) {
    const std::uint64_t before = left(1, rate);
    const RateResult taken = table_.charge(key_of(1), rate, 1, clock_.now());
    ASSERT_TRUE(taken.passed);
    table_.refund(key_of(1), taken, clock_.now(), clock_.now());
    EXPECT_EQ(left(1, rate), before);
    charge(1, rate);
  }
}

TEST_F(RateTableTest, ARefundAfterTheBucketIsFullAgainGrantsNothing) {
  const Rate rate = rate_of(10, 5);
  const TimePoint then = clock_.now();
  const RateResult taken = table_.charge(key_of(1), rate, 1, then);
  clock_.advance(seconds(10));
  EXPECT_EQ(charge_all(1, rate), 5U);
  table_.refund(key_of(1), taken, then, clock_.now());
  EXPECT_EQ(charge_all(1, rate), 0U);
}

TEST_F(RateTableTest, ANewRateTakesOverTheBucketsState) {
  charge_all(1, rate_of(10, 5));
  EXPECT_EQ(charge_all(1, rate_of(10, 5)), 0U);
  EXPECT_EQ(charge_all(1, rate_of(10, 8)), 3U);
}

TEST_F(RateTableTest, EvictionGrantsNoTokens) {
  const Rate rate = rate_of(1, 3);
  for (std::uint64_t i = 0; i < 5'000; ++i) charge_all(i, rate);
  // Not one of those that fit, nor of those that shared a bucket, has anything left.
  for (std::uint64_t i = 0; i < 5'000; ++i) ASSERT_FALSE(charge(i, rate)) << i;
}

TEST_F(RateTableTest, LeavingTheOverflowGrantsNoTokens) {
  const Rate quick = rate_of(1'000, 3);
  const Rate slow = rate_of(1, 3);
  std::uint64_t number = 0;
  RateResult last;
  while (!last.overflow) last = table_.charge(key_of(++number), quick, 1, clock_.now());
  const std::uint64_t late = number;
  const std::uint64_t shared = charge_all(late, slow);
  clock_.advance(milliseconds(10));  // The quick ones are idle: there is room now.
  EXPECT_EQ(shared + charge_all(late, slow), 3U);
  EXPECT_FALSE(table_.charge(key_of(late), slow, 1, clock_.now()).overflow);
}

struct Admission {
  std::int64_t at_ns;
  std::uint64_t cost;
};

// Every window that begins and ends with an admission.
void expect_conforms(const std::vector<Admission>& admitted, std::uint64_t amount,
                     std::uint64_t burst) {
  for (std::size_t first = 0; first < admitted.size(); ++first) {
    std::uint64_t sum = 0;
    for (std::size_t last = first; last < admitted.size(); ++last) {
      sum += admitted[last].cost;
      const auto window = static_cast<std::uint64_t>(admitted[last].at_ns - admitted[first].at_ns);
      ASSERT_LE(sum, burst + window * amount / 1'000'000'000 + 1);
    }
  }
}

class RateProperty : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RateProperty, NeverMoreThanRateTimesTimePlusBurstInAnyWindow) {
  base::Rng rng(GetParam());
  const std::uint64_t amount = 1 + rng.below(5'000);
  const std::uint64_t burst = 1 + rng.below(50);
  const Rate rate = rate_of(amount, burst);
  FakeClock clock;
  // Few places for many keys: evictions and the overflow take part.
  RateTable table(100, clock.now());
  struct Pending {
    std::uint64_t number;
    RateResult taken;
    TimePoint at;
  };
  std::vector<Pending> pending;
  std::map<std::uint64_t, std::vector<Admission>> admitted;
  for (int step = 0; step < 4'000; ++step) {
    const std::uint64_t number = rng.below(3) == 0 ? rng.below(400) : rng.below(4);
    clock.advance(Duration(rng.below(static_cast<std::uint32_t>(2'000'000'000 / amount))));
    const std::uint64_t cost = 1 + rng.below(3);
    const RateResult result = table.charge(key_of(number), rate, cost, clock.now());
    if (result.passed) {
      if (rng.below(3) == 0) {
        pending.push_back({number, result, clock.now()});
      } else {
        admitted[number].push_back({clock.now().time_since_epoch().count(), cost});
      }
    }
    while (!pending.empty() && rng.below(2) == 0) {
      const std::size_t which = rng.below(static_cast<std::uint32_t>(pending.size()));
      table.refund(key_of(pending[which].number), pending[which].taken, pending[which].at,
                   clock.now());
      pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  for (const auto& [number, list] : admitted) expect_conforms(list, amount, burst);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RateProperty, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace weir::policy
