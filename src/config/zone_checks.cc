// SPDX-License-Identifier: Apache-2.0
// What zone-aware clusters and the zone of this weir make of each other.
#include <algorithm>

#include "config/keys.h"

namespace weir::config {

namespace {

Finding why_blind(const Config& config, const ClusterConfig& cluster) {
  if (config.zone.empty()) {
    return {"nobody knows where this weir stands", "add zone: az1 at the top of the file"};
  }
  if (cluster.dns) {
    return {"endpoints that DNS names have no zone", "list them under endpoints, with zone: az1"};
  }
  const bool any = std::ranges::any_of(cluster.endpoints,
                                       [](const auto& endpoint) { return !endpoint.zone.empty(); });
  return any ? Finding{}
             : Finding{"no endpoint has a `zone`", "write zone: az1 beside its address"};
}

}  // namespace

void settle_zones(Reader& reader, NodeId id, Config& config) {
  const Reader::Step clusters(reader, "clusters");
  const NodeId all = reader.find(id, "clusters");
  for (ClusterConfig& cluster : config.clusters) {
    if (!cluster.load_balancing.zone_aware) continue;
    cluster.load_balancing.own_zone = config.zone;
    const Finding blind = why_blind(config, cluster);
    if (blind.message.empty()) continue;
    const Reader::Step name(reader, std::string_view(cluster.name));
    const Reader::Step section(reader, "load_balancing");
    const Reader::Step key(reader, "zone_aware");
    const NodeId balancing = reader.find(reader.find(all, cluster.name), "load_balancing");
    reader.error(reader.find(balancing, "zone_aware"), blind);
  }
}

}  // namespace weir::config
