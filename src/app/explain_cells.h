// SPDX-License-Identifier: Apache-2.0
// Where a request lives, in words: for `weir explain`. Asks the very rules that the data path asks;
// peers are taken as trusted, states as the file has them.
#pragma once

#include <weir/message.h>

#include <string>
#include <vector>

#include "app/compile.h"
#include "base/arena.h"
#include "route/route.h"

namespace weir::app {

/// Lines ending in '\n'; empty where the config has no cells or the route needs none. `places`:
/// what its target leads to.
std::string explain_cells(const Compiled& compiled, const route::Route& route,
                          const RequestHead& head, const std::vector<std::string>& places,
                          base::Arena& arena);

}  // namespace weir::app
