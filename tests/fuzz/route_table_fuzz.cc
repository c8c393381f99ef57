// SPDX-License-Identifier: Apache-2.0
// Any bytes -> a table of routes and requests to it: the table must agree with the reference
// matcher, and rewrites and redirects must stay what they promise. Parts are separated by 0xff
// 0x00: the choices that make routes, the choices that make requests, then raw text for path, host
// and query.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "../unit/route/reference_matcher.h"
#include "base/check.h"
#include "route/explain.h"
#include "route/order.h"
#include "route/rewrite.h"

namespace weir::route {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMaxRoutes = 24;
constexpr std::size_t kMaxRequests = 16;

Bytes take_part(Bytes& bytes) {
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    if (bytes[i] != 0xff || bytes[i + 1] != 0) continue;
    const Bytes part = bytes.first(i);
    bytes = bytes.subspan(i + 2);
    return part;
  }
  return std::exchange(bytes, {});
}

std::string text(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

void check_request(const Table& table, const std::vector<ReferenceRow>& rows, TestRequest request) {
  const RequestHead& head = request.head();
  CHECK(table_match(table, head) == reference_match(rows, head));
  const Explanation why = explain(table, head);
  CHECK(!to_text(table, why).empty());
  if (why.route == nullptr) return;
  TestArena scratch;
  const std::string_view location = redirect_location(*why.route, head, scratch.arena);
  CHECK(location.starts_with('/') && !location.starts_with("//"));
  CHECK(std::ranges::all_of(location, [](char c) { return c > 0x20 && c < 0x7f; }));
}

void check(Bytes bytes) {
  Choices route_choices(take_part(bytes));
  std::vector<RouteConfig> routes;
  while (!route_choices.empty() && routes.size() < kMaxRoutes) {
    routes.push_back(random_route(route_choices));
    routes.back().name = "r" + std::to_string(routes.size());
    routes.back().target = RedirectTarget{};
  }
  const auto table = compile_apart(routes);
  CHECK(table != nullptr);
  CHECK(order(*table).size() >= table->size());
  const std::vector<ReferenceRow> rows = reference_rows(routes);
  Choices request_choices(take_part(bytes));
  for (std::size_t i = 0; i < kMaxRequests && !request_choices.empty(); ++i) {
    check_request(*table, rows, random_request(request_choices));
  }
  const std::string path = text(take_part(bytes));
  const std::string host = text(take_part(bytes));
  check_request(*table, rows, TestRequest("GET", host, path));
}

}  // namespace
}  // namespace weir::route

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::route::check({data, size});
  return 0;
}
