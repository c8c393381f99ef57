// SPDX-License-Identifier: Apache-2.0
// The whole check of a request. Expected: four rates and a concurrency cap over 10,000 tenants and
// 100 functions under 600 ns with its end; a refusal by rate under 300 ns; compiling 100,000
// overrides under 100 ms.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "policy/limits.h"

namespace {

using namespace weir;
using namespace weir::policy;
using Kind = LimitDimension::Kind;

class NoOffice final : public PlaceOffice {
 public:
  std::uint32_t workers() const override { return 1; }
  void post(std::uint32_t, PlaceLetter) override {}
};

struct Nobody final : LimitObserver {
  void on_limits(const LimitVerdict&) override {}
};

RateConfig rate(std::uint64_t amount) { return {amount, Millis(1'000), amount}; }

LimitConfig limit(std::string name, std::vector<LimitDimension> key, std::uint64_t amount) {
  LimitConfig config;
  config.name = std::move(name);
  config.key = std::move(key);
  config.amounts.requests = rate(amount);
  return config;
}

std::vector<LimitConfig> four_limits(std::uint64_t amount) {
  const LimitDimension tenant{Kind::kTenant, ""};
  const LimitDimension function{Kind::kFunction, ""};
  std::vector<LimitConfig> limits{limit("node", {}, 1'000'000'000),
                                  limit("tenant", {tenant}, amount),
                                  limit("function", {function}, 1'000'000'000),
                                  limit("tenant-function", {tenant, function}, 1'000'000'000)};
  limits[1].amounts.concurrency = ConcurrencyConfig{64, {128, 1 << 20, Millis(500)}};
  return limits;
}

class Worker {
 public:
  explicit Worker(const std::vector<LimitConfig>& limits) {
    for (int i = 0; i < 10'000; ++i) tenants_.push_back("tenant-" + std::to_string(i));
    for (int i = 0; i < 100; ++i) functions_.push_back("function-" + std::to_string(i));
    limits_.adopt(LimitSet::compile(limits, registry_));
  }
  LimitVerdict request(std::uint32_t tenant, std::uint32_t function) {
    LimitFacts facts;
    facts.tenant = tenants_[tenant];
    facts.function = functions_[function];
    LimitHold hold(nobody_);
    const LimitVerdict verdict = limits_.check(facts, hold, arena_);
    hold.release();
    arena_.reset();
    return verdict;
  }

 private:
  SystemClock clock_;
  NoOffice office_;
  Nobody nobody_;
  PlaceDesk desk_{office_, 0};
  LimitRegistry registry_{office_, clock_, KeySecret{1, 2}};
  WorkerLimits limits_{clock_, desk_, 0, KeySecret{1, 2}};
  std::vector<std::string> tenants_;
  std::vector<std::string> functions_;
  base::Account account_;
  base::BlockPool pool_{4096, 4};
  base::Arena arena_{pool_, account_};
};

void pass_four_limits_and_a_cap(benchmark::State& state) {
  Worker worker(four_limits(1'000'000'000));
  base::Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(worker.request(rng.below(10'000), rng.below(100)));
}
BENCHMARK(pass_four_limits_and_a_cap);

void pass_one_limit(benchmark::State& state) {
  Worker worker({four_limits(1'000'000'000)[2]});
  for (auto _ : state) benchmark::DoNotOptimize(worker.request(1, 1));
}
BENCHMARK(pass_one_limit);

void refuse_by_the_second_of_four(benchmark::State& state) {
  Worker worker(four_limits(1));
  for (auto _ : state) benchmark::DoNotOptimize(worker.request(1, 1));
}
BENCHMARK(refuse_by_the_second_of_four);

void compile_100000_overrides(benchmark::State& state) {
  std::vector<LimitConfig> limits{four_limits(100)[1]};
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    LimitOverride each{{"tenant-" + std::to_string(i)}, {}};
    each.amounts.requests = rate(1 + i % 50);
    limits[0].overrides.push_back(std::move(each));
  }
  SystemClock clock;
  NoOffice office;
  LimitRegistry registry(office, clock, KeySecret{1, 2});
  for (auto _ : state) benchmark::DoNotOptimize(LimitSet::compile(limits, registry));
}
BENCHMARK(compile_100000_overrides)->Unit(benchmark::kMillisecond);

}  // namespace
