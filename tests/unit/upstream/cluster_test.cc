// SPDX-License-Identifier: Apache-2.0
#include "upstream/cluster.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace weir::upstream {
namespace {

ClusterConfig limited(std::uint32_t connections, std::uint32_t requests, std::uint32_t pending) {
  ClusterConfig config;
  config.resource_limits = {connections, requests, pending};
  return config;
}

TEST(ClusterLimitsTest, AutoIsAThirdOfTheDescriptorsAndAllThatMayWait) {
  const AutoLimits automatic = AutoLimits::from_descriptors(3'000);
  EXPECT_EQ(automatic.max_connections, 1'000U);
  const ClusterLimits limits = ClusterLimits::from(ClusterConfig{}, automatic);
  EXPECT_EQ(limits.max_connections, 1'000U);
  EXPECT_EQ(limits.max_pending, 1'024U);
  EXPECT_EQ(limits.max_requests, 2'024U);
}

TEST(ClusterLimitsTest, AutoStaysWithinReason) {
  EXPECT_EQ(AutoLimits::from_descriptors(10).max_connections, 16U);
  EXPECT_EQ(AutoLimits::from_descriptors(UINT64_MAX).max_connections, 1'000'000U);
}

TEST(ClusterLimitsTest, WhatTheConfigSaysGoesFirst) {
  const ClusterLimits limits = ClusterLimits::from(limited(7, 9, 0), AutoLimits{});
  EXPECT_EQ(limits.max_connections, 7U);
  EXPECT_EQ(limits.max_requests, 9U);
  EXPECT_EQ(limits.max_pending, 0U);
}

TEST(ClusterTest, EachCountStopsAtItsLimitAndComesBack) {
  ClusterConfig config = limited(1, 2, 3);
  config.pool.max_idle = 1;
  const auto cluster = make_cluster(config);
  EXPECT_TRUE(cluster->try_acquire_connection());
  EXPECT_FALSE(cluster->try_acquire_connection());
  EXPECT_TRUE(cluster->try_acquire_request());
  EXPECT_TRUE(cluster->try_acquire_request());
  EXPECT_FALSE(cluster->try_acquire_request());
  EXPECT_TRUE(cluster->try_acquire_idle());
  EXPECT_FALSE(cluster->try_acquire_idle());

  cluster->release_connection();
  cluster->release_request();
  cluster->release_request();
  cluster->release_idle();
  EXPECT_EQ(cluster->connections(), 0U);
  EXPECT_EQ(cluster->requests(), 0U);
  EXPECT_EQ(cluster->idle(), 0U);
  EXPECT_TRUE(cluster->try_acquire_connection());
}

TEST(ClusterTest, ALimitThatAReloadLowersLetsNobodyInUntilEnoughHaveLeft) {
  const auto cluster = make_cluster(limited(3, 3, 0));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(cluster->try_acquire_request());
  const ClusterConfig lower = limited(1, 1, 0);
  cluster->publish(std::make_shared<const ClusterConfig>(lower),
                   ClusterLimits::from(lower, AutoLimits{}));
  cluster->release_request();
  EXPECT_FALSE(cluster->try_acquire_request());
  cluster->release_request();
  EXPECT_FALSE(cluster->try_acquire_request());
  cluster->release_request();
  EXPECT_TRUE(cluster->try_acquire_request());
}

TEST(ClusterTest, TheVersionMovesWithEverythingThatIsPublished) {
  const auto cluster = make_cluster();
  const std::uint64_t first = cluster->version();
  cluster->publish(make_set({1, 2}));
  const std::uint64_t second = cluster->version();
  EXPECT_GT(second, first);
  cluster->set_state(OperatorState::kDrain);
  EXPECT_GT(cluster->version(), second);
  EXPECT_EQ(cluster->published().state, OperatorState::kDrain);
  EXPECT_EQ(cluster->published().endpoints->eligible(), 2U);
  EXPECT_EQ(cluster->published().version, cluster->version());
}

struct BudgetCase {
  std::uint32_t in_flight;
  Share percent;
  std::uint32_t min;
  std::uint32_t allowed;
};

class RetryBudgetTest : public testing::TestWithParam<BudgetCase> {};

TEST_P(RetryBudgetTest, IsTheLargerOfItsMinimumAndItsShareOfTheRequestsInFlight) {
  const BudgetCase& c = GetParam();
  const auto cluster = make_cluster(limited(1, 10'000, 0));
  for (std::uint32_t i = 0; i < c.in_flight; ++i) ASSERT_TRUE(cluster->try_acquire_request());
  std::uint32_t got = 0;
  while (cluster->try_acquire_retry({c.percent, c.min})) ++got;
  EXPECT_EQ(got, c.allowed);
  cluster->release_retry();
  EXPECT_EQ(cluster->try_acquire_retry({c.percent, c.min}), c.allowed > 0);
}

INSTANTIATE_TEST_SUITE_P(Budgets, RetryBudgetTest,
                         testing::Values(BudgetCase{0, Share::percent(20), 3, 3},
                                         BudgetCase{14, Share::percent(20), 3, 3},
                                         BudgetCase{20, Share::percent(20), 3, 4},
                                         BudgetCase{100, Share::percent(20), 3, 20},
                                         BudgetCase{100, Share::percent(0), 0, 0},
                                         BudgetCase{5'000, Share{100}, 0, 0},
                                         BudgetCase{10'000, Share{100}, 0, 1}));

TEST(ClusterTest, TellsHowMuchOfItIsHealthy) {
  const auto cluster = make_cluster({}, {100, 300});
  EXPECT_TRUE(cluster->health().usable);
  EXPECT_EQ(cluster->health().healthy_weight, 400U);
  auto members = EndpointSet::members_from(specs({100, 300}), nullptr);
  members[1].standing = Standing::kUnhealthy;
  cluster->publish(EndpointSet::build(members, BalancePolicy::kRandom));
  EXPECT_EQ(cluster->health().healthy_weight, 100U);
  EXPECT_EQ(cluster->health().total_weight, 400U);
  members[0].standing = Standing::kUnhealthy;
  cluster->publish(EndpointSet::build(members, BalancePolicy::kRandom));
  EXPECT_FALSE(cluster->health().usable);
  EXPECT_EQ(cluster->health().reason, ErrorCode::kNoHealthyEndpoint);
}

TEST(ClusterTest, IsNotUsableWhileItDrains) {
  const auto cluster = make_cluster();
  cluster->set_state(OperatorState::kDrain);
  EXPECT_FALSE(cluster->health().usable);
  EXPECT_EQ(cluster->health().state, OperatorState::kDrain);
  EXPECT_EQ(cluster->health().eligible, 1U);
}

}  // namespace
}  // namespace weir::upstream
