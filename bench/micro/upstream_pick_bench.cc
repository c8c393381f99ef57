// SPDX-License-Identifier: Apache-2.0
// Choosing an endpoint, finding a pooled connection, working out a hash table. Expected: a pick by
// least_request under 30 ns whatever the number of endpoints; a whole lease from the pool under
// 100 ns.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "upstream/balancer.h"
#include "upstream/worker_cluster.h"

namespace {

using namespace weir;
using namespace weir::upstream;

std::vector<EndpointSpec> make_specs(std::size_t count, bool equal) {
  std::vector<EndpointSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(i + 1);
    const std::string text = "10.0.0.1:" + std::to_string(port);
    specs.push_back({{Address::Kind::kIp, {false, {10, 0, 0, 1}}, port, "", text},
                     text,
                     equal ? 100 : static_cast<std::uint32_t>(50 + i % 7 * 20),
                     ""});
  }
  return specs;
}

void pick(benchmark::State& state, BalancePolicy policy, bool equal) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto set =
      EndpointSet::build(EndpointSet::members_from(make_specs(count, equal), nullptr), policy);
  base::Rng rng(1);
  Balancer balancer(0);
  std::uint64_t hash = 0;
  for (auto _ : state) {
    hash += 0x9e3779b97f4a7c15ULL;
    benchmark::DoNotOptimize(balancer.pick(*set, policy, {rng, hash, {}}));
  }
}
BENCHMARK_CAPTURE(pick, least_request, BalancePolicy::kLeastRequest, true)
    ->Arg(2)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000);
BENCHMARK_CAPTURE(pick, least_request_weighted, BalancePolicy::kLeastRequest, false)
    ->Arg(2)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000);
BENCHMARK_CAPTURE(pick, round_robin, BalancePolicy::kRoundRobin, true)->Arg(10)->Arg(1'000);
BENCHMARK_CAPTURE(pick, random, BalancePolicy::kRandom, false)->Arg(10)->Arg(1'000);
BENCHMARK_CAPTURE(pick, maglev, BalancePolicy::kMaglev, true)->Arg(10)->Arg(1'000);

struct Connection final : PoolEntry {
  using PoolEntry::PoolEntry;
  void close_idle() override {}
};

struct Waiter final : PlaceWaiter {
  void on_place() override {}
};

// What an exchange does with its cluster from admission to its end, the connection being pooled.
void whole_exchange(benchmark::State& state) {
  SystemClock clock;
  net::Loop loop(clock);
  const auto cluster = std::make_shared<Cluster>("c");
  cluster->publish(std::make_shared<const ClusterConfig>(),
                   ClusterLimits::from(ClusterConfig{}, AutoLimits{}));
  cluster->publish(EndpointSet::build(EndpointSet::members_from(make_specs(1, true), nullptr),
                                      BalancePolicy::kLeastRequest));
  WorkerCluster view(loop, cluster, 1);
  Waiter waiter;
  std::unique_ptr<Connection> connection;
  {
    auto hold = view.pick();
    connection = std::make_unique<Connection>(std::move(view.lease(**hold, waiter)->connect));
    view.give_back(*connection);
  }
  for (auto _ : state) {
    auto request = view.admit();
    auto hold = view.pick();
    auto offer = view.lease(**hold, waiter);
    view.give_back(*offer->reused);
    benchmark::DoNotOptimize(offer);
  }
  connection.reset();
}
BENCHMARK(whole_exchange);

void build_maglev(benchmark::State& state) {
  const auto members = EndpointSet::members_from(
      make_specs(static_cast<std::size_t>(state.range(0)), false), nullptr);
  for (auto _ : state) {
    benchmark::DoNotOptimize(EndpointSet::build(members, BalancePolicy::kMaglev));
  }
}
BENCHMARK(build_maglev)->Arg(10)->Arg(1'000)->Unit(benchmark::kMillisecond);

}  // namespace
