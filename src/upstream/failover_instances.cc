// SPDX-License-Identifier: Apache-2.0
#include "upstream/failover_instances.h"

#include <algorithm>
#include <string_view>

namespace weir::upstream {
namespace {

bool names_cell(const FailoverMemberConfig& member) {
  return member.cluster.find(kCellPlaceholder) != std::string::npos;
}

FailoverInstance instance_of(const FailoverGroupConfig& group, const CellConfig& cell) {
  FailoverInstance out{group, 0, {}};
  out.config.name += "@" + cell.name;
  for (std::uint32_t i = 0; i < out.config.members.size(); ++i) {
    FailoverMemberConfig& member = out.config.members[i];
    if (!names_cell(member)) continue;
    member.cluster.replace(member.cluster.find(kCellPlaceholder),
                           std::string_view(kCellPlaceholder).size(), cell.name);
    out.own.push_back(i);
  }
  return out;
}

}  // namespace

bool is_of_cells(const FailoverGroupConfig& group) {
  return std::ranges::any_of(group.members, names_cell);
}

std::vector<FailoverInstance> failover_instances(const Config& config) {
  std::vector<FailoverInstance> out;
  for (std::uint32_t i = 0; i < config.failover_groups.size(); ++i) {
    const FailoverGroupConfig& group = config.failover_groups[i];
    if (!is_of_cells(group)) {
      out.push_back({group, i, {}});
      continue;
    }
    for (const CellConfig& cell : config.cells->members) {
      out.push_back(instance_of(group, cell));
      out.back().group = i;
    }
  }
  return out;
}

}  // namespace weir::upstream
