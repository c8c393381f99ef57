// SPDX-License-Identifier: Apache-2.0
#include "upstream/pool.h"

#include <gtest/gtest.h>

#include <deque>

#include "fixtures.h"

namespace weir::upstream {
namespace {

using std::chrono::seconds;

class PoolTest : public testing::Test {
 protected:
  WorkerCluster& open(std::shared_ptr<Cluster> cluster) {
    return views_.emplace_back(loop_, std::move(cluster), views_.size());
  }
  /// A new connection to the endpoint that the balancer gives.
  FakeConnection& connect(WorkerCluster& view) {
    auto hold = view.pick();
    return connect(view, **hold);
  }
  FakeConnection& connect(WorkerCluster& view, WorkerEndpoint& endpoint) {
    FakeWaiter waiter(view, endpoint);
    auto& offer = waiter.ask();
    EXPECT_TRUE(offer.has_value() && offer->connect);
    return connections_.emplace_back(std::move(offer->connect));
  }
  PoolEntry* reuse(WorkerCluster& view, WorkerEndpoint& endpoint) {
    FakeWaiter waiter(view, endpoint);
    auto& offer = waiter.ask();
    if (offer && offer->connect) offer->connect.release();
    return offer->reused;
  }

  SystemClock clock_;
  net::Loop loop_{clock_};
  ClusterConfig config_;
  std::deque<WorkerCluster> views_;
  std::deque<FakeConnection> connections_;  ///< Die before the views.
};

TEST_F(PoolTest, TheMostRecentlyUsedGoesOutFirst) {
  const auto cluster = make_cluster();
  WorkerCluster& view = open(cluster);
  FakeConnection& a = connect(view);
  FakeConnection& b = connect(view);
  WorkerEndpoint& endpoint = a.endpoint();
  view.give_back(a);
  view.give_back(b);
  EXPECT_EQ(cluster->idle(), 2U);
  EXPECT_EQ(reuse(view, endpoint), &b);
  EXPECT_FALSE(b.idle());
  EXPECT_EQ(reuse(view, endpoint), &a);
  EXPECT_EQ(reuse(view, endpoint), nullptr);
  EXPECT_EQ(cluster->idle(), 0U);
}

TEST_F(PoolTest, AConnectionServesItsOwnEndpointOnly) {
  const auto cluster = make_cluster(config_, {1, 1});
  WorkerCluster& view = open(cluster);
  const auto first = view.pick();
  const Endpoint* const tried[] = {&(*first)->shared()};
  const auto second = view.pick(0, tried);
  view.give_back(connect(view, **first));
  EXPECT_EQ(reuse(view, **second), nullptr);
  EXPECT_NE(reuse(view, **first), nullptr);
}

TEST_F(PoolTest, MaxIdleHoldsForAllWorkersTogether) {
  config_.pool.max_idle = 2;
  const auto cluster = make_cluster(config_);
  WorkerCluster& one = open(cluster);
  WorkerCluster& other = open(cluster);
  FakeConnection& a = connect(one);
  FakeConnection& b = connect(other);
  FakeConnection& c = connect(other);
  one.give_back(a);
  other.give_back(b);
  other.give_back(c);
  EXPECT_FALSE(a.closed);
  EXPECT_FALSE(b.closed);
  EXPECT_TRUE(c.closed);
  EXPECT_EQ(cluster->connections(), 2U);
}

TEST_F(PoolTest, MaxIdleZeroKeepsNone) {
  config_.pool.max_idle = 0;
  WorkerCluster& view = open(make_cluster(config_));
  FakeConnection& a = connect(view);
  view.give_back(a);
  EXPECT_TRUE(a.closed);
}

TEST_F(PoolTest, AConnectionThatHasServedItsRequestsIsClosed) {
  config_.pool.max_requests = 2;
  WorkerCluster& view = open(make_cluster(config_));
  FakeConnection& a = connect(view);
  WorkerEndpoint& endpoint = a.endpoint();
  a.count_request();
  view.give_back(a);
  EXPECT_FALSE(a.closed);
  ASSERT_EQ(reuse(view, endpoint), &a);
  a.count_request();
  view.give_back(a);
  EXPECT_TRUE(a.closed);
}

TEST_F(PoolTest, TheIdleTimeoutClosesTheOldestOnly) {
  const auto cluster = make_cluster();
  WorkerCluster& view = open(cluster);
  FakeConnection& a = connect(view);
  FakeConnection& b = connect(view);
  auto port = std::make_shared<WorkerPort>(loop_, view);
  IdlePool pool(*cluster, *port, view.stats());
  const TimePoint start = clock_.now();
  pool.give_back(a, PoolConfig{}, start);
  pool.give_back(b, PoolConfig{}, start + seconds(5));
  pool.expire(start - seconds(1));
  EXPECT_EQ(pool.size(), 2U);
  pool.expire(start + seconds(4));
  EXPECT_TRUE(a.closed);
  EXPECT_FALSE(b.closed);
  EXPECT_EQ(pool.oldest(), start + seconds(5));
  EXPECT_EQ(cluster->connections(), 1U);
}

TEST_F(PoolTest, TheLoopClosesWhatHasIdledTooLong) {
  config_.pool.idle_timeout = Millis{5};
  const auto cluster = make_cluster(config_);
  WorkerCluster& view = open(cluster);
  view.give_back(connect(view));
  struct Watch {
    void on_time() { loop.stop(); }
    net::Loop& loop;
    net::Timer timer{net::timer_callback<&Watch::on_time>(this)};
  } watch{loop_};
  loop_.arm(watch.timer, std::chrono::milliseconds(40));
  loop_.run();
  EXPECT_TRUE(connections_[0].closed);
  EXPECT_EQ(cluster->idle(), 0U);
}

TEST_F(PoolTest, AnIdleConnectionThatEndsLeavesEveryCount) {
  const auto cluster = make_cluster();
  WorkerCluster& view = open(cluster);
  FakeConnection& a = connect(view);
  const Endpoint& endpoint = a.endpoint().shared();
  view.give_back(a);
  a.leave_pool();
  a.leave_pool();
  EXPECT_FALSE(a.closed) << "it closes itself";
  EXPECT_EQ(view.idle(), 0U);
  EXPECT_EQ(cluster->idle(), 0U);
  EXPECT_EQ(cluster->connections(), 0U);
  EXPECT_EQ(endpoint.connections.load(), 0U);
}

TEST_F(PoolTest, DestroyingAnIdleConnectionDoesTheSame) {
  const auto cluster = make_cluster();
  WorkerCluster& view = open(cluster);
  view.give_back(connect(view));
  connections_.clear();
  EXPECT_EQ(view.idle(), 0U);
  EXPECT_EQ(cluster->connections(), 0U);
}

TEST_F(PoolTest, EndpointsThatLeaveTakeTheirIdleConnectionsAlongAndOthersKeepTheirs) {
  const auto cluster = make_cluster(config_, {1, 1});
  WorkerCluster& view = open(cluster);
  auto first = view.pick();
  const Endpoint* const tried[] = {&(*first)->shared()};
  auto second = view.pick(0, tried);
  FakeConnection& goes = connect(view, **first);
  FakeConnection& stays = connect(view, **second);
  FakeConnection& in_use = connect(view, **first);
  view.give_back(goes);
  view.give_back(stays);
  std::vector<EndpointSet::Member> members;
  for (const auto& member : cluster->published().endpoints->members()) {
    if (member.endpoint.get() == &(*second)->shared()) members.push_back(member);
  }
  cluster->publish(EndpointSet::build(members, BalancePolicy::kLeastRequest));
  settle(loop_);
  EXPECT_TRUE(goes.closed);
  EXPECT_FALSE(stays.closed);
  EXPECT_FALSE(in_use.closed) << "an exchange under way goes on";
  view.give_back(in_use);
  EXPECT_TRUE(in_use.closed);
}

TEST_F(PoolTest, CloseIdleClosesAllOfThem) {
  const auto cluster = make_cluster();
  WorkerCluster& view = open(cluster);
  FakeConnection& a = connect(view);
  FakeConnection& b = connect(view);
  view.give_back(a);
  view.give_back(b);
  view.close_idle();
  EXPECT_TRUE(a.closed);
  EXPECT_TRUE(b.closed);
  EXPECT_EQ(cluster->connections(), 0U);
}

}  // namespace
}  // namespace weir::upstream
