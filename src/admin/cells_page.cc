// SPDX-License-Identifier: Apache-2.0
#include "admin/cells_page.h"

#include <nlohmann/json.hpp>

#include "admin/override_json.h"

namespace weir::admin {

std::vector<CellReturn> cell_returns(const proxy::Snapshot& snapshot) {
  std::vector<CellReturn> out;
  const auto add = [&out](uint32_t cell, const std::string& name, const upstream::HomeShare& at) {
    const uint32_t share = at.load();
    if (share == upstream::Failback::kWhole) return;
    out.push_back({cell, name, static_cast<double>(share) / upstream::Failback::kWhole});
  };
  for (const std::vector<uint32_t>& places : snapshot.targets.of_cells) {
    for (uint32_t cell = 0; cell < places.size(); ++cell) {
      if ((places[cell] & proxy::kGroupBit) == 0) {
        const upstream::Cluster& cluster = *(*snapshot.clusters)[places[cell]];
        add(cell, cluster.name(), cluster.home_share());
      } else {
        const auto& group = (*snapshot.failover)[places[cell] & ~proxy::kGroupBit];
        add(cell, group.name(), group.state().home_share);
      }
    }
  }
  return out;
}

std::string cells_json(const proxy::Cells& cells, const std::vector<CellReturn>& returns,
                       const std::vector<OverrideRow>& set) {
  using Json = nlohmann::ordered_json;
  Json members = Json::array();
  for (uint32_t i = 0; i < cells.size(); ++i) {
    const CellConfig& cell = cells.member(i);
    Json served = Json::object();
    for (uint32_t to = 0; to < cells.size(); ++to) {
      uint64_t sum = 0;
      for (size_t r = 0; r < static_cast<size_t>(policy::CellReason::kCount); ++r) {
        sum += cells.row(i, to).total(static_cast<policy::CellReason>(r));
      }
      if (sum != 0) served[cells.member(to).name] = sum;
    }
    Json member = {{"name", cell.name},
                   {"state", policy::state_word(cells.state(i))},
                   {"weight", cell.weight},
                   {"region", cell.region},
                   {"served_in", std::move(served)}};
    for (const CellReturn& each : returns) {
      if (each.cell == i) member["coming_home"][each.cluster] = each.share;
    }
    if (i == cells.self()) {
      member["guests"] = cells.record(i).guests.load(std::memory_order_relaxed);
      if (cells.guest_limit() != UINT32_MAX) member["guests_max"] = cells.guest_limit();
    }
    add_override(member, set, OverrideKind::kCell, cell.name);
    members.push_back(std::move(member));
  }
  const Json page = {{"self", cells.config().self}, {"cells", std::move(members)}};
  return page.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::admin
