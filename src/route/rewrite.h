// SPDX-License-Identifier: Apache-2.0
// What a route changes about where a request goes: the path and host upstream, or the Location of a
// redirect. Free functions over an immutable Route; any thread. Results are views into the route,
// the request or the arena, and live as long as the shortest-lived of them.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <string_view>

#include "base/arena.h"
#include "route/route.h"

namespace weir::route {

/// The path for the upstream. Requires: `path` is normalised and the route matched it. Prefixes are
/// replaced by whole segments ("/foo" -> "/bar" turns "/foo/x" into "/bar/x", and "/foo" -> "/"
/// into
/// "/x", never "//x"). kBadTarget if a regex makes something that is no normalised path, so that
/// nothing reaches an origin that it would read differently than weir did.
Result<std::string_view> rewrite_path(const Route& route, std::string_view path,
                                      base::Arena& arena);

/// What Host says upstream: the request's own `authority`, the endpoint's (`endpoint_host`: name or
/// address as configured, with the port where it is not the scheme's default), or the literal.
std::string_view rewrite_host(const Route& route, std::string_view authority,
                              std::string_view endpoint_host);

/// The value of Location. Requires: the target is a RedirectTarget. Relative to the request unless
/// scheme or host change; a path never begins with two slashes (a browser would read a host) and no
/// control character survives. The query is kept. A changed scheme drops the port, which belonged
/// to the old one.
std::string_view redirect_location(const Route& route, const RequestHead& head, base::Arena& arena);

}  // namespace weir::route
