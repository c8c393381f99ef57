// SPDX-License-Identifier: Apache-2.0
// The rooms of /metrics: each knows the metrics of one subject and adds their samples. A room says
// true to the metrics that are its own, whether or not there was anything to add. A new subject is
// a file metrics_<subject>.cc, a line here and one in kRooms (metrics.cc).
// Pure functions of Totals.
#pragma once

#include "admin/samples.h"

namespace weir::admin {

/// Build, config, memory, log: one value each for the whole process.
bool add_process(Metric metric, const Totals& totals, Samples& out);
/// The memory budget.
bool add_memory(Metric metric, const Totals& totals, Samples& out);
/// What weir decided of requests: failures by reason, identity, limits.
bool add_policies(Metric metric, const Totals& totals, Samples& out);
/// Who is served last and first under overload, and who was shed.
bool add_overload(Metric metric, const Totals& totals, Samples& out);
/// Copies of requests.
bool add_mirror(Metric metric, const Totals& totals, Samples& out);
/// Requests and their latency by tenant and by function.
bool add_traffic(Metric metric, const Totals& totals, Samples& out);
/// Homes, hops, guests and tags; nothing where the config has no cells.
bool add_cells(Metric metric, const Totals& totals, Samples& out);
/// Which version requests got.
bool add_releases(Metric metric, const Totals& totals, Samples& out);
bool add_workers(Metric metric, const Totals& totals, Samples& out);
bool add_listeners(Metric metric, const Totals& totals, Samples& out);
/// Failover groups and their members.
bool add_failover(Metric metric, const Totals& totals, Samples& out);
/// Whether this region should be in the answers of DNS.
bool add_region(Metric metric, const Totals& totals, Samples& out);
bool add_endpoints(Metric metric, const Totals& totals, Samples& out);

bool add_breakers(Metric metric, const Totals& totals, Samples& out);
/// What operators have set by hand.
bool add_overrides(Metric metric, const Totals& totals, Samples& out);

/// One cluster at a time, because there may be thousands.
void add_cluster(Metric metric, const ClusterTotals& cluster, Samples& out);
/// Its checks, ejections and endpoints by health.
void add_health(Metric metric, const upstream::ClusterSnapshot& cluster, Samples& out);
/// Somebody looks after the health of its endpoints.
inline bool is_watched(const upstream::ClusterSnapshot& cluster) {
  return cluster.checked || cluster.ejects;
}

}  // namespace weir::admin
