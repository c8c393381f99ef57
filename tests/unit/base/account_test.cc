// SPDX-License-Identifier: Apache-2.0
#include "base/account.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace weir::base {
namespace {

class AccountUnderBudgetTest : public testing::Test {
 protected:
  static constexpr int64_t kLimit = 1'000'000;
  AccountUnderBudgetTest() { budget_.set_limit(kLimit); }

  int64_t pushed() {
    meter_.push();
    return budget_.charged();
  }

  MemoryBudget budget_{1};
  MemoryMeter meter_{&budget_};
  Account worker_{meter_};
  Account listener_{&worker_};
  Account exchange_{&listener_};
};

TEST_F(AccountUnderBudgetTest, WhatIsHeldIsChargedToAllAbove) {
  exchange_.charge(300);
  listener_.charge(50);
  EXPECT_EQ(exchange_.held(), 300);
  EXPECT_EQ(listener_.held(), 350);
  EXPECT_EQ(worker_.held(), 350);
  EXPECT_EQ(pushed(), 350);
}

TEST_F(AccountUnderBudgetTest, CostsTheLargerOfReservedAndHeld) {
  exchange_.charge(300);
  exchange_.reserve(1000);
  EXPECT_EQ(worker_.held(), 1000);
  exchange_.charge(500);
  EXPECT_EQ(worker_.held(), 1000);
  exchange_.charge(500);
  EXPECT_EQ(worker_.held(), 1300);
  exchange_.refund(1200);
  EXPECT_EQ(worker_.held(), 1000);
  exchange_.reserve(0);
  EXPECT_EQ(worker_.held(), 100);
  EXPECT_EQ(pushed(), 100);
}

TEST_F(AccountUnderBudgetTest, GrowthIsWhatIsNotReserved) {
  exchange_.charge(100);
  exchange_.reserve(1000);
  EXPECT_EQ(exchange_.growth(900), 0);
  EXPECT_EQ(exchange_.growth(1000), 100);
}

TEST_F(AccountUnderBudgetTest, ShareCountsWhileJoinedAndIsWholeAgainAfterwards) {
  MemoryShare share{0};
  exchange_.charge(100);
  exchange_.join(share, 500);
  EXPECT_EQ(share.load(), 100);
  exchange_.reserve(450);
  EXPECT_EQ(share.load(), 450);
  EXPECT_TRUE(exchange_.share_fits(50));
  EXPECT_FALSE(exchange_.share_fits(51));
  exchange_.leave();
  EXPECT_EQ(share.load(), 0);
  exchange_.refund(100);
  exchange_.reserve(0);
  EXPECT_EQ(share.load(), 0);
  EXPECT_EQ(pushed(), 0);
}

TEST_F(AccountUnderBudgetTest, BytesThatComeUnaskedMustFitTheBudget) {
  EXPECT_TRUE(exchange_.may_hold(kLimit));
  EXPECT_FALSE(exchange_.may_hold(kLimit + 1));
  exchange_.reserve(kLimit / 2);
  EXPECT_TRUE(exchange_.may_hold(kLimit / 2));
}

TEST_F(AccountUnderBudgetTest, TheShareHoldsThemBackOnlyWhileMemoryIsShort) {
  MemoryShare share{0};
  exchange_.join(share, 1000);
  EXPECT_TRUE(exchange_.may_hold(2000));
  listener_.charge(kLimit * 3 / 4);
  meter_.push();
  ASSERT_EQ(budget_.stage(), MemoryStage::kDropExtras);
  EXPECT_FALSE(exchange_.may_hold(2000));
  EXPECT_TRUE(exchange_.may_hold(1000));
  exchange_.leave();
}

TEST_F(AccountUnderBudgetTest, WithoutAMeterNothingIsRefused) {
  Account alone;
  alone.charge(10);
  EXPECT_TRUE(alone.may_hold(size_t{1} << 40));
  EXPECT_TRUE(alone.may_carry(size_t{1} << 40));
}

// Whatever exchanges do, in whatever order they end: every sum is that of its parts, and zero when
// all have ended.
TEST_F(AccountUnderBudgetTest, SumsFollowEveryMixOfEventsAndReturnToZero) {
  Rng rng(7);
  constexpr size_t kMany = 40;
  std::vector<std::unique_ptr<Account>> accounts;
  std::vector<int64_t> held(kMany);
  std::array<MemoryShare, 3> shares{};
  for (size_t i = 0; i < kMany; ++i) {
    accounts.push_back(std::make_unique<Account>(&listener_));
    accounts[i]->join(shares[i % shares.size()], kLimit);
  }
  const auto check = [&] {
    int64_t sum = 0;
    std::array<int64_t, 3> by_share{};
    for (size_t i = 0; i < kMany; ++i) {
      ASSERT_EQ(accounts[i]->held(), held[i]);
      ASSERT_EQ(accounts[i]->charged(), std::max(held[i], accounts[i]->reserved()));
      sum += accounts[i]->charged();
      by_share[i % 3] += accounts[i]->charged();
    }
    ASSERT_EQ(worker_.held(), sum);
    for (size_t i = 0; i < 3; ++i) ASSERT_EQ(shares[i].load(), by_share[i]);
    ASSERT_LE(std::abs(budget_.charged() - sum), budget_.error_bound());
  };
  for (int step = 0; step < 20'000; ++step) {
    const size_t i = rng.next() % kMany;
    const auto n = static_cast<int64_t>(rng.next() % 20'000);
    switch (rng.next() % 4) {
      case 0:
        accounts[i]->charge(static_cast<size_t>(n));
        held[i] += n;
        break;
      case 1:
        accounts[i]->refund(static_cast<size_t>(std::min(n, held[i])));
        held[i] -= std::min(n, held[i]);
        break;
      case 2:
        accounts[i]->reserve(n);
        break;
      default:
        accounts[i]->reserve(0);
        break;
    }
    if (step % 100 == 0) check();
  }
  check();
  for (size_t i = 0; i < kMany; ++i) {
    accounts[i]->refund(static_cast<size_t>(held[i]));
    if (i % 2 == 0) accounts[i]->reserve(0);
    accounts[i]->leave();
    accounts[i]->reserve(0);
  }
  EXPECT_EQ(worker_.held(), 0);
  for (const MemoryShare& share : shares) EXPECT_EQ(share.load(), 0);
  EXPECT_EQ(pushed(), 0);
}

TEST(AccountTest, WhatIsChargedIsInTheSumWhileItIsCountedThere) {
  Gauge sum;
  Account account;
  account.charge(100);
  account.count_in(&sum);
  EXPECT_EQ(sum.value(), 100);
  account.reserve(1000);
  EXPECT_EQ(sum.value(), 1000);
  account.charge(300);
  EXPECT_EQ(sum.value(), 1000) << "within what was reserved";
  account.reserve(0);
  EXPECT_EQ(sum.value(), 400);
  account.count_in(nullptr);
  EXPECT_EQ(sum.value(), 0);
  account.refund(400);
  EXPECT_EQ(sum.value(), 0);
}

}  // namespace
}  // namespace weir::base
