// SPDX-License-Identifier: Apache-2.0
// The admin pages that are JSON, as text. Pure functions of values; indented, because people read
// them too.
#pragma once

#include <string>
#include <vector>

#include "admin/process.h"
#include "admin/totals.h"

namespace weir::admin {

std::string stats_json(const Totals& totals);
std::string failover_json(const std::vector<upstream::FailoverGroupSnapshot>& groups);
std::string clusters_json(const std::vector<upstream::ClusterSnapshot>& clusters,
                          const std::vector<OverrideRow>& set = {});
std::string reload_json(const ReloadOutcome& outcome);

}  // namespace weir::admin
