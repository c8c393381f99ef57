// SPDX-License-Identifier: Apache-2.0
// The rules for the parts of a request that HTTP/1 and HTTP/2 have in common, so that both give a
// request one and the same normal form. Internal to this folder. Pure functions, safe from every
// thread; views of the results point into the text or the arena.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <string_view>

#include "base/arena.h"

namespace weir::http {

Result<Method> parse_method(std::string_view text);

/// Sets authority and host.
Result<void> set_authority(std::string_view text, base::Arena& arena, RequestHead& out);

/// Sets path and query from "/path[?query]".
Result<void> set_path_and_query(std::string_view text, base::Arena& arena, RequestHead& out);

/// CGI-like origins read '_' and '-' as one, so "content_length" or "x_forwarded_for" would get
/// past every rule about the true name.
bool aliases_known_field(std::string_view name);

}  // namespace weir::http
