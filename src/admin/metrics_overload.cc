// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

void add_priorities(const Totals& totals, Samples& out) {
  uint64_t all = 0;
  for (const uint64_t count : totals.requests_by_priority) all += count;
  if (all == 0 && !totals.identifies) return;
  for (size_t i = 0; i < totals.requests_by_priority.size(); ++i) {
    out.add(totals.requests_by_priority[i], {{"priority", std::to_string(i)}});
  }
}

}  // namespace

bool add_overload(Metric metric, const Totals& totals, Samples& out) {
  switch (metric) {
    case Metric::kRequestsByPriority:
      add_priorities(totals, out);
      return true;
    case Metric::kShedRequests:
      for (size_t i = 0; i < totals.shed_by_priority.size(); ++i) {
        out.add(totals.shed_by_priority[i], {{"priority", std::to_string(i)}});
      }
      return true;
    case Metric::kShedShare:
      out.add(totals.shed_share);
      return true;
    default:
      return false;
  }
}

}  // namespace weir::admin
