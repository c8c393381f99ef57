// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

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

}  // namespace

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
    default:
      return false;
  }
}

bool add_workers(Metric metric, const Totals& totals, Samples& out) {
  if (metric < Metric::kWorkerTurnAge || metric > Metric::kWorkerUpstream) return false;
  for (const WorkerTotals& worker : totals.workers) add_worker(metric, worker, out);
  return true;
}

}  // namespace weir::admin
