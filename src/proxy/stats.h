// SPDX-License-Identifier: Apache-2.0
// What one worker counts. The worker writes, the control thread reads at scrape and sums over the
// workers; no lock. Cluster counters live with the cluster (upstream/), not here.
#pragma once

#include <weir/error.h>
#include <weir/limits_config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counters.h"
#include "http/grpc.h"
#include "net/tls_session.h"
#include "policy/cell_tag.h"
#include "policy/mirror_budget.h"
#include "policy/trace_tags.h"

namespace weir::proxy {

/// Why a connection was closed as soon as it was taken.
enum class Refusal : uint8_t {
  kMaxConnections,       ///< limits.max_connections of the listener.
  kMaxConnectionsPerIp,  ///< limits.max_connections_per_ip.
  kDescriptors,          ///< No descriptor was left for it.
  kCount
};
/// For labels: "max_connections", "max_connections_per_ip", "descriptors".
std::string_view refusal_word(Refusal refusal);

/// Of one listener on one worker. Survives reloads as long as the listener does.
struct ListenerStats {
  base::Counter connections_accepted;
  std::array<base::Counter, static_cast<size_t>(Refusal::kCount)> connections_refused;
  base::Gauge connections_active;
  base::Gauge exchanges_active;
  base::Counter requests;
  std::array<base::Counter, 6> responses;  ///< By class: [1] 1xx ... [5] 5xx; [0] none was sent.
  base::Counter bytes_received;            ///< Body bytes from clients.
  base::Counter bytes_sent;                ///< Body bytes to clients.
  base::Counter tls_handshakes;            ///< Completed.
  base::Counter tls_resumed;               ///< Of those, without a full handshake.
  std::array<base::Counter, static_cast<size_t>(net::TlsFailure::kCount)> tls_failures;
  base::Counter http2_glitches;
  base::Counter upgrades;  ///< Tunnels opened: upgrades and CONNECT.
  base::Gauge upgrades_active;
  /// gRPC calls by status; the last is those that ended without one.
  std::array<base::Counter, http::kGrpcStatuses + 1> grpc_responses;
  base::LatencyHistogram duration;  ///< First byte of the head to the last of the answer.
};

/// Why memory was refused.
enum class MemoryRefusal : uint8_t {
  kBudget,    ///< Over the budget.
  kShare,     ///< Over the tenant's share of it.
  kBody,      ///< A large body, at 90 %.
  kPriority,  ///< A request of low priority, at 95 %.
  kReset,     ///< Ended under way, to make room.
  kCount
};

struct WorkerStats {
  /// Requests that weir answered or ended itself, by why.
  std::array<base::Counter, static_cast<size_t>(ErrorCode::kCount)> failures;
  base::Counter tenants_missing;    ///< Requests whose tenant no rule of identity told.
  base::Counter functions_missing;  ///< The same for functions.
  /// Requests of configs that know priorities: with an owner, or on a route that has one.
  std::array<base::Counter, kLastPriority + 1> requests_by_priority;
  std::array<base::Counter, static_cast<size_t>(MemoryRefusal::kCount)> memory_refusals;
  std::array<base::Counter, kLastPriority + 1> shed_by_priority;  ///< Refused by load shedding.
  base::Gauge shed_share_ppm;  ///< The share of requests that it means to refuse now.
  std::array<base::Counter, static_cast<size_t>(policy::TagFault::kCount)> cell_tags_rejected;
  std::array<base::Counter, static_cast<size_t>(policy::TraceOutcome::kCount)> cell_reattach;
  std::array<base::Counter, static_cast<size_t>(policy::Reassignment::kCount)> cell_reassignments;
  base::Counter cell_hops;
  base::Counter faults_injected;  ///< By operators, for drills.
  base::Counter mirror_requests;  ///< Copies that were sent.
  std::array<base::Counter, static_cast<size_t>(policy::MirrorDrop::kCount)> mirror_dropped;
  /// Copies that were sent and got no whole answer, by why.
  std::array<base::Counter, static_cast<size_t>(ErrorCode::kCount)> mirror_failures;
  base::Gauge mirror_copies;  ///< Those whose request still comes included.
  base::Gauge mirror_bytes;   ///< Of their bodies.
  base::Counter cell_guests_refused;
  base::Counter spliced_bytes;
  base::Counter log_dropped;           ///< Access log lines that found the ring full.
  base::Counter idle_shed_downstream;  ///< Closed because descriptors or memory ran short.
  base::Counter idle_shed_upstream;
  base::Gauge turn_max_us;  ///< The longest turn of the loop in the last 30 to 60 s.
  base::Gauge exchanges_live;
  base::Gauge downstream_connections_live;
  base::Gauge upstream_connections_live;
};

}  // namespace weir::proxy
