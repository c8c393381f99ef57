// SPDX-License-Identifier: Apache-2.0
// What else decides where a request is served, in words: whether it would be hedged, and what of
// its target counts for the health of the region. For `weir explain`; as the file has it, with all
// endpoints well.
#pragma once

#include <weir/message.h>

#include <string>

#include "app/compile.h"
#include "route/route.h"

namespace weir::app {

/// A line ending in '\n'; empty where weir answers itself. `trusted`: the peer is.
std::string explain_hedge(const route::Route& route, const RequestHead& head, bool trusted);

/// Lines ending in '\n'; empty where the config has no region.
std::string explain_region(const Compiled& compiled, const route::Route& route);

}  // namespace weir::app
