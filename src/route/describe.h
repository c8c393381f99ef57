// SPDX-License-Identifier: Apache-2.0
// The words for matches, the same in explanations, in the printed order and in diagnostics.
// Pure functions; any thread.
#pragma once

#include <weir/config.h>

#include <string>

#include "route/condition.h"
#include "route/path_index.h"

namespace weir::route {

/// "api.example.com (exact)", "*.example.com (wildcard)" or "* (every host)".
std::string describe_host(const PathIndex& paths, const PathIndex::Host& host);
/// "api.example.com", "*.example.com" or "*".
std::string host_name(const PathIndex& paths, const PathIndex::Host& host);
/// "exact /a", "regex /b.*" or "prefix /api (4 characters)".
std::string describe_path(const PathMatch& path);
/// "header x-a = "1"", "query v starts with "2"", "header x-b is present".
std::string describe(const Condition& condition);

}  // namespace weir::route
