// SPDX-License-Identifier: Apache-2.0
// The failover groups that requests are placed in: those of the config, where one whose members
// name {cell} is a group for each cell. Pure.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <vector>

namespace weir::upstream {

struct FailoverInstance {
  FailoverGroupConfig config;      ///< "orders@c1" for a cell, with that cell's clusters.
  std::uint32_t group = 0;         ///< In Config::failover_groups.
  std::vector<std::uint32_t> own;  ///< Members that {cell} named; empty: it is for no cell.
};

/// In the order of the config, and then of the cells.
std::vector<FailoverInstance> failover_instances(const Config& config);

/// Some member names {cell}.
bool is_of_cells(const FailoverGroupConfig& group);

}  // namespace weir::upstream
