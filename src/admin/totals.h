// SPDX-License-Identifier: Apache-2.0
// Everything that the process counts, read once and summed over the workers: plain values, so that
// a page of thousands of lines can be written at leisure from numbers of one moment. Not the
// counters themselves, and no rates. Collected on the control thread; then anybody's.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>
#include <weir/limits_config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "admin/breakers.h"
#include "admin/overrides.h"
#include "base/counters.h"
#include "base/memory_budget.h"
#include "http/grpc.h"
#include "net/tls_session.h"
#include "policy/cell_ledger.h"
#include "policy/cell_tag.h"
#include "policy/held_by_name.h"
#include "policy/traffic.h"
#include "proxy/stats.h"
#include "upstream/cluster_manager.h"
#include "upstream/failover_snapshot.h"
#include "upstream/hedge_refusal.h"
#include "upstream/region_state.h"

namespace weir::admin {

class Process;

/// A LatencyHistogram at one moment.
struct Latency {
  std::array<uint64_t, base::LatencyHistogram::kBuckets> buckets{};  ///< Not cumulative.
  uint64_t sum_us = 0;

  void add(const base::LatencyHistogram& histogram);
  uint64_t count() const;
};

struct CertificateTotals {
  std::string file;
  std::string subject;
  double days_left = 0;
};

struct ListenerTotals {
  std::string name;
  std::string address;
  uint64_t accepted = 0;
  std::array<uint64_t, static_cast<size_t>(proxy::Refusal::kCount)> refused{};
  int64_t connections = 0;
  uint64_t max_connections = 0;
  int64_t exchanges = 0;
  uint64_t requests = 0;
  std::array<uint64_t, 6> responses{};  ///< By class; [0]: none was sent.
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  Latency duration;
  uint64_t upgrades = 0;
  int64_t upgrades_active = 0;
  std::array<uint64_t, http::kGrpcStatuses + 1> grpc_responses{};  ///< The last: without a status.
  bool tls = false;
  uint64_t tls_handshakes = 0;
  uint64_t tls_resumed = 0;
  std::array<uint64_t, static_cast<size_t>(net::TlsFailure::kCount)> tls_failures{};
  uint64_t http2_glitches = 0;
  std::vector<CertificateTotals> certificates;
};

/// One limit, over all workers.
struct LimitTotals {
  std::string name;
  uint64_t passed = 0;
  uint64_t refused_rate = 0;
  uint64_t refused_concurrency = 0;
  uint64_t waited = 0;
  uint64_t refused_wait = 0;
  uint64_t dry_run = 0;
};

/// Cells of the config in force, over all workers.
struct CellTotals {
  struct Requests {
    std::string home;
    std::string served;
    policy::CellReason reason{};
    uint64_t count = 0;
  };
  std::string self;  ///< Empty: a front door.
  std::vector<Requests> requests;
  std::array<uint64_t, static_cast<size_t>(policy::TagFault::kCount)> tags_rejected{};
  std::array<uint64_t, static_cast<size_t>(policy::TraceOutcome::kCount)> reattach{};
  std::array<uint64_t, static_cast<size_t>(policy::Reassignment::kCount)> reassignments{};
  bool reattaches = false;
  bool reassigns = false;
  uint64_t hops = 0;
  uint64_t guests = 0;
  uint64_t guests_refused = 0;
};

/// One rule of a release of the config in force, over all workers.
struct ReleaseTotals {
  std::string release;
  std::string to;
  std::string rule;
  uint64_t requests = 0;
};

struct WorkerTotals {
  uint32_t index = 0;
  double turn_age_seconds = 0;  ///< Since its loop last turned.
  double turn_seconds_max = 0;
  int64_t accounted_bytes = 0;
  int64_t exchanges = 0;
  int64_t downstream_connections = 0;
  int64_t upstream_connections = 0;
};

struct ClusterTotals {
  upstream::ClusterSnapshot now;  ///< Name, limits, what is under way, endpoints, DNS.
  uint64_t requests = 0;
  uint64_t attempts = 0;
  uint64_t retries = 0;
  uint64_t retries_over_budget = 0;
  uint64_t hedges = 0;
  uint64_t hedges_won = 0;
  uint64_t own_zone = 0;
  uint64_t other_zones = 0;
  std::array<uint64_t, upstream::kHedgeRefusals> hedges_refused{};
  std::array<uint64_t, 5> responses{};  ///< 1xx is [0].
  uint64_t connects = 0;
  uint64_t connect_failures = 0;
  uint64_t resets = 0;
  uint64_t timeouts = 0;
  uint64_t reused = 0;
  uint64_t refused = 0;
  uint64_t waited = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  Latency connect_time;
  Latency response_time;
};

struct ReloadTotals {
  uint64_t version = 0;  ///< Of the config in force; 0: none yet.
  uint64_t applied = 0;
  uint64_t rejected = 0;
  bool last_succeeded = true;
  WallTime last_applied{};
};

struct LogTotals {
  uint64_t bytes_written = 0;
  uint64_t bytes_lost = 0;
};

/// The budget of the process.
struct MemoryTotals {
  int64_t budget_bytes = 0;
  int64_t charged_bytes = 0;  ///< Off by error_bytes at most.
  int64_t error_bytes = 0;
  base::MemoryStage stage = base::MemoryStage::kCalm;
  std::array<uint64_t, static_cast<size_t>(proxy::MemoryRefusal::kCount)> refusals{};
};

/// What the kernel and the allocator say of this process.
struct ResourceTotals {
  uint64_t resident_bytes = 0;
  std::optional<uint64_t> open_descriptors;  ///< Absent where counting would take too long.
  uint64_t max_descriptors = 0;
  double cpu_seconds = 0;
  /// Absent where the allocator is not jemalloc.
  struct Allocator {
    uint64_t allocated = 0;
    uint64_t active = 0;
    uint64_t resident = 0;
    uint64_t mapped = 0;
  };
  std::optional<Allocator> allocator;
};

struct Totals {
  std::string version;
  double uptime_seconds = 0;
  bool ready = false;
  ReloadTotals reloads;
  LogTotals log;
  ResourceTotals resources;
  MemoryTotals memory;
  std::vector<ListenerTotals> listeners;
  std::vector<WorkerTotals> workers;
  std::vector<ClusterTotals> clusters;
  std::vector<LimitTotals> limits;
  std::vector<upstream::FailoverGroupSnapshot> failover_groups;
  std::optional<upstream::RegionReading> region;  ///< Nullopt: the config has none.
  std::vector<BreakerTotals> breakers;
  std::vector<policy::TrafficTable::Line> tenants;    ///< The busiest, and `other`.
  std::vector<policy::TrafficTable::Line> functions;  ///< The same.
  /// What the functions that hold most are charged; the empty name: all others. Empty: not counted.
  policy::HeldByName::Sums function_bytes;
  std::optional<CellTotals> cells;
  std::vector<OverrideRow> overrides;
  std::vector<ReleaseTotals> releases;
  std::array<uint64_t, static_cast<size_t>(ErrorCode::kCount)> failures{};
  uint64_t spliced_bytes = 0;
  uint64_t idle_shed_downstream = 0;
  uint64_t idle_shed_upstream = 0;
  bool identifies = false;  ///< The config has identity or limits.
  uint64_t faults_injected = 0;
  uint64_t mirror_requests = 0;
  std::array<uint64_t, static_cast<size_t>(policy::MirrorDrop::kCount)> mirror_dropped{};
  std::array<uint64_t, static_cast<size_t>(ErrorCode::kCount)> mirror_failures{};
  int64_t mirror_copies = 0;
  int64_t mirror_bytes = 0;
  uint64_t tenants_missing = 0;
  uint64_t functions_missing = 0;
  std::array<uint64_t, kLastPriority + 1> requests_by_priority{};
  std::array<uint64_t, kLastPriority + 1> shed_by_priority{};
  double shed_share = 0;  ///< Of the worker that sheds most.
  uint64_t log_lines_dropped = 0;

  int64_t accounted_bytes() const;
};

Totals collect(const Process& process);
ResourceTotals read_resources();

}  // namespace weir::admin
