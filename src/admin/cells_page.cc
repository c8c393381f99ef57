// SPDX-License-Identifier: Apache-2.0
#include "admin/cells_page.h"

#include <nlohmann/json.hpp>

#include "admin/override_json.h"

namespace weir::admin {

std::string cells_json(const proxy::Cells& cells, const std::vector<OverrideRow>& set) {
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
