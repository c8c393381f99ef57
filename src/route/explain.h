// SPDX-License-Identifier: Apache-2.0
// Why a request goes where it goes, in words: for `weir explain`. Takes the very walk that match()
// takes, so that it cannot disagree with it. Not for the data path: it allocates freely.
// Any thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>
#include <string>
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

}  // namespace weir::route
