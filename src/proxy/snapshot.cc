// SPDX-License-Identifier: Apache-2.0
#include "proxy/snapshot.h"

#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::proxy {
namespace {

using Places = std::unordered_map<std::string_view, uint32_t>;

template <typename Named>
Places places_of(const std::vector<Named>& all, uint32_t bit) {
  Places out;
  for (uint32_t i = 0; i < all.size(); ++i) out[all[i].name] = i | bit;
  return out;
}

}  // namespace

std::vector<std::vector<uint32_t>> resolve_route_clusters(const Config& config) {
  const Places clusters = places_of(config.clusters, 0);
  const Places groups = places_of(config.failover_groups, kGroupBit);
  std::vector<std::vector<uint32_t>> out(config.routes.size());
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const RouteTarget& target = config.routes[i].target;
    if (const auto* one = std::get_if<ClusterTarget>(&target)) {
      const size_t at = one->cluster.find(kCellPlaceholder);
      if (at == std::string::npos) {
        out[i].push_back(clusters.at(one->cluster));
        continue;
      }
      for (const CellConfig& cell : config.cells->members) {
        std::string name = one->cluster;
        name.replace(at, std::string_view(kCellPlaceholder).size(), cell.name);
        out[i].push_back(clusters.at(name));
      }
    } else if (const auto* group = std::get_if<FailoverTarget>(&target)) {
      out[i].push_back(groups.at(group->group));
    } else if (const auto* split = std::get_if<WeightedTarget>(&target)) {
      for (const WeightedCluster& each : split->clusters) {
        out[i].push_back(each.group.empty() ? clusters.at(each.cluster) : groups.at(each.group));
      }
    }
  }
  return out;
}

}  // namespace weir::proxy
