// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "fixtures.h"
#include "upstream/worker_clusters.h"

namespace weir::upstream {
namespace {

class WorkerClusterTest : public testing::Test {
 protected:
  /// A cluster of one endpoint with `connections` places, and a view of it.
  void limit_connections(std::uint32_t connections, std::uint32_t pending = 10) {
    config_.resource_limits.max_connections = connections;
    config_.resource_limits.max_pending = pending;
    open({100});
  }
  void open(const std::vector<std::uint32_t>& weights) {
    cluster_ = make_cluster(config_, weights);
    view_.emplace(loop_, cluster_, 1);
  }
  void TearDown() override {
    connections_.clear();
    holds_.clear();
    if (cluster_ == nullptr) return;
    EXPECT_EQ(cluster_->connections(), 0U);
    EXPECT_EQ(cluster_->pending(), 0U);
    EXPECT_EQ(cluster_->requests(), 0U);
    EXPECT_EQ(cluster_->idle(), 0U);
    for (const auto& member : cluster_->published().endpoints->members()) {
      EXPECT_EQ(member.endpoint->active_requests.load(), 0U);
      EXPECT_EQ(member.endpoint->connections.load(), 0U);
    }
  }

  WorkerEndpoint& endpoint() {
    holds_.push_back(std::move(*view_->pick()));
    return *holds_.back();
  }
  FakeConnection& connection_of(FakeWaiter& waiter) {
    return connections_.emplace_back(std::move(waiter.offer->connect));
  }

  SystemClock clock_;
  net::Loop loop_{clock_};
  ClusterConfig config_;
  std::shared_ptr<Cluster> cluster_;
  std::optional<WorkerCluster> view_;
  std::vector<EndpointHold> holds_;
  std::deque<FakeConnection> connections_;
};

// ---- Admission and picks.

TEST_F(WorkerClusterTest, CountsARequestInUntilItsPermitIsGivenBack) {
  open({100});
  {
    auto permit = view_->admit();
    ASSERT_TRUE(permit.has_value());
    EXPECT_EQ(&**permit, &*view_);
    RequestPermit moved = std::move(*permit);
    EXPECT_EQ(cluster_->requests(), 1U);
    EXPECT_TRUE(view_->in_use());
  }
  EXPECT_EQ(cluster_->requests(), 0U);
  EXPECT_FALSE(view_->in_use());
}

TEST_F(WorkerClusterTest, RefusesRequestsOverTheLimit) {
  config_.resource_limits.max_requests = 1;
  open({100});
  const auto first = view_->admit();
  const auto second = view_->admit();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kClusterRequestsFull);
  EXPECT_EQ(view_->stats().refused.value(), 1U);
}

TEST_F(WorkerClusterTest, DrainRefusesNewRequestsAndLetsThoseInsideGoOn) {
  open({100});
  const auto inside = view_->admit();
  cluster_->set_state(OperatorState::kDrain);
  const auto late = view_->admit();
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kNoEndpoint);
  EXPECT_TRUE(view_->pick().has_value()) << "a retry of the one inside";
}

TEST_F(WorkerClusterTest, DrainKeepsNoIdleConnections) {
  open({100});
  FakeWaiter waiter(*view_, endpoint());
  waiter.ask();
  FakeConnection& connection = connection_of(waiter);
  cluster_->set_state(OperatorState::kDrain);
  settle(loop_);
  EXPECT_FALSE(connection.closed) << "it is in use";
  view_->give_back(connection);
  EXPECT_TRUE(connection.closed);
  EXPECT_EQ(view_->idle(), 0U);
}

TEST_F(WorkerClusterTest, MaintHasNoEndpointForAnybodyAndClosesIdleConnections) {
  open({100});
  FakeWaiter waiter(*view_, endpoint());
  waiter.ask();
  FakeConnection& connection = connection_of(waiter);
  view_->give_back(connection);
  cluster_->set_state(OperatorState::kMaint);
  settle(loop_);
  EXPECT_TRUE(connection.closed);
  EXPECT_EQ(view_->admit().error().code, ErrorCode::kNoEndpoint);
  EXPECT_EQ(view_->pick().error().code, ErrorCode::kNoEndpoint);
}

TEST_F(WorkerClusterTest, AnEmptyClusterSaysWhy) {
  open({0});
  EXPECT_EQ(view_->admit().error().code, ErrorCode::kNoEndpoint);
  cluster_->publish(EndpointSet::build({}, BalancePolicy::kRandom, ErrorCode::kDnsFailure));
  EXPECT_EQ(view_->admit().error().code, ErrorCode::kDnsFailure);
  EXPECT_EQ(view_->pick().error().code, ErrorCode::kDnsFailure);
}

TEST_F(WorkerClusterTest, APickCountsItsEndpointAsBusyUntilTheAttemptEnds) {
  open({100});
  auto hold = view_->pick();
  EXPECT_EQ((*hold)->shared().active_requests.load(), 1U);
  hold->release();
  EXPECT_EQ(cluster_->published().endpoints->endpoint(0).active_requests.load(), 0U);
}

TEST_F(WorkerClusterTest, ATriedEndpointComesAgainOnlyWhenAllHaveBeen) {
  open({1, 1});
  std::vector<const Endpoint*> tried;
  for (int i = 0; i < 2; ++i) {
    const auto hold = view_->pick(0, tried);
    EXPECT_EQ(std::ranges::find(tried, &(*hold)->shared()), tried.end());
    tried.push_back(&(*hold)->shared());
  }
  EXPECT_TRUE(view_->pick(0, tried).has_value());
}

TEST_F(WorkerClusterTest, AnEndpointThatLeavesStaysUsableForWhoHoldsIt) {
  open({100});
  EndpointHold hold = std::move(*view_->pick());
  cluster_->publish(make_set({}));
  view_->refresh();
  EXPECT_EQ(hold->text(), "10.0.0.1:1");
  hold.release();
  cluster_->publish(make_set({100}));
  view_->refresh();
}

TEST_F(WorkerClusterTest, RetriesComeOutOfTheBudget) {
  open({100});
  const RetryBudget one{Share::percent(0), 1};
  RetryPermit first = view_->try_retry(one);
  EXPECT_TRUE(first);
  EXPECT_FALSE(view_->try_retry(one));
  EXPECT_EQ(view_->stats().retries_over_budget.value(), 1U);
  first.release();
  EXPECT_TRUE(view_->try_retry(one));
}

TEST_F(WorkerClusterTest, QuickRetriesStayAShareOfTheRequestsOfTenSeconds) {
  open({100});
  const RetryBudget budget{Share::percent(20), 1};
  int made = 0;
  for (int i = 0; i < 100; ++i) {
    const auto request = view_->admit();
    ASSERT_TRUE(request);
    made += view_->try_retry(budget) ? 1 : 0;
  }
  EXPECT_EQ(made, 20 + 10) << "and one a second besides";
  EXPECT_EQ(view_->stats().retries_over_budget.value(), 70U);
}

TEST_F(WorkerClusterTest, WhoeverCountsInsteadOfTheClusterBoundsRetries) {
  open({100});
  RetryWindow other;
  const RetryBudget budget{Share{0}, 2};
  int made = 0;
  for (int i = 0; i < 100; ++i) made += view_->try_retry(budget, &other) ? 1 : 0;
  EXPECT_EQ(made, 20);
  EXPECT_TRUE(view_->try_retry(budget)) << "the cluster has counted none of them";
}

// ---- Connection places.

TEST_F(WorkerClusterTest, AtTheLimitARequestWaitsAndGetsTheNextIdleConnection) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  FakeWaiter second(*view_, endpoint());
  first.ask();
  FakeConnection& connection = connection_of(first);
  ASSERT_TRUE(second.ask().has_value());
  EXPECT_TRUE(second.waiting());
  EXPECT_EQ(cluster_->pending(), 1U);

  view_->give_back(connection);
  EXPECT_EQ(second.calls, 0) << "never inside the call that caused it";
  settle(loop_);
  ASSERT_TRUE(second.served());
  EXPECT_EQ(second.offer->reused, &connection);
  EXPECT_EQ(cluster_->pending(), 0U);
  connection.leave_pool();
}

TEST_F(WorkerClusterTest, AConnectionThatClosesLeavesItsPlaceToTheOneThatWaits) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  FakeWaiter second(*view_, endpoint());
  first.ask();
  second.ask();
  connection_of(first).leave_pool();
  EXPECT_EQ(cluster_->connections(), 1U) << "handed over, not given up";
  settle(loop_);
  ASSERT_TRUE(second.served());
  EXPECT_TRUE(second.offer->connect);
  EXPECT_EQ(cluster_->connections(), 1U);
}

TEST_F(WorkerClusterTest, FirstComeFirstServed) {
  limit_connections(1);
  std::deque<FakeWaiter> waiters;
  for (int i = 0; i < 4; ++i) waiters.emplace_back(*view_, endpoint()).ask();
  for (std::size_t turn = 0; turn < 4; ++turn) {
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(waiters[i].waiting(), i > turn) << "turn " << turn << ", waiter " << i;
    }
    connection_of(waiters[turn]).leave_pool();
    settle(loop_);
  }
}

TEST_F(WorkerClusterTest, ANewcomerDoesNotOvertake) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  FakeWaiter second(*view_, endpoint());
  FakeWaiter newcomer(*view_, endpoint());
  first.ask();
  second.ask();
  view_->give_back(connection_of(first));
  newcomer.ask();
  EXPECT_TRUE(newcomer.waiting());
  settle(loop_);
  EXPECT_TRUE(second.served());
  EXPECT_TRUE(newcomer.waiting());
}

TEST_F(WorkerClusterTest, AWaiterThatGivesUpLeavesThePlaceToTheNext) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  std::optional<FakeWaiter> second(std::in_place, *view_, endpoint());
  FakeWaiter third(*view_, endpoint());
  first.ask();
  second->ask();
  third.ask();
  connection_of(first).leave_pool();
  second.reset();
  EXPECT_EQ(cluster_->pending(), 1U);
  settle(loop_);
  EXPECT_TRUE(third.served());
}

TEST_F(WorkerClusterTest, APlaceThatNobodyWaitsForAnyMoreIsGivenUp) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  std::optional<FakeWaiter> second(std::in_place, *view_, endpoint());
  first.ask();
  second->ask();
  connection_of(first).leave_pool();
  second.reset();
  settle(loop_);
  EXPECT_EQ(cluster_->connections(), 0U);
}

TEST_F(WorkerClusterTest, TooManyWaitersAreRefused) {
  limit_connections(1, 1);
  FakeWaiter first(*view_, endpoint());
  FakeWaiter second(*view_, endpoint());
  FakeWaiter third(*view_, endpoint());
  first.ask();
  second.ask();
  ASSERT_FALSE(third.ask().has_value());
  EXPECT_EQ(third.offer.error().code, ErrorCode::kClusterPendingFull);
  EXPECT_EQ(third.offer.error().retry, Retry::kNo);
}

TEST_F(WorkerClusterTest, WhereNobodyMayWaitTheConnectionsAreFull) {
  limit_connections(1, 0);
  FakeWaiter first(*view_, endpoint());
  FakeWaiter second(*view_, endpoint());
  first.ask();
  ASSERT_FALSE(second.ask().has_value());
  EXPECT_EQ(second.offer.error().code, ErrorCode::kClusterConnectionsFull);
}

TEST_F(WorkerClusterTest, AnIdleConnectionToAnotherEndpointMakesRoom) {
  config_.resource_limits.max_connections = 1;
  open({1, 1});
  auto hold = view_->pick();
  const Endpoint* const tried[] = {&(*hold)->shared()};
  auto other = view_->pick(0, tried);
  FakeWaiter first(*view_, **hold);
  first.ask();
  FakeConnection& connection = connection_of(first);
  view_->give_back(connection);
  FakeWaiter second(*view_, **other);
  second.ask();
  EXPECT_TRUE(connection.closed);
  EXPECT_TRUE(second.served());
}

// ---- Two workers (here on one loop).

TEST_F(WorkerClusterTest, APlaceGoesToTheWorkerWhereARequestWaits) {
  limit_connections(1);
  WorkerCluster other(loop_, cluster_, 2);
  EndpointHold there = std::move(*other.pick());
  FakeWaiter first(*view_, endpoint());
  FakeWaiter waiting_there(other, *there);
  first.ask();
  waiting_there.ask();
  FakeConnection& connection = connection_of(first);
  view_->give_back(connection);
  EXPECT_TRUE(connection.closed) << "idle here it would block the request there";
  settle(loop_);
  EXPECT_TRUE(waiting_there.served());
  waiting_there.offer->connect.release();
}

TEST_F(WorkerClusterTest, AnIdleConnectionOfAnotherWorkerMakesRoom) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  first.ask();
  FakeConnection& connection = connection_of(first);
  view_->give_back(connection);
  WorkerCluster other(loop_, cluster_, 2);
  EndpointHold there = std::move(*other.pick());
  FakeWaiter waiting_there(other, *there);
  waiting_there.ask();
  EXPECT_TRUE(waiting_there.waiting());
  settle(loop_);
  EXPECT_TRUE(connection.closed);
  EXPECT_TRUE(waiting_there.served());
  waiting_there.offer->connect.release();
}

TEST_F(WorkerClusterTest, APlaceOnItsWayToAViewThatHasGoneComesBack) {
  limit_connections(1);
  FakeWaiter first(*view_, endpoint());
  first.ask();
  {
    WorkerCluster other(loop_, cluster_, 2);
    EndpointHold there = std::move(*other.pick());
    FakeWaiter waiting_there(other, *there);
    waiting_there.ask();
    connection_of(first).leave_pool();
    EXPECT_EQ(cluster_->connections(), 1U);
  }
  settle(loop_);
  EXPECT_EQ(cluster_->connections(), 0U);
}

// ---- All clusters of a worker.

TEST(WorkerClustersTest, KeepsTheViewsOfClustersThatStayAndDropsTheOthers) {
  SystemClock clock;
  net::Loop loop(clock);
  WorkerClusters clusters(loop, 1);
  const auto a = make_cluster();
  const auto b = make_cluster();
  clusters.adopt(ClusterList({a, b}));
  WorkerCluster* const view_of_b = &clusters[1];
  clusters.adopt(ClusterList({b}));
  ASSERT_EQ(clusters.size(), 1U);
  EXPECT_EQ(&clusters[0], view_of_b);
  EXPECT_EQ(clusters.retired(), 0U);
}

TEST(WorkerClustersTest, AViewInUseOutlivesItsClustersConfig) {
  SystemClock clock;
  net::Loop loop(clock);
  WorkerClusters clusters(loop, 1);
  clusters.adopt(ClusterList({make_cluster()}));
  RequestPermit permit = std::move(*clusters[0].admit());
  EndpointHold hold = std::move(*clusters[0].pick());
  FakeWaiter waiter(*permit, *hold);
  waiter.ask();
  FakeConnection connection(std::move(waiter.offer->connect));

  clusters.adopt(ClusterList({}));
  EXPECT_EQ(clusters.retired(), 1U);
  EXPECT_TRUE(permit->pick().has_value()) << "a retry still finds its endpoints";
  permit->give_back(connection);
  EXPECT_TRUE(connection.closed);
  hold.release();
  permit.release();
  clusters.adopt(ClusterList({}));
  EXPECT_EQ(clusters.retired(), 0U);
}

TEST(ClusterListTest, FindsByName) {
  const auto a = std::make_shared<Cluster>("a");
  const auto b = std::make_shared<Cluster>("b");
  const ClusterList list({a, b});
  EXPECT_EQ(list.index_of("b"), 1U);
  EXPECT_EQ(list.index_of("c"), ClusterList::kNone);
}

}  // namespace
}  // namespace weir::upstream
