// SPDX-License-Identifier: Apache-2.0
// Cell assignment: a rendezvous over 8 cells, and a look-up among 100,000 pins.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "policy/cell_pins.h"
#include "policy/cell_tag.h"
#include "policy/rendezvous.h"

namespace weir::policy {
namespace {

std::vector<std::string> tenants(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back("tenant-" + std::to_string(i * 7919));
  return out;
}

void BM_Rendezvous(benchmark::State& state) {
  const auto names = tenants(static_cast<std::size_t>(state.range(0)));
  std::vector<Rendezvous::Node> nodes;
  for (const std::string& name : names) nodes.push_back({name, 100});
  const Rendezvous cells(nodes);
  const auto keys = tenants(4096);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(cells.pick(keys[i++ & 4095], UINT64_MAX));
}
BENCHMARK(BM_Rendezvous)->Arg(3)->Arg(8)->Arg(64);

void BM_Pins(benchmark::State& state) {
  const auto names = tenants(100'000);
  CellPins pins(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) pins.add(names[i], i % 8);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pins.find(names[i]));
    i = (i + 7919) % names.size();
  }
}
BENCHMARK(BM_Pins);

void BM_ParseTag(benchmark::State& state) {
  const std::string text = "orders-cell-7:12:1790000000:k1:" + std::string(32, 'a');
  for (auto _ : state) benchmark::DoNotOptimize(parse_cell_tag(text));
}
BENCHMARK(BM_ParseTag);

}  // namespace
}  // namespace weir::policy
