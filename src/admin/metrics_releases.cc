// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {

bool add_releases(Metric metric, const Totals& totals, Samples& out) {
  if (metric != Metric::kReleaseRequests) return false;
  for (const ReleaseTotals& each : totals.releases) {
    out.add(each.requests, {{"release", each.release}, {"to", each.to}, {"rule", each.rule}});
  }
  return true;
}

}  // namespace weir::admin
