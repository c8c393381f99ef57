// SPDX-License-Identifier: Apache-2.0
// The page /cells: each cell with its state, and where its requests were served. Any thread.
#pragma once

#include <string>
#include <vector>

#include "admin/overrides.h"
#include "proxy/cells.h"

namespace weir::admin {

/// Requires: joined.
std::string cells_json(const proxy::Cells& cells, const std::vector<OverrideRow>& set = {});

}  // namespace weir::admin
