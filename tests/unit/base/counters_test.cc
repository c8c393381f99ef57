// SPDX-License-Identifier: Apache-2.0
#include "base/counters.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "base/account.h"

namespace weir::base {
namespace {

TEST(Counters, CountUpAndBothWays) {
  Counter counter;
  counter.add();
  counter.add(41);
  EXPECT_EQ(counter.value(), 42U);
  Gauge gauge;
  gauge.add(5);
  gauge.sub(8);
  EXPECT_EQ(gauge.value(), -3);
}

TEST(Counters, ReadersNeverSeeACounterGoDown) {
  Counter counter;
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) counter.add();
  });
  uint64_t last = 0;
  while (last < 100'000) {
    uint64_t now = counter.value();
    ASSERT_GE(now, last);
    last = now;
  }
  writer.join();
}

TEST(LatencyHistogram, BucketsArePowersOfTwo) {
  LatencyHistogram histogram;
  for (uint64_t us : {0U, 1U, 2U, 3U, 4U, 1023U, 1024U}) histogram.observe_us(us);
  EXPECT_EQ(histogram.bucket(0), 1U);
  EXPECT_EQ(histogram.bucket(1), 1U);
  EXPECT_EQ(histogram.bucket(2), 2U);
  EXPECT_EQ(histogram.bucket(3), 1U);
  EXPECT_EQ(histogram.bucket(10), 1U);
  EXPECT_EQ(histogram.bucket(11), 1U);
  EXPECT_EQ(histogram.sum_us(), 0U + 1 + 2 + 3 + 4 + 1023 + 1024);
  for (uint64_t us : {1U, 2U, 3U, 1000U}) {
    size_t bucket = 0;
    while (us >= LatencyHistogram::bound_us(bucket)) ++bucket;
    EXPECT_LT(us, LatencyHistogram::bound_us(bucket));
  }
}

TEST(LatencyHistogram, TheLastBucketTakesAllOthers) {
  LatencyHistogram histogram;
  histogram.observe_us(std::numeric_limits<uint64_t>::max());
  histogram.observe_us(uint64_t{1} << 40);
  EXPECT_EQ(histogram.bucket(LatencyHistogram::kBuckets - 1), 2U);
}

TEST(AccountTest, ChargesGoUpTheChain) {
  Account process;
  Account listener(&process);
  Account other(&process);
  listener.charge(100);
  other.charge(10);
  EXPECT_EQ(listener.held(), 100);
  EXPECT_EQ(process.held(), 110);
  listener.refund(100);
  EXPECT_EQ(listener.held(), 0);
  EXPECT_EQ(process.held(), 10);
}

}  // namespace
}  // namespace weir::base
