// SPDX-License-Identifier: Apache-2.0
// Why a request goes where it goes, in words: for `weir explain`. Takes the very walk that match()
// takes, so that it cannot disagree with it. Not for the data path: it allocates freely.
// Any thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "route/table.h"

namespace weir::route {

/// A route whose host and path match, in the order in which it is tried.
struct Candidate {
  std::uint32_t index = 0;  ///< Of the route.
  bool wins = false;
  std::string host_rule;                ///< "host *.example.com (wildcard)"
  std::string path_rule;                ///< "path prefix /api (4 characters)"
  std::vector<std::string> conditions;  ///< Those that hold, in words.
  std::string lost;                     ///< Why it did not win; empty for the winner.
};

struct Explanation {
  const Route* route = nullptr;  ///< Null: none; `reason` and `allow` say why.
  ErrorCode reason = ErrorCode::kNoRoute;
  std::string allow;
  std::vector<Candidate> candidates;
  /// Where there is no candidate: what came nearest ("host api.example.com has 3 routes, ...").
  std::string nearest;
};

Explanation explain(const Table& table, const RequestHead& head);
/// The explanation for people, lines ending in '\n'.
std::string to_text(const Table& table, const Explanation& explanation);

/// One place of a route in the computed order; a route with several hosts has several.
struct OrderRow {
  std::uint32_t index = 0;  ///< Of the route.
  std::string host;         ///< "api.example.com", "*.example.com" or "*"
  std::string path;         ///< "exact /a", "regex ^/b$" or "prefix /c"
  std::string conditions;   ///< "GET,POST header x-a=1 query q"; empty for none
  std::int32_t priority = 0;
};

/// All places in the order in which they are tried (for hosts that exclude each other: in the order
/// of the file).
std::vector<OrderRow> order(const Table& table);
/// The order as a table for people, lines ending in '\n'.
std::string print_order(const Table& table);

}  // namespace weir::route
