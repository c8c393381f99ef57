// SPDX-License-Identifier: Apache-2.0
// Breakers under several threads: counts add up, functions are added once, probes come back.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "policy/cluster_breakers.h"

namespace weir::policy {
namespace {

constexpr int kThreads = 4;
constexpr int kCalls = 5'000;

TEST(BreakerThreads, CountsOfAllThreadsAddUp) {
  FakeClock clock;
  CircuitBreakerConfig config;
  config.minimum_requests = 1'000'000'000;
  ClusterBreakers breakers("orders");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        const std::string function = "f" + std::to_string(i % 50);
        const bool bad = (i + t) % 4 == 0;
        breakers.record(config, function,
                        bad ? base::CallOutcome::kFailure : base::CallOutcome::kSuccess,
                        clock.now(), nullptr);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto rows = breakers.read(config, clock.now());
  EXPECT_EQ(rows[0].reading.window.calls, uint64_t{kThreads} * kCalls);
  EXPECT_EQ(rows[0].reading.window.failures, uint64_t{kThreads} * kCalls / 4);
  EXPECT_EQ(rows.size(), 51u);
}

TEST(BreakerThreads, ProbesAreAsManyAsAllowedAndComeBack) {
  FakeClock clock;
  CircuitBreakerConfig config;
  ClusterBreakers breakers("orders");
  for (int i = 0; i < 20; ++i) {
    breakers.record(config, {}, base::CallOutcome::kFailure, clock.now(), nullptr);
  }
  clock.advance(config.open_duration);
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  std::vector<BreakerPermit> permits(kThreads * 100);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      base::Rng rng(static_cast<uint64_t>(t));
      for (int i = 0; i < 100; ++i) {
        BreakerPermit& permit = permits[static_cast<size_t>(t * 100 + i)];
        if (!breakers.admit(config, {}, permit, {clock.now(), rng})) admitted.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted.load(), 10);
  for (BreakerPermit& permit : permits) permit.release();
  base::Rng rng(1);
  BreakerPermit again;
  EXPECT_FALSE(breakers.admit(config, {}, again, {clock.now(), rng}));
}

}  // namespace
}  // namespace weir::policy
