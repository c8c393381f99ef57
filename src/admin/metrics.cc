// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "admin/metric_names.h"

namespace weir::admin {
namespace {

using prometheus::ClientMetric;
using Labels = std::vector<ClientMetric::Label>;

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

class Samples {
 public:
  explicit Samples(MetricType type) : type_(type) {}

  template <typename Number>
  void add(Number number, Labels labels = {}) {
    const auto value = static_cast<double>(number);
    ClientMetric& sample = metrics_.emplace_back();
    sample.label = std::move(labels);
    if (type_ == MetricType::kCounter) {
      sample.counter.value = value;
    } else {
      sample.gauge.value = value;
    }
  }
  // Every second power of two from 256 us to 16.8 s: a factor of four a bucket, nine buckets.
  void add(const Latency& latency, Labels labels) {
    ClientMetric& sample = metrics_.emplace_back();
    sample.label = std::move(labels);
    uint64_t cumulative = 0;
    for (size_t i = 0; i < latency.buckets.size(); ++i) {
      cumulative += latency.buckets[i];
      const bool shown = i >= 8 && i <= 24 && i % 2 == 0;
      if (!shown) continue;
      const double bound = static_cast<double>(base::LatencyHistogram::bound_us(i)) / 1e6;
      sample.histogram.bucket.push_back({cumulative, bound});
    }
    sample.histogram.bucket.push_back({cumulative, std::numeric_limits<double>::infinity()});
    sample.histogram.sample_count = cumulative;
    sample.histogram.sample_sum = static_cast<double>(latency.sum_us) / 1e6;
  }
  std::vector<ClientMetric> take() { return std::move(metrics_); }

 private:
  MetricType type_;
  std::vector<ClientMetric> metrics_;
};

constexpr std::array<const char*, 6> kClasses{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

// -- The whole process.

void add_reloads(const ReloadTotals& reloads, Samples& out) {
  out.add(reloads.applied, {{"result", "applied"}});
  out.add(reloads.rejected, {{"result", "rejected"}});
}

void add_allocator(const ResourceTotals& resources, Samples& out) {
  if (!resources.allocator) return;
  out.add(resources.allocator->allocated, {{"kind", "allocated"}});
  out.add(resources.allocator->active, {{"kind", "active"}});
  out.add(resources.allocator->resident, {{"kind", "resident"}});
  out.add(resources.allocator->mapped, {{"kind", "mapped"}});
}

void add_failures(const Totals& totals, Samples& out) {
  for (size_t i = 0; i < totals.failures.size(); ++i) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
    out.add(totals.failures[i], {{"reason", std::string(info.reason)}});
  }
}

void add_missing(const Totals& totals, Samples& out) {
  if (!totals.identifies) return;
  out.add(totals.tenants_missing, {{"part", "tenant"}});
  out.add(totals.functions_missing, {{"part", "function"}});
}

void add_limits(const Totals& totals, Samples& out) {
  for (const LimitTotals& limit : totals.limits) {
    const auto add = [&](const char* result, uint64_t count) {
      out.add(count, {{"limit", limit.name}, {"result", result}});
    };
    add("passed", limit.passed);
    add("refused_rate", limit.refused_rate);
    add("refused_concurrency", limit.refused_concurrency);
    add("waited", limit.waited);
    add("refused_wait", limit.refused_wait);
    add("dry_run", limit.dry_run);
  }
}

bool add_process(Metric metric, const Totals& t, Samples& out) {
  switch (metric) {
    case Metric::kBuildInfo:
      out.add(1, {{"version", t.version}});
      return true;
    case Metric::kUptime:
      out.add(t.uptime_seconds);
      return true;
    case Metric::kReady:
      out.add(t.ready ? 1 : 0);
      return true;
    case Metric::kConfigVersion:
      out.add(t.reloads.version);
      return true;
    case Metric::kConfigReloads:
      add_reloads(t.reloads, out);
      return true;
    case Metric::kConfigLastReloadSuccess:
      out.add(t.reloads.last_succeeded ? 1 : 0);
      return true;
    case Metric::kConfigLastApplied:
      out.add(std::chrono::duration<double>(t.reloads.last_applied.time_since_epoch()).count());
      return true;
    case Metric::kMemoryAccounted:
      out.add(t.accounted_bytes());
      return true;
    case Metric::kMemoryResident:
      out.add(t.resources.resident_bytes);
      return true;
    case Metric::kMemoryAllocator:
      add_allocator(t.resources, out);
      return true;
    case Metric::kDescriptorsOpen:
      if (t.resources.open_descriptors) out.add(*t.resources.open_descriptors);
      return true;
    case Metric::kDescriptorsMax:
      out.add(t.resources.max_descriptors);
      return true;
    case Metric::kCpu:
      out.add(t.resources.cpu_seconds);
      return true;
    case Metric::kLogDropped:
      out.add(t.log_lines_dropped);
      return true;
    case Metric::kLogWritten:
      out.add(t.log.bytes_written);
      return true;
    case Metric::kLogLost:
      out.add(t.log.bytes_lost);
      return true;
    case Metric::kFailures:
      add_failures(t, out);
      return true;
    case Metric::kSpliced:
      out.add(t.spliced_bytes);
      return true;
    case Metric::kIdentityMissing:
      add_missing(t, out);
      return true;
    case Metric::kLimitDecisions:
      add_limits(t, out);
      return true;
    default:
      return false;
  }
}

// -- Per worker, listener, cluster, endpoint.

void add_worker(Metric metric, const WorkerTotals& worker, Samples& out) {
  Labels labels{{"worker", std::to_string(worker.index)}};
  switch (metric) {
    case Metric::kWorkerTurnAge:
      return out.add(worker.turn_age_seconds, std::move(labels));
    case Metric::kWorkerTurnMax:
      return out.add(worker.turn_seconds_max, std::move(labels));
    case Metric::kWorkerExchanges:
      return out.add(worker.exchanges, std::move(labels));
    case Metric::kWorkerDownstream:
      return out.add(worker.downstream_connections, std::move(labels));
    case Metric::kWorkerUpstream:
      return out.add(worker.upstream_connections, std::move(labels));
    default:
      return;
  }
}

// Plain listeners have no such series.
void add_tls(Metric metric, const ListenerTotals& l, Samples& out) {
  if (!l.tls) return;
  if (metric == Metric::kListenerTlsHandshakes) {
    out.add(l.tls_handshakes - l.tls_resumed, {{"listener", l.name}, {"kind", "full"}});
    out.add(l.tls_resumed, {{"listener", l.name}, {"kind", "resumed"}});
    return;
  }
  for (size_t i = 1; i < l.tls_failures.size(); ++i) {
    const auto failure = static_cast<net::TlsFailure>(i);
    out.add(l.tls_failures[i],
            {{"listener", l.name}, {"reason", std::string(net::tls_failure_word(failure))}});
  }
}

// Listeners that carry no gRPC have no such series.
void add_grpc(const ListenerTotals& l, Samples& out) {
  const auto& counts = l.grpc_responses;
  if (std::ranges::all_of(counts, [](uint64_t count) { return count == 0; })) return;
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string status = i < http::kGrpcStatuses ? std::to_string(i) : "none";
    out.add(counts[i], {{"listener", l.name}, {"status", status}});
  }
}

void add_listener(Metric metric, const ListenerTotals& l, Samples& out) {
  Labels labels{{"listener", l.name}};
  switch (metric) {
    case Metric::kListenerAccepted:
      return out.add(l.accepted, std::move(labels));
    case Metric::kListenerRefused:
      return out.add(l.refused, std::move(labels));
    case Metric::kListenerConnections:
      return out.add(l.connections, std::move(labels));
    case Metric::kListenerMaxConnections:
      return out.add(l.max_connections, std::move(labels));
    case Metric::kListenerExchanges:
      return out.add(l.exchanges, std::move(labels));
    case Metric::kListenerRequests:
      return out.add(l.requests, std::move(labels));
    case Metric::kListenerReceived:
      return out.add(l.bytes_received, std::move(labels));
    case Metric::kListenerSent:
      return out.add(l.bytes_sent, std::move(labels));
    case Metric::kListenerDuration:
      return out.add(l.duration, std::move(labels));
    case Metric::kListenerResponses:
      for (size_t i = 0; i < l.responses.size(); ++i) {
        out.add(l.responses[i], {{"listener", l.name}, {"class", kClasses[i]}});
      }
      return;
    case Metric::kListenerUpgrades:
      return out.add(l.upgrades, std::move(labels));
    case Metric::kListenerUpgradesActive:
      return out.add(l.upgrades_active, std::move(labels));
    case Metric::kListenerGrpc:
      return add_grpc(l, out);
    case Metric::kListenerHttp2Glitches:
      return out.add(l.http2_glitches, std::move(labels));
    case Metric::kTlsCertificateDaysLeft:
      for (const CertificateTotals& each : l.certificates) {
        out.add(each.days_left,
                {{"listener", l.name}, {"certificate", each.file}, {"subject", each.subject}});
      }
      return;
    case Metric::kListenerTlsHandshakes:
    case Metric::kListenerTlsFailures:
      return add_tls(metric, l, out);
    default:
      return;
  }
}

struct ClusterSeries {
  Metric metric;
  uint64_t ClusterTotals::*value;
};
constexpr auto kClusterCounters = std::to_array<ClusterSeries>({
    {Metric::kClusterRequests, &ClusterTotals::requests},
    {Metric::kClusterAttempts, &ClusterTotals::attempts},
    {Metric::kClusterRetries, &ClusterTotals::retries},
    {Metric::kClusterRetriesOverBudget, &ClusterTotals::retries_over_budget},
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
        out.add(c.responses[i], {{"cluster", c.now.name}, {"class", kClasses[i + 1]}});
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
    case Metric::kClusterMaxConnections:
      return out.add(c.now.limits.max_connections, std::move(labels));
    case Metric::kClusterEndpoints:
      return out.add(c.now.endpoints.size(), std::move(labels));
    case Metric::kClusterDnsFailures:
      if (c.now.dns) out.add(c.now.dns->failures, std::move(labels));
      return;
    default:
      return;
  }
}

void add_endpoints(Metric metric, const Totals& totals, Samples& out) {
  size_t seen = 0;
  for (const ClusterTotals& cluster : totals.clusters) {
    for (const upstream::EndpointSnapshot& endpoint : cluster.now.endpoints) {
      if (++seen > MetricsPage::kMaxEndpointSeries) continue;
      Labels labels{{"cluster", cluster.now.name}, {"endpoint", endpoint.address}};
      if (metric == Metric::kEndpointActiveRequests) {
        out.add(endpoint.active_requests, std::move(labels));
      } else if (metric == Metric::kEndpointConnections) {
        out.add(endpoint.connections, std::move(labels));
      }
    }
  }
  if (metric == Metric::kEndpointSeriesLeftOut) {
    out.add(seen - std::min(seen, MetricsPage::kMaxEndpointSeries));
  }
}

std::vector<ClientMetric> samples_of(const MetricInfo& info, const Part& part) {
  Samples out(info.type);
  if (add_process(info.metric, part.totals, out)) return out.take();
  if (by_cluster(info.metric)) {
    for (size_t i = part.from; i < part.to; ++i) {
      add_cluster(info.metric, part.totals.clusters[i], out);
    }
  } else if (info.metric >= Metric::kEndpointActiveRequests) {
    add_endpoints(info.metric, part.totals, out);
  } else {
    for (const WorkerTotals& worker : part.totals.workers) add_worker(info.metric, worker, out);
    for (const ListenerTotals& item : part.totals.listeners) add_listener(info.metric, item, out);
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
