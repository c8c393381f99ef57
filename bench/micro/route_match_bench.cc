// SPDX-License-Identifier: Apache-2.0
// Matching among 100,000 routes and compiling them. Expected: every match below 1 us, the compile
// below 1 s, index_bytes_per_route below 200. Requests are taken from all over the table, so that
// the caches are as cold as they would be with as many tenants.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/account.h"
#include "base/arena.h"
#include "base/block.h"
#include "base/rng.h"
#include "config/diagnostics.h"
#include "route/table.h"

namespace weir::route {
namespace {

constexpr std::size_t kRoutes = 100'000;
constexpr std::size_t kRequests = 1 << 16;

struct Request {
  std::string host;
  std::string path;
};

struct Workload {
  std::vector<RouteConfig> routes;
  std::vector<Request> requests;
  std::unique_ptr<const Table> table;
};

RouteConfig route_of(std::string host, std::string path, PathMatch::Kind kind) {
  RouteConfig route;
  route.name = "route-" + host + path;
  if (!host.empty()) route.match.hosts = {std::move(host)};
  route.match.path.kind = kind;
  route.match.path.value = std::move(path);
  route.target = ClusterTarget{"origin"};
  return route;
}

// 10,000 hosts with 10 paths each: tenants.
Workload many_hosts() {
  Workload work;
  for (std::size_t i = 0; i < kRoutes; ++i) {
    const std::string host = "tenant-" + std::to_string(i / 10) + ".example.com";
    const std::string path = "/api/v1/service-" + std::to_string(i % 10);
    work.routes.push_back(route_of(host, path, PathMatch::Kind::kPrefix));
    work.requests.push_back({host, path + "/orders/4711"});
  }
  return work;
}

// One host with 100,000 paths: functions.
Workload many_paths() {
  Workload work;
  for (std::size_t i = 0; i < kRoutes; ++i) {
    const std::string path =
        "/functions/tenant-" + std::to_string(i / 10) + "/f" + std::to_string(i % 10);
    work.routes.push_back(route_of("faas.example.com", path, PathMatch::Kind::kPrefix));
    work.requests.push_back({"faas.example.com", path + "/orders/4711"});
  }
  return work;
}

// Exact paths on wildcard hosts, under a `/` for everything.
Workload wildcards() {
  Workload work;
  for (std::size_t i = 0; i + 1 < kRoutes; ++i) {
    const std::string host = "tenant-" + std::to_string(i / 10) + ".example.com";
    const std::string path = "/api/" + std::to_string(i % 10);
    work.routes.push_back(route_of("*." + host, path, PathMatch::Kind::kExact));
    work.requests.push_back({"shop." + host, path});
  }
  work.routes.push_back(route_of("", "/", PathMatch::Kind::kPrefix));
  return work;
}

Workload prepared(Workload work) {
  config::Diagnostics diagnostics;
  work.table = Table::compile(work.routes, diagnostics);
  base::Rng rng(1);
  std::vector<Request> mixed;
  mixed.reserve(kRequests);
  for (std::size_t i = 0; i < kRequests; ++i) {
    mixed.push_back(work.requests[rng.below(static_cast<std::uint32_t>(work.requests.size()))]);
  }
  work.requests = std::move(mixed);
  return work;
}

RequestHead head_of(const Request& request) {
  RequestHead head;
  head.method_text = "GET";
  head.host = request.host;
  head.path = request.path;
  return head;
}

enum class Ask { kHit, kMiss };

template <Workload (*make)(), Ask ask>
void match(benchmark::State& state) {
  static const Workload work = prepared(make());
  base::Account account;
  base::BlockPool pool(4096, 1);
  base::Arena arena(pool, account);
  std::vector<RequestHead> heads;
  for (const Request& request : work.requests) {
    heads.push_back(head_of(request));
    if (ask == Ask::kMiss) heads.back().path.remove_prefix(heads.back().path.size() - 3);
  }
  std::size_t next = 0;
  std::size_t found = 0;
  for (auto _ : state) {
    const Table::Match result = work.table->match(heads[next++ % kRequests], arena);
    found += result.route != nullptr;
    benchmark::DoNotOptimize(result);
  }
  state.counters["found"] = static_cast<double>(found) / static_cast<double>(state.iterations());
}
BENCHMARK(match<many_hosts, Ask::kHit>);
BENCHMARK(match<many_hosts, Ask::kMiss>);
BENCHMARK(match<many_paths, Ask::kHit>);
BENCHMARK(match<many_paths, Ask::kMiss>);
BENCHMARK(match<wildcards, Ask::kHit>);

template <Workload (*make)()>
void compile(benchmark::State& state) {
  const Workload work = make();
  std::size_t index_bytes = 0;
  for (auto _ : state) {
    config::Diagnostics diagnostics;
    const auto table = Table::compile(work.routes, diagnostics);
    index_bytes = table->index_bytes();
    benchmark::DoNotOptimize(table);
  }
  state.counters["index_bytes_per_route"] =
      static_cast<double>(index_bytes) / static_cast<double>(work.routes.size());
  state.counters["route_object_bytes"] = sizeof(Route);
}
BENCHMARK(compile<many_hosts>)->Unit(benchmark::kMillisecond);
BENCHMARK(compile<many_paths>)->Unit(benchmark::kMillisecond);
BENCHMARK(compile<wildcards>)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::route
