// SPDX-License-Identifier: Apache-2.0
#include "base/memory_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace weir::base {
namespace {

using std::chrono::milliseconds;

struct Seen : MemoryBudget::Observer {
  void on_memory_stage(MemoryStage before, MemoryStage now) override {
    const std::lock_guard lock(mutex);  // It is told on whatever thread has moved the stage.
    stages.emplace_back(before, now);
  }
  std::vector<std::pair<MemoryStage, MemoryStage>> stages;
  std::mutex mutex;
};

class MemoryBudgetTest : public testing::Test {
 protected:
  MemoryBudgetTest() { budget_.set_limit(1'000'000); }
  void charge_to(int64_t percent) { budget_.add(percent * 10'000 - budget_.charged()); }
  void settle_after(milliseconds passed) { budget_.settle(now_ += passed); }

  Seen seen_;
  MemoryBudget budget_{2, &seen_};
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(MemoryBudgetTest, EachLineRaisesTheStageAtOnce) {
  const std::vector<std::pair<int64_t, MemoryStage>> lines{
      {69, MemoryStage::kCalm},         {70, MemoryStage::kDropExtras},
      {79, MemoryStage::kDropExtras},   {80, MemoryStage::kShrink},
      {90, MemoryStage::kRefuseBodies}, {95, MemoryStage::kRefuseRequests},
      {98, MemoryStage::kReset},        {150, MemoryStage::kReset}};
  for (const auto& [percent, stage] : lines) {
    charge_to(percent);
    EXPECT_EQ(budget_.stage(), stage) << percent;
  }
  EXPECT_EQ(seen_.stages.size(), 5U);
}

TEST_F(MemoryBudgetTest, OneStepMayCrossSeveralLines) {
  charge_to(96);
  ASSERT_EQ(seen_.stages.size(), 1U);
  EXPECT_EQ(seen_.stages[0], std::pair(MemoryStage::kCalm, MemoryStage::kRefuseRequests));
}

TEST_F(MemoryBudgetTest, EndsAStageFivePointsBelowAndASecondLater) {
  charge_to(81);
  charge_to(75);
  settle_after(milliseconds(0));
  settle_after(milliseconds(5000));
  EXPECT_EQ(budget_.stage(), MemoryStage::kShrink) << "75 is not below 75";
  charge_to(74);
  settle_after(milliseconds(0));
  settle_after(milliseconds(999));
  EXPECT_EQ(budget_.stage(), MemoryStage::kShrink);
  settle_after(milliseconds(1));
  EXPECT_EQ(budget_.stage(), MemoryStage::kDropExtras);
}

TEST_F(MemoryBudgetTest, TheSecondBeginsAnewWhenTheChargeComesBack) {
  charge_to(71);
  charge_to(60);
  settle_after(milliseconds(0));
  settle_after(milliseconds(900));
  charge_to(66);  // seen by the charge itself, between two looks
  charge_to(60);
  settle_after(milliseconds(200));
  EXPECT_EQ(budget_.stage(), MemoryStage::kDropExtras);
  settle_after(milliseconds(1000));
  EXPECT_EQ(budget_.stage(), MemoryStage::kCalm);
}

TEST_F(MemoryBudgetTest, FallsAsFarAsTheChargeAllows) {
  charge_to(99);
  charge_to(1);
  settle_after(milliseconds(0));
  settle_after(milliseconds(1000));
  EXPECT_EQ(budget_.stage(), MemoryStage::kCalm);
  EXPECT_EQ(seen_.stages.back(), std::pair(MemoryStage::kReset, MemoryStage::kCalm));
}

TEST_F(MemoryBudgetTest, NeverFlapsFasterThanASecond) {
  Rng rng(3);
  TimePoint last{};
  for (int i = 0; i < 20'000; ++i) {
    charge_to(static_cast<int64_t>(rng.next() % 100));
    const MemoryStage before = budget_.stage();
    settle_after(milliseconds(10));
    if (budget_.stage() >= before) continue;
    EXPECT_GE(now_ - last, milliseconds(1000));
    last = now_;
  }
}

TEST_F(MemoryBudgetTest, ANewLimitIsJudgedAtOnce) {
  charge_to(50);
  budget_.set_limit(600'000);
  EXPECT_EQ(budget_.stage(), MemoryStage::kShrink);
  budget_.set_limit(2'000'000);
  settle_after(milliseconds(0));
  settle_after(milliseconds(1000));
  EXPECT_EQ(budget_.stage(), MemoryStage::kCalm);
}

TEST_F(MemoryBudgetTest, AMeterKeepsLessThanABatchToItself) {
  MemoryMeter meter(&budget_);
  meter.push();
  const int64_t batch = budget_.batch();
  meter.add(batch - 1);
  EXPECT_EQ(budget_.charged(), 0);
  EXPECT_TRUE(meter.fits(budget_.limit() - batch + 1));
  EXPECT_FALSE(meter.fits(budget_.limit() - batch + 2));
  meter.add(1);
  EXPECT_EQ(budget_.charged(), batch);
  meter.add(-batch);
  EXPECT_EQ(budget_.charged(), 0);
}

TEST_F(MemoryBudgetTest, TheErrorIsAFewPercentOfTheBudgetAtMost) {
  for (const int64_t limit : {1 << 20, 1 << 24, 1 << 30}) {
    budget_.set_limit(limit);
    EXPECT_LE(budget_.error_bound(), limit / 30);
  }
}

TEST_F(MemoryBudgetTest, WithoutALimitNothingIsRefused) {
  budget_.set_limit(0);
  MemoryMeter meter(&budget_);
  meter.add(int64_t{1} << 50);
  EXPECT_TRUE(meter.fits(int64_t{1} << 50));
  EXPECT_EQ(budget_.stage(), MemoryStage::kCalm);
}

TEST_F(MemoryBudgetTest, ThreadsAddUp) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([this, t] {
      MemoryMeter meter(&budget_);
      Rng rng(static_cast<uint64_t>(t) + 1);
      int64_t held = 0;
      for (int i = 0; i < 50'000; ++i) {
        const auto n = static_cast<int64_t>(rng.next() % 20'000);
        const int64_t by = held > 400'000 ? -std::min(n, held) : n;
        held += by;
        meter.add(by);
      }
      meter.add(-held);
      meter.push();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget_.charged(), 0);
}

}  // namespace
}  // namespace weir::base
