// SPDX-License-Identifier: Apache-2.0
#include "upstream/balancer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "fixtures.h"

namespace weir::upstream {
namespace {

using testing::ElementsAre;
using Weights = std::vector<std::uint32_t>;

constexpr int kPicks = 100'000;

class EveryPolicyTest : public testing::TestWithParam<BalancePolicy> {
 protected:
  std::size_t pick(const EndpointSet& set, std::span<const Endpoint* const> tried = {}) {
    return balancer_.pick(set, GetParam(), {rng_, rng_.next(), tried});
  }

  base::Rng rng_{42};
  Balancer balancer_{7};
};

TEST_P(EveryPolicyTest, SharesAddUpToTheWeights) {
  for (const Weights& weights : {Weights{100, 100, 100, 100}, Weights{100, 50, 25, 25},
                                 Weights{1, 99}, Weights{1, 999, 1}, Weights{3}}) {
    const auto set = make_set(weights, GetParam());
    std::vector<int> got(set->eligible());
    for (int i = 0; i < kPicks; ++i) ++got[pick(*set)];
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double fair = static_cast<double>(kPicks) * set->weight(i) / set->total_weight();
      EXPECT_NEAR(got[i], fair, kPicks * 0.02) << "endpoint " << i << " of " << weights.size();
    }
  }
}

TEST_P(EveryPolicyTest, NeverPicksWeightZero) {
  const auto set = make_set({0, 10, 0, 20, 0}, GetParam());
  for (int i = 0; i < 1'000; ++i) {
    const std::size_t index = pick(*set);
    ASSERT_LT(index, 2U);
    EXPECT_NE(set->members()[index].weight, 0U);
  }
}

TEST_P(EveryPolicyTest, NeverPicksATriedOneWhileAnotherIsLeft) {
  const auto set = make_set({100, 1, 50, 20, 1'000}, GetParam());
  for (unsigned mask = 0; mask < 31; ++mask) {
    std::vector<const Endpoint*> tried;
    for (unsigned i = 0; i < 5; ++i) {
      if ((mask >> i & 1U) != 0) tried.push_back(&set->endpoint(i));
    }
    for (int i = 0; i < 200; ++i) {
      const std::size_t index = pick(*set, tried);
      ASSERT_LT(index, set->eligible());
      ASSERT_EQ(mask >> index & 1U, 0U) << "tried endpoint " << index;
    }
  }
}

TEST_P(EveryPolicyTest, HasNoneToGiveWhereNoneIsLeft) {
  const auto set = make_set({1, 2}, GetParam());
  const std::vector<const Endpoint*> both{&set->endpoint(0), &set->endpoint(1)};
  EXPECT_EQ(pick(*set, both), Balancer::kNone);
  EXPECT_EQ(pick(*make_set({}, GetParam())), Balancer::kNone);
  EXPECT_EQ(pick(*make_set({0, 0}, GetParam())), Balancer::kNone);
}

// A reload publishes the config before the endpoints that go with it.
TEST_P(EveryPolicyTest, MakesDoWithASetThatWasBuiltForAnotherPolicy) {
  const auto set = make_set({1, 1}, BalancePolicy::kRandom);
  EXPECT_LT(pick(*set), 2U);
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicyTest,
                         testing::Values(BalancePolicy::kLeastRequest, BalancePolicy::kRoundRobin,
                                         BalancePolicy::kRandom, BalancePolicy::kMaglev));

TEST(LeastRequestTest, OfTwoTheLessLoadedTakesAll) {
  const auto set = make_set({100, 100});
  set->endpoint(0).active_requests = 1;
  base::Rng rng(1);
  Balancer balancer(0);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(balancer.pick(*set, BalancePolicy::kLeastRequest, {rng, 0, {}}), 1U);
  }
}

TEST(LeastRequestTest, LoadCountsInProportionToWeight) {
  const auto set = make_set({300, 100});
  base::Rng rng(1);
  Balancer balancer(0);
  set->endpoint(0).active_requests = 5;
  set->endpoint(1).active_requests = 2;
  EXPECT_EQ(balancer.pick(*set, BalancePolicy::kLeastRequest, {rng, 0, {}}), 0U);
  set->endpoint(0).active_requests = 7;
  EXPECT_EQ(balancer.pick(*set, BalancePolicy::kLeastRequest, {rng, 0, {}}), 1U);
}

// Held requests spread by weight: a pick that did not look at load would leave a spread of about
// the square root.
TEST(LeastRequestTest, RequestsThatStayLevelOut) {
  const auto set = make_set(Weights(10, 100));
  base::Rng rng(1);
  Balancer balancer(0);
  for (int i = 0; i < 1'000; ++i) {
    ++set->endpoint(balancer.pick(*set, BalancePolicy::kLeastRequest, {rng, 0, {}}))
          .active_requests;
  }
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(set->endpoint(i).active_requests.load(), 100, 5);
  }
}

TEST(RoundRobinTest, TakesTurnsFromARandomPlaceOn) {
  const auto set = make_set({1, 1, 1}, BalancePolicy::kRoundRobin);
  base::Rng rng(1);
  Balancer balancer(2);
  std::vector<std::size_t> got;
  for (int i = 0; i < 6; ++i) {
    got.push_back(balancer.pick(*set, BalancePolicy::kRoundRobin, {rng, 0, {}}));
  }
  EXPECT_THAT(got, ElementsAre(2, 0, 1, 2, 0, 1));
}

TEST(MaglevPickTest, OneKeyKeepsItsEndpointAndHasItsOwnSubstitute) {
  const auto set = make_set(Weights(20, 1), BalancePolicy::kMaglev);
  base::Rng rng(1);
  Balancer balancer(0);
  std::vector<int> substitutes(20);
  int keys_of_first = 0;
  for (std::uint64_t key = 0; key < 4'000; ++key) {
    const PickContext context{rng, base::Rng(key).next(), {}};
    const std::size_t home = balancer.pick(*set, BalancePolicy::kMaglev, context);
    EXPECT_EQ(balancer.pick(*set, BalancePolicy::kMaglev, context), home);
    if (home != 0) continue;
    const Endpoint* const tried[] = {&set->endpoint(0)};
    const PickContext again{rng, context.hash, tried};
    const std::size_t substitute = balancer.pick(*set, BalancePolicy::kMaglev, again);
    EXPECT_EQ(balancer.pick(*set, BalancePolicy::kMaglev, again), substitute);
    ++substitutes[substitute];
    ++keys_of_first;
  }
  // Spread, not all to one neighbour.
  for (const int n : substitutes) EXPECT_LT(n, keys_of_first / 4);
}

}  // namespace
}  // namespace weir::upstream
