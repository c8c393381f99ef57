// SPDX-License-Identifier: Apache-2.0
// One check of a rate: look-up and compare-and-swap. Expected: under 40 ns on a warm key and under
// 150 ns among a million keys, two threads on one key included; hashing a name some 20 ns.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "policy/rate_table.h"

namespace {

using namespace weir;
using namespace weir::policy;

constexpr TimePoint kStart{std::chrono::seconds(1'000)};
constexpr std::uint32_t kMillion = 1'000'000;

LimitKey key_of(std::uint64_t number) {
  base::Rng rng(number * 2 + 1);
  return {rng.next(), rng.next()};
}

const Rate& rate() {
  static const Rate value(RateConfig{1'000'000'000, Millis(1'000), 1'000'000'000});
  return value;
}

// All keys in use, none idle.
RateTable& filled() {
  static RateTable* const table = [] {
    auto* made = new RateTable(kMillion, kStart);
    for (std::uint64_t i = 0; i < kMillion; ++i) {
      made->charge_debt(key_of(i), rate(), 500'000'000, kStart);
    }
    return made;
  }();
  return *table;
}

void hash_tenant_and_function(benchmark::State& state) {
  const std::string tenant = "tenant-01234";
  const std::string function = "resize-image";
  for (auto _ : state) {
    KeyJoiner joiner;
    joiner.add(key_of_name(KeySecret{1, 2}, tenant));
    joiner.add(key_of_name(KeySecret{1, 2}, function));
    benchmark::DoNotOptimize(joiner.finish());
  }
}
BENCHMARK(hash_tenant_and_function);

void hash_tenant(benchmark::State& state) {
  const std::string tenant = "tenant-01234";
  for (auto _ : state) {
    benchmark::DoNotOptimize(key_of_name(KeySecret{1, 2}, tenant));
  }
}
BENCHMARK(hash_tenant);

// The first thread's table serves all: threads > 1 fight for one word.
void charge_warm_key(benchmark::State& state) {
  RateTable& table = filled();
  const LimitKey key = key_of(7);
  std::int64_t ns = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.charge(key, rate(), 1, kStart + Duration(ns += 100)));
  }
}
BENCHMARK(charge_warm_key)->UseRealTime()->Threads(1)->Threads(2);

void charge_among_a_million(benchmark::State& state) {
  RateTable& table = filled();
  base::Rng rng(static_cast<std::uint64_t>(state.thread_index()) + 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.charge(key_of(rng.below(kMillion)), rate(), 1, kStart));
  }
  state.counters["bytes_per_key"] =
      benchmark::Counter(static_cast<double>(table.table().memory_bytes()) / kMillion,
                         benchmark::Counter::kAvgThreads);
}
BENCHMARK(charge_among_a_million)->UseRealTime()->Threads(1)->Threads(2);

void refuse_warm_key(benchmark::State& state) {
  RateTable table(1'000, kStart);
  const Rate slow(RateConfig{1, Millis(1'000), 1});
  const LimitKey key = key_of(7);
  for (auto _ : state) benchmark::DoNotOptimize(table.charge(key, slow, 1, kStart));
}
BENCHMARK(refuse_warm_key);

// Every key new: locks, inserts, splits pages.
void charge_new_keys(benchmark::State& state) {
  constexpr std::uint64_t kKeys = 200'000;
  for (auto _ : state) {
    RateTable table(kMillion, kStart);
    for (std::uint64_t i = 0; i < kKeys; ++i) table.charge(key_of(i), rate(), 1, kStart);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kKeys));
}
BENCHMARK(charge_new_keys)->Unit(benchmark::kMillisecond);

// A flood of passers-by in a full table: pages are purged over and over.
void charge_passers_by(benchmark::State& state) {
  RateTable table(10'000, kStart);
  std::uint64_t i = 0;
  for (auto _ : state) {
    ++i;
    benchmark::DoNotOptimize(
        table.charge(key_of(i), rate(), 1, kStart + Duration(static_cast<std::int64_t>(i))));
  }
}
BENCHMARK(charge_passers_by);

// A flood of new keys in a table that is full of keys in use.
void charge_overflow(benchmark::State& state) {
  RateTable table(10'000, kStart);
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    table.charge_debt(key_of(i), rate(), 500'000'000, kStart);
  }
  std::uint64_t i = 100'000;
  for (auto _ : state) benchmark::DoNotOptimize(table.charge(key_of(++i), rate(), 1, kStart));
}
BENCHMARK(charge_overflow);

}  // namespace
