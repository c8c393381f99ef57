// SPDX-License-Identifier: Apache-2.0
// Which version a request gets: a list of 100,000 tenants, a header and a split, asked by a tenant
// whom only the split can take.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "proxy/releases.h"

namespace weir::proxy {
namespace {

ReleaseRule tenants(std::size_t count) {
  ReleaseRule rule;
  rule.kind = ReleaseRule::Kind::kTenants;
  for (std::size_t i = 0; i < count; ++i) rule.tenants.push_back("early-" + std::to_string(i));
  return rule;
}

ReleaseRule canary() {
  ReleaseRule rule;
  rule.kind = ReleaseRule::Kind::kMatch;
  ValueMatch& match = rule.headers.emplace_back();
  match.name = "x-canary";
  match.value = "1";
  return rule;
}

ReleaseRule weight(std::uint32_t percent) {
  ReleaseRule rule;
  rule.weight = Share::percent(percent);
  return rule;
}

void BM_Choose(benchmark::State& state) {
  Config config;
  ReleaseConfig& orders = config.releases.emplace_back();
  orders.name = "orders";
  orders.rules = {tenants(100'000), canary(), weight(5)};
  config::Diagnostics diagnostics;
  const auto releases = Releases::compile(config, diagnostics);
  base::Account account;
  base::BlockPool blocks(4096, 1);
  base::Arena arena(blocks, account);
  RequestHead head;
  head.headers = HeaderList(arena.array<Header>(12), 12);
  for (int i = 0; i < 10; ++i) head.headers.push({"x-some-header", "value", HeaderId::kOther});
  std::vector<std::string> names;
  for (int i = 0; i < 4096; ++i) names.push_back("tenant-" + std::to_string(i * 7919));
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(releases->choose(0, {head, names[i++ & 4095], {}, 0}, arena));
  }
}
BENCHMARK(BM_Choose);

}  // namespace
}  // namespace weir::proxy
