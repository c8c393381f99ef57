// SPDX-License-Identifier: Apache-2.0
#include "upstream/retry_window.h"

#include <gtest/gtest.h>

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

class RetryWindowTest : public ::testing::Test {
 protected:
  void requests(int n) {
    for (int i = 0; i < n; ++i) window.count_request(clock.now());
  }
  int all() {
    int taken = 0;
    while (window.take(budget, clock.now())) ++taken;
    return taken;
  }

  FakeClock clock;
  RetryWindow window;
  RetryBudget budget{Share::percent(20), 3};
};

TEST_F(RetryWindowTest, AFewASecondAreAlwaysAllowed) {
  EXPECT_EQ(all(), 30);
  clock.advance(5s);
  EXPECT_EQ(all(), 0);
  clock.advance(5s);
  EXPECT_EQ(all(), 30);
}

TEST_F(RetryWindowTest, WhatIsGivenBackMayBeTakenAgain) {
  ASSERT_TRUE(window.take(budget, clock.now()));
  const TimePoint taken_at = clock.now();
  clock.advance(3s);
  window.give_back(taken_at);
  EXPECT_EQ(all(), 30);
  for (int i = 0; i < 4; ++i) window.give_back(clock.now());
  EXPECT_EQ(all(), 4);
  clock.advance(20s);
  window.give_back(taken_at);
  EXPECT_EQ(all(), 30) << "long forgotten";
}

TEST_F(RetryWindowTest, RequestsBringTheirShare) {
  budget.min = 0;
  EXPECT_EQ(all(), 0);
  requests(1000);
  EXPECT_EQ(all(), 200);
  clock.advance(10s);
  EXPECT_EQ(all(), 0) << "what is older than the window is not saved";
}

TEST_F(RetryWindowTest, NoTenSecondsHaveMoreThanTheShareWhateverFails) {
  budget.min = 0;
  int asked = 0;
  int repeated = 0;
  for (int tenth = 0; tenth < 1000; ++tenth) {
    requests(10);
    asked += 10;
    repeated += all();
    clock.advance(100ms);
  }
  EXPECT_LE(repeated, asked / 5);
  EXPECT_GE(repeated, asked / 5 - 250);
}

TEST_F(RetryWindowTest, NothingIsAllowedWhereTheBudgetIsNothing) {
  budget = {Share{0}, 0};
  requests(1000);
  EXPECT_EQ(all(), 0);
}

}  // namespace
}  // namespace weir::upstream
