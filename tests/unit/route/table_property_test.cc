// SPDX-License-Identifier: Apache-2.0
// The table agrees with a matcher that is too simple to be wrong, on random tables and requests.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "reference_matcher.h"
#include "route/explain.h"
#include "route/order.h"
#include "route/table.h"

namespace weir::route {
namespace {

constexpr int kTables = 500;
constexpr int kRequestsPerTable = 20;

std::vector<std::uint8_t> random_bytes(base::Rng& rng, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next() >> 56);
  return bytes;
}

TEST(TableProperty, AgreesWithTheReference) {
  base::Rng rng(20240601);
  int won = 0;
  for (int t = 0; t < kTables; ++t) {
    const auto bytes = random_bytes(rng, 2000);
    Choices choices(bytes);
    std::vector<RouteConfig> routes = random_routes(choices, 1 + rng.below(30));
    const auto table = compile_apart(routes);
    ASSERT_NE(table, nullptr);
    const std::vector<ReferenceRow> rows = reference_rows(routes);
    for (int r = 0; r < kRequestsPerTable; ++r) {
      const auto request_bytes = random_bytes(rng, 40);
      Choices request_choices(request_bytes);
      TestRequest request = random_request(request_choices);
      const RequestHead& head = request.head();
      const std::string expected = reference_match(rows, head);
      ASSERT_EQ(table_match(*table, head), expected)
          << head.method_text << " " << head.host << " " << head.path << "?" << head.query << "\n"
          << print_order(*table) << to_text(*table, explain(*table, head));
      won += expected[0] == 'r';
    }
  }
  // A maker that only makes misses would prove nothing.
  EXPECT_GT(won, kTables * kRequestsPerTable / 4);
}

// `weir explain --order` promises: the first row that takes the whole request wins.
TEST(TableProperty, FirstRowOfThePrintedOrderThatTakesTheRequestWins) {
  base::Rng rng(7);
  for (int t = 0; t < kTables; ++t) {
    const auto bytes = random_bytes(rng, 2000);
    Choices choices(bytes);
    std::vector<RouteConfig> routes = random_routes(choices, 1 + rng.below(30));
    const auto table = compile_apart(routes);
    ASSERT_NE(table, nullptr);
    std::vector<ReferenceRow> rows;
    for (const OrderRow& row : order(*table)) {
      rows.push_back({row.host, &routes[row.index], row.index});
    }
    for (int r = 0; r < kRequestsPerTable; ++r) {
      const auto request_bytes = random_bytes(rng, 40);
      Choices request_choices(request_bytes);
      TestRequest request = random_request(request_choices);
      ASSERT_EQ(table_match(*table, request.head()), reference_match(rows, request.head()))
          << print_order(*table);
    }
  }
}

}  // namespace
}  // namespace weir::route
