// SPDX-License-Identifier: Apache-2.0
// Trailer fields: which may come at all. Pure functions, safe from every thread.
#pragma once

#include <weir/message.h>

#include <string_view>

namespace weir::http {

/// Fields that decide on framing, routing, authentication or handling of the message come too late
/// in trailers: a recipient must not act on them there (RFC 9110, 6.5.1), and some merge them into
/// the head all the same. Names with '_' count as their '-' forms do to CGI-like origins.
bool is_forbidden_trailer(std::string_view name, HeaderId id);

/// Splits a well-formed trailer section, "name:value\n" a line, into `out`, without the forbidden
/// fields. Requires: room for every line.
void split_trailers(std::string_view text, HeaderList& out);

}  // namespace weir::http
