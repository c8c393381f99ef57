// SPDX-License-Identifier: Apache-2.0
// The page /cells: each cell with its state, and where its requests were served. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "admin/overrides.h"
#include "proxy/snapshot.h"

namespace weir::admin {

/// A cluster that was out and gets the requests of its cell back bit by bit.
struct CellReturn {
  uint32_t cell = 0;
  std::string cluster;
  double share = 0;  ///< Of them, that are served there.
};
std::vector<CellReturn> cell_returns(const proxy::Snapshot& snapshot);

/// Requires: joined.
std::string cells_json(const proxy::Cells& cells, const std::vector<CellReturn>& returns,
                       const std::vector<OverrideRow>& set = {});

}  // namespace weir::admin
