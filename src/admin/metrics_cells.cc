// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

void add_requests(const CellTotals& cells, Samples& out) {
  for (const CellTotals::Requests& each : cells.requests) {
    out.add(each.count, {{"home", each.home},
                         {"served", each.served},
                         {"reason", std::string(policy::reason_word(each.reason))}});
  }
}

void add_rejected(const CellTotals& cells, Samples& out) {
  for (size_t i = 0; i < cells.tags_rejected.size(); ++i) {
    const auto fault = static_cast<policy::TagFault>(i);
    out.add(cells.tags_rejected[i], {{"reason", std::string(policy::fault_word(fault))}});
  }
}

void add_reattached(const CellTotals& cells, Samples& out) {
  for (size_t i = 0; i < cells.reattach.size(); ++i) {
    const auto outcome = static_cast<policy::TraceOutcome>(i);
    out.add(cells.reattach[i], {{"outcome", std::string(policy::outcome_word(outcome))}});
  }
}

void add_reassigned(const CellTotals& cells, Samples& out) {
  for (size_t i = 0; i < cells.reassignments.size(); ++i) {
    const auto outcome = static_cast<policy::Reassignment>(i);
    out.add(cells.reassignments[i], {{"outcome", std::string(policy::reassignment_word(outcome))}});
  }
}

}  // namespace

bool add_cells(Metric metric, const Totals& totals, Samples& out) {
  if (metric < Metric::kCellRequests || metric > Metric::kCellReassignments) return false;
  if (!totals.cells) return true;
  const CellTotals& cells = *totals.cells;
  switch (metric) {
    case Metric::kCellRequests:
      add_requests(cells, out);
      break;
    case Metric::kCellHops:
      out.add(cells.hops);
      break;
    case Metric::kCellGuests:
      if (!cells.self.empty()) out.add(cells.guests);
      break;
    case Metric::kCellGuestsRefused:
      out.add(cells.guests_refused);
      break;
    case Metric::kCellTagsReattached:
      if (cells.reattaches) add_reattached(cells, out);
      break;
    case Metric::kCellReassignments:
      if (cells.reassigns) add_reassigned(cells, out);
      break;
    default:
      add_rejected(cells, out);
      break;
  }
  return true;
}

}  // namespace weir::admin
