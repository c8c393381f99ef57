// SPDX-License-Identifier: Apache-2.0
// A query string as names and values, read by one rule (application/x-www-form-urlencoded, as most
// origins read it): '&' separates, the first '=' ends the name, '+' is a space, %XX is decoded
// once, a broken escape stands for itself. Comparison decodes as it goes and needs no memory. Pure
// functions; any thread.
#pragma once

#include <string_view>

#include "base/arena.h"

namespace weir::route {

/// One parameter as it stands in the query, not decoded.
struct QueryParameter {
  std::string_view name;
  std::string_view value;  ///< Empty if there is no '='.
};
/// Takes the next parameter off the front of `query`; false at the end. Empty pieces are skipped.
bool next_parameter(std::string_view& query, QueryParameter& parameter);

bool decoded_equals(std::string_view raw, std::string_view text);
bool decoded_starts_with(std::string_view raw, std::string_view text);
/// `raw` itself where there is nothing to decode.
std::string_view decode(std::string_view raw, base::Arena& arena);

}  // namespace weir::route
