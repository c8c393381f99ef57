// SPDX-License-Identifier: Apache-2.0
#include "upstream/shared_connection.h"

#include <gtest/gtest.h>

#include <optional>

#include "fixtures.h"

namespace weir::upstream {
namespace {

/// A connection without a socket that takes `room` exchanges.
class FakeShared final : public SharedConnection {
 public:
  FakeShared(ConnectionPermit permit, int places)
      : SharedConnection(std::move(permit)), room(places) {
    endpoint().offer(*this);
  }
  bool has_room() const override { return used < room; }
  bool idle() const override { return used == 0; }
  void retire_shared() override {
    unlink();
    retired = true;
    if (used == 0) close();
  }
  void close() { leave_cluster(); }

  int room;
  int used = 0;
  bool retired = false;
};

class SharedConnectionTest : public testing::Test {
 protected:
  void open(std::uint32_t connections) {
    config_.resource_limits.max_connections = connections;
    cluster_ = make_cluster(config_);
    view_.emplace(loop_, cluster_, 1);
    hold_ = std::move(*view_->pick());
  }
  LeaseOffer lease() {
    auto offer = view_->lease(*hold_, waiter());
    EXPECT_TRUE(offer.has_value());
    return std::move(*offer);
  }
  FakeWaiter& waiter() {
    if (!waiter_) waiter_.emplace(*view_, *hold_);
    return *waiter_;
  }

  SystemClock clock_;
  net::Loop loop_{clock_};
  ClusterConfig config_;
  std::shared_ptr<Cluster> cluster_;
  std::optional<WorkerCluster> view_;
  EndpointHold hold_;
  std::optional<FakeWaiter> waiter_;
};

TEST_F(SharedConnectionTest, IsOfferedWhileItHasRoom) {
  open(4);
  FakeShared shared(lease().connect, 2);
  EXPECT_EQ(lease().shared, &shared);
  shared.used = 2;
  LeaseOffer more = lease();
  EXPECT_EQ(more.shared, nullptr);
  EXPECT_TRUE(more.connect) << "it grows by need";
  shared.used = 0;
  shared.close();
}

TEST_F(SharedConnectionTest, TheOldestWithRoomIsFilledFirst) {
  open(4);
  FakeShared old(lease().connect, 1);
  old.used = 1;
  FakeShared young(lease().connect, 1);
  EXPECT_EQ(lease().shared, &young);
  old.used = 0;
  EXPECT_EQ(lease().shared, &old);
  old.close();
  young.close();
}

TEST_F(SharedConnectionTest, RoomServesOneThatWaitedForAPlace) {
  open(1);
  FakeShared shared(lease().connect, 1);
  shared.used = 1;
  waiter().ask();
  ASSERT_TRUE(waiter().waiting());
  shared.used = 0;
  view_->on_room();
  settle(loop_);
  EXPECT_TRUE(waiter().served());
  EXPECT_EQ(waiter().offer->shared, &shared);
  EXPECT_FALSE(waiter().waiting());
  shared.close();
}

TEST_F(SharedConnectionTest, AnIdleOneGivesItsPlaceToAnotherEndpoint) {
  config_.resource_limits.max_connections = 1;
  cluster_ = make_cluster(config_, {100, 100});
  view_.emplace(loop_, cluster_, 1);
  hold_ = std::move(*view_->pick());
  FakeShared shared(lease().connect, 1);
  const Endpoint* first = &hold_->shared();
  hold_ = std::move(*view_->pick(0, {&first, 1}));
  ASSERT_NE(&hold_->shared(), first);
  EXPECT_TRUE(lease().connect);
  EXPECT_TRUE(shared.retired);
}

TEST_F(SharedConnectionTest, ABusyOneIsOnlyToldToEnd) {
  open(2);
  FakeShared shared(lease().connect, 4);
  shared.used = 1;
  view_->retire();
  EXPECT_TRUE(shared.retired);
  EXPECT_EQ(cluster_->connections(), 1U);
  shared.close();
  EXPECT_EQ(cluster_->connections(), 0U);
}

TEST_F(SharedConnectionTest, AnotherProtocolRetiresIt) {
  open(2);
  FakeShared shared(lease().connect, 4);
  const std::uint32_t before = view_->transport();
  config_.protocol = UpstreamProtocol::kHttp2;
  cluster_->publish(std::make_shared<const ClusterConfig>(config_),
                    ClusterLimits::from(config_, AutoLimits{}));
  view_->refresh();
  EXPECT_TRUE(shared.retired);
  EXPECT_NE(view_->transport(), before);
}

TEST_F(SharedConnectionTest, APooledOneFromBeforeTheChangeIsNotKept) {
  open(2);
  FakeConnection pooled(lease().connect);
  config_.proxy_protocol = SendProxy::kV2;
  cluster_->publish(std::make_shared<const ClusterConfig>(config_),
                    ClusterLimits::from(config_, AutoLimits{}));
  view_->refresh();
  view_->give_back(pooled);
  EXPECT_TRUE(pooled.closed);
  EXPECT_EQ(view_->idle(), 0U);
}

}  // namespace
}  // namespace weir::upstream
