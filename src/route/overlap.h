// SPDX-License-Identifier: Apache-2.0
// Finds routes that hide each other. Two with the same match and the same priority on a host are an
// error: the order of the file would decide in silence, and nobody means that. A route whose every
// request is taken by others before it is a warning. Only routes of one path can hide each other
// wholly, since what is less specific never comes first. Used by Table::compile; one thread.
#pragma once

#include <memory>
#include <vector>

#include "config/diagnostics.h"
#include "route/path_index.h"
#include "route/route.h"

namespace weir::route {

/// False if there was an error. Linear in the number of routes.
bool check_overlaps(const std::vector<std::shared_ptr<const Route>>& routes, const PathIndex& paths,
                    config::Diagnostics& diagnostics);

}  // namespace weir::route
