// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <utility>

#include "admin/metric_names.h"
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

// What one part of a metric is made from: the clusters [from, from + kClustersAStep).
struct Part {
  const Totals& totals;
  size_t from;
  size_t to;
};

// About a millisecond of lines where each cluster has a dozen.
constexpr size_t kClustersAStep = 128;

constexpr bool by_cluster(Metric metric) {
  return metric >= Metric::kClusterRequests && metric <= Metric::kClusterDnsFailures;
}

using Room = bool (*)(Metric metric, const Totals& totals, Samples& out);
constexpr auto kRooms = std::to_array<Room>({
    add_process,
    add_memory,
    add_policies,
    add_overload,
    add_mirror,
    add_traffic,
    add_cells,
    add_releases,
    add_workers,
    add_listeners,
    add_endpoints,
    add_failover,
    add_region,
    add_breakers,
    add_overrides,
});

std::vector<ClientMetric> samples_of(const MetricInfo& info, const Part& part) {
  Samples out(info.type);
  if (by_cluster(info.metric)) {
    for (size_t i = part.from; i < part.to; ++i) {
      add_cluster(info.metric, part.totals.clusters[i], out);
    }
    return out.take();
  }
  for (const Room room : kRooms) {
    if (room(info.metric, part.totals, out)) break;
  }
  return out.take();
}

prometheus::MetricType type_of(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

// A metric may have its HELP and TYPE lines only once, and the serializer writes them each time.
std::string_view without_comments(std::string_view text) {
  while (text.starts_with('#')) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

}  // namespace

bool MetricsPage::step() {
  if (metric_ == kMetrics.size()) return false;
  const MetricInfo& info = kMetrics[metric_];
  const size_t clusters = by_cluster(info.metric) ? totals_.clusters.size() : 0;
  const Part part{totals_, from_, std::min(clusters, from_ + kClustersAStep)};

  std::vector<prometheus::MetricFamily> families(1);
  prometheus::MetricFamily& family = families.front();
  family.name = info.name;
  family.help = info.help;
  family.type = type_of(info.type);
  family.metric = samples_of(info, part);
  if (!family.metric.empty()) {
    const std::string text = prometheus::TextSerializer().Serialize(families);
    text_ += std::exchange(headed_, true) ? without_comments(text) : std::string_view(text);
  }

  const bool more = part.to < clusters;
  from_ = more ? part.to : 0;
  if (!more) {
    ++metric_;
    headed_ = false;
  }
  return metric_ < kMetrics.size();
}

}  // namespace weir::admin
