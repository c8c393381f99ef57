// SPDX-License-Identifier: Apache-2.0
#include "proxy/snapshot.h"

#include <string_view>
#include <unordered_map>

namespace weir::proxy {

std::vector<std::vector<uint32_t>> resolve_route_clusters(const Config& config) {
  std::unordered_map<std::string_view, uint32_t> places;
  for (uint32_t i = 0; i < config.clusters.size(); ++i) places[config.clusters[i].name] = i;
  std::vector<std::vector<uint32_t>> out(config.routes.size());
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const RouteTarget& target = config.routes[i].target;
    if (const auto* one = std::get_if<ClusterTarget>(&target)) {
      out[i].push_back(places.at(one->cluster));
    } else if (const auto* split = std::get_if<WeightedTarget>(&target)) {
      for (const WeightedCluster& each : split->clusters) out[i].push_back(places.at(each.cluster));
    }
  }
  return out;
}

}  // namespace weir::proxy
