// SPDX-License-Identifier: Apache-2.0
#include "policy/traffic.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::policy {
namespace {

using enum TrafficOutcome;

CountedName counted(std::string_view name) { return CountedName::make(KeySecret{1, 2}, name); }

std::map<std::string, std::uint64_t> totals(Traffic& traffic) {
  std::map<std::string, std::uint64_t> out;
  for (const TrafficTable::Line& line : traffic.read()) {
    EXPECT_FALSE(out.contains(line.name)) << "twice: " << line.name;
    out[line.name] = line.counts.total();
  }
  return out;
}

void count(TrafficTable& table, std::string_view name, int times) {
  for (int i = 0; i < times; ++i) table.count(counted(name), kOk, 100);
}

TEST(Traffic, CountsOutcomesAndLatencyByName) {
  Traffic traffic(1, 4);
  TrafficTable& table = traffic.table(0);
  table.count(counted("acme"), kOk, 100);
  table.count(counted("acme"), kOk, 256);
  table.count(counted("acme"), kClientError, 1023);
  table.count(counted("acme"), kServerError, 1024);
  table.count(counted("acme"), kRefused, 5);
  table.count(counted("acme"), kOk, 60'000'000);
  const auto lines = traffic.read();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].name, "acme");
  const TrafficCounts& counts = lines[0].counts;
  EXPECT_EQ(counts.requests, (std::array<std::uint64_t, 4>{3, 1, 1, 1}));
  EXPECT_EQ(counts.latency, (std::array<std::uint64_t, 10>{1, 2, 1, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(counts.latency_us, 60'002'403U);
  EXPECT_EQ(lines[1].name, "other");
  EXPECT_EQ(lines[1].counts.total(), 0U);
}

TEST(Traffic, SumsOverWorkersAndReads) {
  Traffic traffic(2, 4);
  count(traffic.table(0), "acme", 3);
  EXPECT_EQ(totals(traffic)["acme"], 3U);
  count(traffic.table(0), "acme", 2);
  count(traffic.table(1), "acme", 5);
  EXPECT_EQ(totals(traffic)["acme"], 10U);
  EXPECT_EQ(totals(traffic)["acme"], 10U) << "reading takes nothing away";
}

TEST(Traffic, NamesTheBusiestAndSumsTheRest) {
  Traffic traffic(1, 2);
  count(traffic.table(0), "a", 5);
  count(traffic.table(0), "b", 50);
  count(traffic.table(0), "c", 40);
  EXPECT_EQ(totals(traffic),
            (std::map<std::string, std::uint64_t>{{"b", 50}, {"c", 40}, {"other", 5}}));
}

TEST(Traffic, WhoBecomesBusyTakesTheNameOfWhoFellSilent) {
  Traffic traffic(1, 2);
  count(traffic.table(0), "a", 50);
  count(traffic.table(0), "b", 50);
  (void)traffic.read();
  std::uint64_t other = 0;
  for (int round = 0; round < 20; ++round) {
    count(traffic.table(0), "a", 50);
    count(traffic.table(0), "c", 30);
    const auto now = totals(traffic);
    EXPECT_EQ(now.at("a"), 50U * static_cast<unsigned>(round + 2));
    EXPECT_GE(now.at("other"), other) << "others never lose what they had";
    other = now.at("other");
  }
  const auto now = totals(traffic);
  EXPECT_TRUE(now.contains("c"));
  EXPECT_FALSE(now.contains("b"));
}

TEST(Traffic, EveryRequestIsCountedOnceWhateverNamesCome) {
  Traffic traffic(1, 8);
  std::uint64_t counted = 0;
  std::uint64_t read = 0;
  std::map<std::string, std::uint64_t> before;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 5'000; ++i) {
      count(traffic.table(0), "stranger-" + std::to_string(round * 5'000 + i), 1);
      if (i % 5 == 0) count(traffic.table(0), "acme", 1);
      counted += i % 5 == 0 ? 2 : 1;
    }
    const auto now = totals(traffic);
    ASSERT_LE(now.size(), 9U);
    for (const auto& [name, total] : now) {
      const auto last = before.find(name);
      read += total - (last == before.end() ? 0 : last->second);
    }
    before = now;
  }
  EXPECT_EQ(read, counted);
  EXPECT_EQ(before["acme"], 20'000U) << "strangers do not push out who is busy";
}

TEST(Traffic, WhatIsAsBusyAsItsPlacesAllowIsNamedCompletely) {
  Traffic traffic(1, 50);
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 50; ++i) count(traffic.table(0), "t" + std::to_string(i), 1);
  }
  const auto now = totals(traffic);
  EXPECT_EQ(now.size(), 51U);
  EXPECT_EQ(now.at("other"), 0U);
}

TEST(Traffic, NamesAreReadableAndTellApartWhatIsOther) {
  Traffic traffic(1, 8);
  TrafficTable& table = traffic.table(0);
  count(table, "gr\xc3\xbc\xc3\x9f", 1);
  count(table, "\xff\xfe", 2);
  count(table, "\xfe\xff", 3);
  count(table, "\xed\xa0\x80", 4);
  count(table, "cut\xe2\x82", 5);
  count(table, "other", 6);
  count(table, std::string(257, 'x'), 7);
  EXPECT_EQ(totals(traffic),
            (std::map<std::string, std::uint64_t>{
                {"gr\xc3\xbc\xc3\x9f", 1}, {"??", 5}, {"???", 4}, {"cut??", 5}, {"other", 13}}));
}

}  // namespace
}  // namespace weir::policy
