// SPDX-License-Identifier: Apache-2.0
// The order that the table computed, for `weir explain --order`: most specific first, the first
// route that takes the whole request wins. Read from the index itself, not from the rules again.
// Not for the data path: it allocates freely. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "route/table.h"

namespace weir::route {

/// One place of a route in the order; a route with several hosts has several.
struct OrderRow {
  std::uint32_t index = 0;  ///< Of the route.
  std::string host;         ///< "api.example.com", "*.example.com" or "*"
  std::string path;         ///< "exact /a", "regex /b.*" or "prefix /api (4 characters)"
  std::string conditions;   ///< "GET, POST, header x-a = "1""; empty for none
  std::int32_t priority = 0;
};

/// All places in the order in which they are tried. Hosts and paths that exclude each other stand
/// by name.
std::vector<OrderRow> order(const Table& table);
/// The order as a table for people, lines ending in '\n'.
std::string print_order(const Table& table);

}  // namespace weir::route
