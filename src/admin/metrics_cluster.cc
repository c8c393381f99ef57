// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "admin/metrics.h"
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

struct ClusterSeries {
  Metric metric;
  uint64_t ClusterTotals::*value;
};
constexpr auto kClusterCounters = std::to_array<ClusterSeries>({
    {Metric::kClusterRequests, &ClusterTotals::requests},
    {Metric::kClusterAttempts, &ClusterTotals::attempts},
    {Metric::kClusterRetries, &ClusterTotals::retries},
    {Metric::kClusterRetriesOverBudget, &ClusterTotals::retries_over_budget},
    {Metric::kClusterHedges, &ClusterTotals::hedges},
    {Metric::kClusterHedgesWon, &ClusterTotals::hedges_won},
    {Metric::kClusterOwnZone, &ClusterTotals::own_zone},
    {Metric::kClusterOtherZones, &ClusterTotals::other_zones},
    {Metric::kClusterConnects, &ClusterTotals::connects},
    {Metric::kClusterConnectFailures, &ClusterTotals::connect_failures},
    {Metric::kClusterResets, &ClusterTotals::resets},
    {Metric::kClusterTimeouts, &ClusterTotals::timeouts},
    {Metric::kClusterReused, &ClusterTotals::reused},
    {Metric::kClusterRefused, &ClusterTotals::refused},
    {Metric::kClusterWaited, &ClusterTotals::waited},
    {Metric::kClusterReceived, &ClusterTotals::bytes_received},
    {Metric::kClusterSent, &ClusterTotals::bytes_sent},
});

struct ClusterNowSeries {
  Metric metric;
  uint32_t upstream::ClusterSnapshot::*value;
};
constexpr auto kClusterGauges = std::to_array<ClusterNowSeries>({
    {Metric::kClusterActiveRequests, &upstream::ClusterSnapshot::requests},
    {Metric::kClusterActiveRetries, &upstream::ClusterSnapshot::retries},
    {Metric::kClusterPending, &upstream::ClusterSnapshot::pending},
    {Metric::kClusterConnections, &upstream::ClusterSnapshot::connections},
    {Metric::kClusterIdle, &upstream::ClusterSnapshot::idle},
});

}  // namespace

void add_cluster(Metric metric, const ClusterTotals& c, Samples& out) {
  Labels labels{{"cluster", c.now.name}};
  for (const ClusterSeries& series : kClusterCounters) {
    if (series.metric == metric) return out.add(c.*series.value, std::move(labels));
  }
  for (const ClusterNowSeries& series : kClusterGauges) {
    if (series.metric == metric) return out.add(c.now.*series.value, std::move(labels));
  }
  switch (metric) {
    case Metric::kClusterResponses:
      for (size_t i = 0; i < c.responses.size(); ++i) {
        out.add(c.responses[i], {{"cluster", c.now.name}, {"class", kAnswerClasses[i + 1]}});
      }
      return;
    case Metric::kClusterHedgesRefused:
      for (size_t i = 0; i < c.hedges_refused.size(); ++i) {
        if (c.hedges_refused[i] == 0) continue;
        const auto why = static_cast<upstream::HedgeRefusal>(i);
        out.add(c.hedges_refused[i], {{"cluster", c.now.name},
                                      {"reason", std::string(upstream::hedge_refusal_word(why))}});
      }
      return;
    case Metric::kClusterConnectTime:
      return out.add(static_cast<double>(c.connect_time.sum_us) / 1e6, std::move(labels));
    case Metric::kClusterConnectCount:
      return out.add(c.connect_time.count(), std::move(labels));
    case Metric::kClusterResponseTime:
      return out.add(c.response_time, std::move(labels));
    case Metric::kClusterMaxRequests:
      return out.add(c.now.limits.max_requests, std::move(labels));
    case Metric::kClusterAdaptiveLimit:
      if (c.now.adaptive_limit) out.add(*c.now.adaptive_limit, std::move(labels));
      return;
    case Metric::kClusterMaxConnections:
      return out.add(c.now.limits.max_connections, std::move(labels));
    case Metric::kClusterEndpoints:
      return out.add(c.now.endpoints.size(), std::move(labels));
    case Metric::kClusterEndpointsByHealth:
    case Metric::kClusterHealthChecks:
    case Metric::kClusterEjections:
      return add_health(metric, c.now, out);
    case Metric::kClusterDnsFailures:
      if (c.now.dns) out.add(c.now.dns->failures, std::move(labels));
      return;
    default:
      return;
  }
}

bool add_endpoints(Metric metric, const Totals& totals, Samples& out) {
  const bool mine =
      metric >= Metric::kEndpointActiveRequests && metric <= Metric::kEndpointSeriesLeftOut;
  if (!mine) return false;
  size_t seen = 0;
  for (const ClusterTotals& cluster : totals.clusters) {
    for (const upstream::EndpointSnapshot& endpoint : cluster.now.endpoints) {
      if (++seen > MetricsPage::kMaxEndpointSeries) continue;
      Labels labels{{"cluster", cluster.now.name}, {"endpoint", endpoint.address}};
      if (metric == Metric::kEndpointActiveRequests) {
        out.add(endpoint.active_requests, std::move(labels));
      } else if (metric == Metric::kEndpointConnections) {
        out.add(endpoint.connections, std::move(labels));
      } else if (metric == Metric::kEndpointHealthy && is_watched(cluster.now)) {
        out.add(upstream::is_in(endpoint.health) ? 1 : 0, std::move(labels));
      }
    }
  }
  if (metric == Metric::kEndpointSeriesLeftOut) {
    out.add(seen - std::min(seen, MetricsPage::kMaxEndpointSeries));
  }
  return true;
}

}  // namespace weir::admin
