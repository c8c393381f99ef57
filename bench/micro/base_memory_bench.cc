// SPDX-License-Identifier: Apache-2.0
// Blocks, arena, chain and counters: what an exchange pays for its memory and its accounting.
// Expected: a block out and back under 20 ns, an exchange's worth of arena under 100 ns, a counter
// under 1 ns more than a plain add.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/block.h"
#include "base/buffer_chain.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/rng.h"

namespace {

using namespace weir::base;

void block_take_release(benchmark::State& state) {
  Account process;
  Account listener(&process);
  BlockPool pool(4096, 16);
  for (auto _ : state) {
    Block* block = pool.take(listener);
    benchmark::DoNotOptimize(block);
    pool.release(block);
  }
}
BENCHMARK(block_take_release);

// A head copied, twenty header fields, a rewritten path; then all is given back.
void arena_exchange(benchmark::State& state) {
  Account account;
  BlockPool pool(4096, 16);
  const std::string head(700, 'h');
  for (auto _ : state) {
    Arena arena(pool, account);
    benchmark::DoNotOptimize(arena.copy(head));
    benchmark::DoNotOptimize(arena.array<std::string_view>(40));
    benchmark::DoNotOptimize(arena.concat({"/api", "/v1/orders"}));
  }
}
BENCHMARK(arena_exchange);

void chain_append_consume(benchmark::State& state) {
  Account account;
  BlockPool pool(16 * 1024, 16);
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    BufferChain chain;
    chain.append(bytes, pool, account);
    while (!chain.empty()) chain.consume(chain.front().size(), pool);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(chain_append_consume)->Arg(128)->Arg(64 * 1024);

void counter_add(benchmark::State& state) {
  Counter counter;
  for (auto _ : state) counter.add();
  benchmark::DoNotOptimize(counter.value());
}
BENCHMARK(counter_add);

void histogram_observe(benchmark::State& state) {
  LatencyHistogram histogram;
  Rng rng(1);
  for (auto _ : state) histogram.observe_us(rng.next() >> 44);
  benchmark::DoNotOptimize(histogram.sum_us());
}
BENCHMARK(histogram_observe);

void hash_text(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'k');
  for (auto _ : state) benchmark::DoNotOptimize(hash64(text));
}
BENCHMARK(hash_text)->Arg(8)->Arg(64);

}  // namespace
