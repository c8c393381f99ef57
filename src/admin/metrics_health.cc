// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {

void add_health(Metric metric, const upstream::ClusterSnapshot& cluster, Samples& out) {
  const auto add = [&](const char* label, std::string_view value, uint64_t count) {
    out.add(count, {{"cluster", cluster.name}, {label, std::string(value)}});
  };
  if (metric == Metric::kClusterHealthChecks && cluster.checked) {
    add("result", "passed", cluster.health.checks_passed);
    add("result", "failed", cluster.health.checks_failed);
  }
  if (metric == Metric::kClusterEjections && cluster.ejects) {
    add("result", "done", cluster.health.ejections);
    add("result", "held_back", cluster.health.ejections_held_back);
  }
  if (metric != Metric::kClusterEndpointsByHealth || !is_watched(cluster)) return;
  std::array<uint64_t, upstream::kHealthStates> states{};
  for (const upstream::EndpointSnapshot& endpoint : cluster.endpoints) {
    ++states[static_cast<size_t>(endpoint.health)];
  }
  for (size_t i = 0; i < states.size(); ++i) {
    add("health", upstream::health_word(static_cast<upstream::HealthState>(i)), states[i]);
  }
}

}  // namespace weir::admin
