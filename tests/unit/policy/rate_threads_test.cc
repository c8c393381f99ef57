// SPDX-License-Identifier: Apache-2.0
// A rate of N admits N, with one thread, two or eight.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "policy/rate_table.h"

namespace weir::policy {
namespace {

LimitKey key_of(std::uint64_t number) {
  return key_of_name(KeySecret{1, 2}, std::to_string(number));
}

void on_threads(unsigned count, const std::function<void(unsigned)>& body) {
  std::barrier start(count);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

constexpr TimePoint kNow{std::chrono::seconds(1'000)};

class RateThreads : public testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Threads, RateThreads, testing::Values(1U, 2U, 8U));

TEST_P(RateThreads, OneKeyAdmitsExactlyItsBurst) {
  RateTable table(1'000, kNow);
  const Rate rate(RateConfig{1, Millis(1'000), 20'000});
  std::atomic<std::uint64_t> passed{0};
  on_threads(GetParam(), [&](unsigned) {
    while (table.charge(key_of(7), rate, 1, kNow).passed) ++passed;
  });
  EXPECT_EQ(passed, 20'000U);
}

// New keys all the time, so that pages fill, split and are probed meanwhile.
TEST_P(RateThreads, ManyNewKeysAdmitExactlyTheirBursts) {
  constexpr std::uint64_t kKeys = 20'000;
  RateTable table(kKeys, kNow);
  const Rate rate(RateConfig{1, Millis(1'000), 3});
  std::atomic<std::uint64_t> passed{0};
  on_threads(GetParam(), [&](unsigned thread) {
    std::uint64_t mine = 0;
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      // The same order in all threads, a little apart.
      const std::uint64_t number = (i + thread * 3) % kKeys;
      for (int n = 0; n < 4; ++n) mine += table.charge(key_of(number), rate, 1, kNow).passed;
    }
    passed += mine;
  });
  EXPECT_EQ(table.table().overflow().value(), 0U);
  EXPECT_EQ(passed, kKeys * 3);
}

// Buckets that fill again at once are evicted under the hands of others.
TEST_P(RateThreads, EvictionUnderWayAdmitsNothingTwice) {
  RateTable table(200, kNow);
  const Rate passer(RateConfig{1'000'000, Millis(1'000), 1});
  const Rate rate(RateConfig{1, Millis(1'000'000), 500});
  std::atomic<std::uint64_t> passed{0};
  on_threads(GetParam(), [&](unsigned thread) {
    base::Rng rng(thread + 1);
    for (std::uint64_t i = 1; i <= 30'000; ++i) {
      const TimePoint now = kNow + std::chrono::microseconds(10 * i);
      table.charge(key_of(100 + rng.below(5'000)), passer, 1, now);
      passed += table.charge(key_of(1), rate, 1, now).passed;
    }
  });
  EXPECT_EQ(passed, 500U);
  EXPECT_GT(table.table().evicted(), 0U);
}

TEST_P(RateThreads, ChargesThatAreAllRefundedLeaveAFullBucket) {
  RateTable table(1'000, kNow);
  const Rate rate(RateConfig{10, Millis(1'000), 100});
  on_threads(GetParam(), [&](unsigned) {
    for (int i = 0; i < 20'000; ++i) {
      const RateResult taken = table.charge(key_of(1), rate, 1, kNow);
      if (taken.passed) table.refund(key_of(1), taken, kNow, kNow);
    }
  });
  EXPECT_EQ(rate.tokens(table.peek(key_of(1), rate, 1, kNow).left_ns), 100U);
}

}  // namespace
}  // namespace weir::policy
