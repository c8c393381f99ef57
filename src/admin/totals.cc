// SPDX-License-Identifier: Apache-2.0
#include "admin/totals.h"

#include <algorithm>

#include "admin/process.h"
#include "net/tls_server_context.h"

namespace weir::admin {
namespace {

template <size_t N>
void add_all(std::array<uint64_t, N>& sums, const std::array<base::Counter, N>& counters) {
  for (size_t i = 0; i < N; ++i) sums[i] += counters[i].value();
}

std::vector<CertificateTotals> certificate_totals(const net::TlsServerContext& tls, WallTime now) {
  using Days = std::chrono::duration<double, std::chrono::days::period>;
  std::vector<CertificateTotals> out;
  for (const net::TlsCertificateFacts& facts : tls.certificates()) {
    out.push_back({facts.file, facts.subject, Days(facts.not_after - now).count()});
  }
  return out;
}

ListenerTotals listener_totals(const proxy::ListenerUse& use, WallTime now) {
  const proxy::SharedListener& shared = *use.shared;
  ListenerTotals out;
  out.tls = use.config.tls.has_value();
  if (use.tls) out.certificates = certificate_totals(*use.tls, now);
  out.name = shared.name;
  out.address = shared.address.text;
  out.max_connections = shared.max_connections.load(std::memory_order_relaxed);
  for (const auto& stats : shared.stats) {
    out.accepted += stats->connections_accepted.value();
    add_all(out.refused, stats->connections_refused);
    out.connections += stats->connections_active.value();
    out.exchanges += stats->exchanges_active.value();
    out.requests += stats->requests.value();
    out.bytes_received += stats->bytes_received.value();
    out.bytes_sent += stats->bytes_sent.value();
    add_all(out.responses, stats->responses);
    out.duration.add(stats->duration);
    out.tls_handshakes += stats->tls_handshakes.value();
    out.tls_resumed += stats->tls_resumed.value();
    add_all(out.tls_failures, stats->tls_failures);
    out.http2_glitches += stats->http2_glitches.value();
    out.upgrades += stats->upgrades.value();
    out.upgrades_active += stats->upgrades_active.value();
    add_all(out.grpc_responses, stats->grpc_responses);
  }
  return out;
}

void add_stats(ClusterTotals& out, const upstream::ClusterStats& stats) {
  out.requests += stats.requests.value();
  out.attempts += stats.attempts.value();
  out.retries += stats.retries.value();
  out.retries_over_budget += stats.retries_over_budget.value();
  out.hedges += stats.hedges.value();
  out.hedges_won += stats.hedges_won.value();
  out.own_zone += stats.own_zone.value();
  out.other_zones += stats.other_zones.value();
  add_all(out.hedges_refused, stats.hedges_refused);
  add_all(out.responses, stats.responses);
  out.connects += stats.connects.value();
  out.connect_failures += stats.connect_failures.value();
  out.resets += stats.resets.value();
  out.timeouts += stats.timeouts.value();
  out.reused += stats.reused.value();
  out.refused += stats.refused.value();
  out.waited += stats.waited.value();
  out.bytes_sent += stats.bytes_sent.value();
  out.bytes_received += stats.bytes_received.value();
  out.connect_time.add(stats.connect_time);
  out.response_time.add(stats.response_time);
}

void add_worker(Totals& out, const WorkerReading& worker, int64_t now_ns) {
  const proxy::WorkerStats& stats = *worker.stats;
  out.workers.push_back({worker.index, static_cast<double>(now_ns - worker.last_turn_ns) / 1e9,
                         static_cast<double>(stats.turn_max_us.value()) / 1e6,
                         worker.accounted_bytes, stats.exchanges_live.value(),
                         stats.downstream_connections_live.value(),
                         stats.upstream_connections_live.value()});
  add_all(out.failures, stats.failures);
  out.idle_shed_downstream += stats.idle_shed_downstream.value();
  out.idle_shed_upstream += stats.idle_shed_upstream.value();
  add_all(out.memory.refusals, stats.memory_refusals);
  out.faults_injected += stats.faults_injected.value();
  out.mirror_requests += stats.mirror_requests.value();
  add_all(out.mirror_dropped, stats.mirror_dropped);
  add_all(out.mirror_failures, stats.mirror_failures);
  out.mirror_copies += stats.mirror_copies.value();
  out.mirror_bytes += stats.mirror_bytes.value();
  out.tenants_missing += stats.tenants_missing.value();
  out.functions_missing += stats.functions_missing.value();
  add_all(out.requests_by_priority, stats.requests_by_priority);
  add_all(out.shed_by_priority, stats.shed_by_priority);
  out.shed_share =
      std::max(out.shed_share, static_cast<double>(stats.shed_share_ppm.value()) / 1e6);
  out.spliced_bytes += stats.spliced_bytes.value();
  out.log_lines_dropped += stats.log_dropped.value();
}

std::vector<ClusterTotals> cluster_totals(const Process& process, const proxy::Snapshot& snapshot) {
  std::vector<ClusterTotals> out;
  for (upstream::ClusterSnapshot& now : process.clusters()) {
    const size_t index = out.size();
    ClusterTotals& totals = out.emplace_back();
    totals.now = std::move(now);
    // Both are in the order of the config in force.
    if (index >= snapshot.clusters->size()) continue;
    for (const auto& stats : (*snapshot.clusters)[index]->stats()) add_stats(totals, *stats);
  }
  return out;
}

std::vector<LimitTotals> limit_totals(const policy::LimitSet& limits) {
  std::vector<LimitTotals> out;
  for (const policy::Limit& limit : limits.limits()) {
    LimitTotals& totals = out.emplace_back();
    totals.name = limit.name();
    for (const policy::LimitStats& stats : limit.state().stats) {
      totals.passed += stats.passed.value();
      totals.refused_rate += stats.refused_rate.value();
      totals.refused_concurrency += stats.refused_concurrency.value();
      totals.waited += stats.waited.value();
      totals.refused_wait += stats.refused_wait.value();
      totals.dry_run += stats.dry_run.value();
    }
  }
  return out;
}

CellTotals cell_totals(const Process& process, const proxy::Cells& cells) {
  CellTotals out;
  out.self = cells.config().self;
  out.reattaches = cells.traces() != nullptr;
  out.reassigns = !cells.config().upstream_may_assign.empty();
  for (uint32_t home = 0; home < cells.size(); ++home) {
    for (uint32_t served = 0; served < cells.size(); ++served) {
      const policy::CellRow& row = cells.row(home, served);
      for (size_t i = 0; i < static_cast<size_t>(policy::CellReason::kCount); ++i) {
        const auto reason = static_cast<policy::CellReason>(i);
        const uint64_t count = row.total(reason);
        if (count == 0) continue;
        out.requests.push_back({row.home.name, row.served.name, reason, count});
      }
    }
  }
  if (!out.self.empty()) {
    out.guests = cells.record(cells.self()).guests.load(std::memory_order_relaxed);
  }
  for (const WorkerReading& worker : process.workers()) {
    add_all(out.tags_rejected, worker.stats->cell_tags_rejected);
    add_all(out.reattach, worker.stats->cell_reattach);
    add_all(out.reassignments, worker.stats->cell_reassignments);
    out.hops += worker.stats->cell_hops.value();
    out.guests_refused += worker.stats->cell_guests_refused.value();
  }
  return out;
}

std::vector<ReleaseTotals> release_totals(const proxy::Releases& releases) {
  std::vector<ReleaseTotals> out;
  for (uint32_t i = 0; i < releases.size(); ++i) {
    for (const policy::ReleaseRow* row : releases.rows(i)) {
      out.push_back({row->release, row->to, row->rule, row->total()});
    }
  }
  return out;
}

policy::HeldByName::Sums function_bytes(const Process& process, size_t top) {
  policy::HeldByName::Sums sums;
  for (const WorkerReading& worker : process.workers()) {
    if (worker.functions != nullptr) worker.functions->read(sums);
  }
  return policy::largest(std::move(sums), top);
}

}  // namespace

void Latency::add(const base::LatencyHistogram& histogram) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.bucket(i);
  sum_us += histogram.sum_us();
}

uint64_t Latency::count() const {
  uint64_t sum = 0;
  for (const uint64_t n : buckets) sum += n;
  return sum;
}

int64_t Totals::accounted_bytes() const {
  int64_t sum = 0;
  for (const WorkerTotals& worker : workers) sum += worker.accounted_bytes;
  return sum;
}

Totals collect(const Process& process) {
  Totals out;
  const TimePoint now = process.clock().now();
  out.version = WEIR_VERSION;
  out.uptime_seconds = std::chrono::duration<double>(now - process.started()).count();
  out.ready = process.not_ready().empty();
  out.reloads = process.reloads();
  out.log = process.log();
  out.resources = read_resources();
  out.memory = process.memory();
  for (const WorkerReading& worker : process.workers()) {
    add_worker(out, worker, now.time_since_epoch().count());
  }
  const auto snapshot = process.snapshot();
  if (!snapshot || !snapshot->clusters) return out;
  for (const proxy::ListenerUse& use : snapshot->listeners) {
    out.listeners.push_back(listener_totals(use, process.clock().wall()));
  }
  out.clusters = cluster_totals(process, *snapshot);
  out.failover_groups = process.failover_groups();
  out.region = process.region();
  out.overrides = process.overrides();
  out.identifies = snapshot->policies != nullptr;
  if (out.identifies) {
    const proxy::Policies& policies = *snapshot->policies;
    if (policies.tenant_traffic) out.tenants = policies.tenant_traffic->read();
    if (policies.function_traffic) {
      out.functions = policies.function_traffic->read();
      out.function_bytes = function_bytes(process, policies.function_traffic->top());
    }
  }
  if (out.identifies && snapshot->policies->limits) {
    out.limits = limit_totals(*snapshot->policies->limits);
  }
  out.breakers = breaker_totals(*snapshot, process.clock().now());
  if (snapshot->cells) out.cells = cell_totals(process, *snapshot->cells);
  if (snapshot->releases) out.releases = release_totals(*snapshot->releases);
  return out;
}

}  // namespace weir::admin
