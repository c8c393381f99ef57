// SPDX-License-Identifier: Apache-2.0
#include "admin/totals.h"

#include <gtest/gtest.h>

#include "fake_process.h"

namespace weir::admin {
namespace {

TEST(Totals, SumOverTheWorkers) {
  FakeProcess process;
  const auto& listener = *process.current->listeners[0].shared;
  listener.stats[0]->requests.add(3);
  listener.stats[1]->requests.add(4);
  listener.stats[0]->responses[2].add(3);
  listener.stats[0]->connections_active.add(5);
  listener.stats[1]->connections_active.sub(2);
  listener.stats[0]->duration.observe_us(100);
  listener.stats[1]->duration.observe_us(100);
  process.stats[0]->failures[static_cast<size_t>(ErrorCode::kBadHost)].add(1);
  process.stats[1]->failures[static_cast<size_t>(ErrorCode::kBadHost)].add(2);
  process.stats[1]->spliced_bytes.add(77);
  process.stats[0]->log_dropped.add(2);
  process.stats[0]->exchanges_live.add(6);

  const Totals totals = collect(process);
  ASSERT_EQ(totals.listeners.size(), 1U);
  EXPECT_EQ(totals.listeners[0].requests, 7U);
  EXPECT_EQ(totals.listeners[0].responses[2], 3U);
  EXPECT_EQ(totals.listeners[0].connections, 3);
  EXPECT_EQ(totals.listeners[0].duration.count(), 2U);
  EXPECT_EQ(totals.listeners[0].duration.sum_us, 200U);
  EXPECT_EQ(totals.failures[static_cast<size_t>(ErrorCode::kBadHost)], 3U);
  EXPECT_EQ(totals.spliced_bytes, 77U);
  EXPECT_EQ(totals.log_lines_dropped, 2U);
  EXPECT_EQ(totals.workers[0].exchanges, 6);
  EXPECT_EQ(totals.accounted_bytes(), 2000);
}

TEST(Totals, KnowAges) {
  FakeProcess process;
  process.fake_clock.advance(std::chrono::milliseconds(1500));
  const Totals totals = collect(process);
  EXPECT_DOUBLE_EQ(totals.uptime_seconds, 1.5);
  EXPECT_DOUBLE_EQ(totals.workers[0].turn_age_seconds, 1.5);
}

TEST(Totals, AreThereBeforeTheFirstConfig) {
  FakeProcess process;
  process.current = nullptr;
  const Totals totals = collect(process);
  EXPECT_TRUE(totals.listeners.empty());
  EXPECT_EQ(totals.workers.size(), 2U);
}

TEST(Resources, AreThoseOfThisProcess) {
  const ResourceTotals resources = read_resources();
  EXPECT_GT(resources.resident_bytes, 100'000U);
  EXPECT_GT(resources.max_descriptors, 0U);
  ASSERT_TRUE(resources.open_descriptors);
  EXPECT_GE(*resources.open_descriptors, 3U);
  EXPECT_LT(*resources.open_descriptors, 100U);
}

}  // namespace
}  // namespace weir::admin
