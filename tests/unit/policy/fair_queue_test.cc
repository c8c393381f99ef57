// SPDX-License-Identifier: Apache-2.0
#include "policy/fair_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace weir::policy {
namespace {

using std::chrono::milliseconds;

class FairQueueTest : public testing::Test {
 protected:
  QueuedRequest request(std::uint64_t tenant, std::uint32_t weight = 1) {
    QueuedRequest out;
    out.id = {0, 0, ++generation_};
    out.tenant = {tenant, tenant};
    out.weight = weight;
    out.since = clock_.now();
    return out;
  }
  void push(std::uint64_t tenant, int count, std::uint32_t weight = 1) {
    while (count-- > 0) ASSERT_FALSE(queue_.push(request(tenant, weight), 100'000));
  }
  std::uint64_t pop() {
    const auto next = queue_.pop(clock_.now(), dropped_);
    return next ? next->tenant.lo : 0;
  }
  std::map<std::uint64_t, int> serve(int count) {
    std::map<std::uint64_t, int> served;
    while (count-- > 0) ++served[pop()];
    return served;
  }

  FakeClock clock_;
  FairQueue queue_{QueueDelay::from(milliseconds(500))};
  std::vector<QueuedRequest> dropped_;
  std::uint64_t generation_ = 0;
};

TEST_F(FairQueueTest, ServesOneTenantInTheOrderOfArrival) {
  for (int i = 0; i < 5; ++i) push(1, 1);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(queue_.pop(clock_.now(), dropped_)->id.generation, i);
  }
  EXPECT_FALSE(queue_.pop(clock_.now(), dropped_));
}

TEST_F(FairQueueTest, TenantsTakeTurnsWhateverTheySend) {
  push(1, 1'000);
  push(2, 10);
  push(3, 10);
  const auto served = serve(30);
  EXPECT_EQ(served.at(1), 10);
  EXPECT_EQ(served.at(2), 10);
  EXPECT_EQ(served.at(3), 10);
}

TEST_F(FairQueueTest, WeightsAreShares) {
  push(1, 100, 1);
  push(2, 100, 4);
  const auto served = serve(50);
  EXPECT_EQ(served.at(1), 10);
  EXPECT_EQ(served.at(2), 40);
}

TEST_F(FairQueueTest, ATenantThatWasAwaySavesNoCredit) {
  push(2, 1, 10);
  EXPECT_EQ(pop(), 2U);
  push(1, 20, 10);
  push(2, 20, 10);
  const auto served = serve(20);
  EXPECT_EQ(served.at(1), 10);
  EXPECT_EQ(served.at(2), 10);
}

TEST_F(FairQueueTest, AFullQueueMakesRoomAtWhoHasMostForItsWeight) {
  push(1, 8);
  push(2, 2, 1);
  const auto out = queue_.push(request(3), 10);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->tenant.lo, 1U);
  EXPECT_EQ(out->id.generation, 8U);  // The newest: it has waited least.
  EXPECT_EQ(queue_.size(), 10U);
  const QueuedRequest another = request(1);
  const auto refused = queue_.push(another, 10);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->id, another.id);
}

TEST_F(FairQueueTest, OneThatLeftIsNotServed) {
  const QueuedRequest gone = request(1);
  queue_.push(gone, 10);
  push(1, 1);
  EXPECT_TRUE(queue_.remove(gone.id));
  EXPECT_FALSE(queue_.remove(gone.id));
  EXPECT_EQ(pop(), 1U);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(FairQueueTest, OneWhoseDeadlineHasPassedIsSentAway) {
  QueuedRequest late = request(1);
  late.deadline = clock_.now() + milliseconds(10);
  queue_.push(late, 10);
  clock_.advance(milliseconds(10));
  EXPECT_FALSE(queue_.pop(clock_.now(), dropped_));
  ASSERT_EQ(dropped_.size(), 1U);
  EXPECT_EQ(dropped_[0].id, late.id);
}

TEST_F(FairQueueTest, AShortBurstDropsNobody) {
  push(1, 60);
  for (int i = 0; i < 60; ++i) {
    clock_.advance(milliseconds(1));
    EXPECT_EQ(pop(), 1U);
  }
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(FairQueueTest, AStandingQueueIsCutBack) {
  push(1, 200);
  // As many come as are served: without drops the delay would stand at 200 ms for ever.
  for (int i = 0; i < 4'000; ++i) {
    clock_.advance(milliseconds(1));
    push(1, 1);
    pop();
  }
  EXPECT_FALSE(dropped_.empty());
  EXPECT_LT(queue_.size(), 40U);
}

TEST_F(FairQueueTest, TheDelayOfOneTenantDropsNoOther) {
  for (int i = 0; i < 2'000; ++i) {
    clock_.advance(milliseconds(1));
    push(1, 2);
    if (i % 4 == 0) push(2, 1);
    pop();
  }
  ASSERT_FALSE(dropped_.empty());
  for (const QueuedRequest& request : dropped_) ASSERT_EQ(request.tenant.lo, 1U);
}

TEST_F(FairQueueTest, TheLastOfATenantIsNeverDroppedForItsDelay) {
  for (int i = 0; i < 100; ++i) {
    push(1, 1);
    clock_.advance(milliseconds(400));
    EXPECT_EQ(pop(), 1U);
  }
}

}  // namespace
}  // namespace weir::policy
