// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

using policy::TrafficCounts;
using Lines = std::vector<policy::TrafficTable::Line>;

constexpr std::array<const char*, TrafficCounts::kOutcomes> kOutcomes{"ok", "client_error",
                                                                      "server_error", "refused"};

void add_requests(const Lines& lines, const char* label, Samples& out) {
  for (const auto& line : lines) {
    for (size_t i = 0; i < kOutcomes.size(); ++i) {
      out.add(line.counts.requests[i], {{label, line.name}, {"outcome", kOutcomes[i]}});
    }
  }
}

// The bounds are those that a histogram of listeners shows.
void add_durations(const Lines& lines, const char* label, Samples& out) {
  for (const auto& line : lines) {
    Latency latency;
    for (size_t i = 0; i < TrafficCounts::kBuckets; ++i) {
      latency.buckets[8 + 2 * i] = line.counts.latency[i];
    }
    latency.sum_us = line.counts.latency_us;
    out.add(latency, {{label, line.name}});
  }
}

}  // namespace

bool add_traffic(Metric metric, const Totals& totals, Samples& out) {
  switch (metric) {
    case Metric::kTenantRequests:
      add_requests(totals.tenants, "tenant", out);
      return true;
    case Metric::kTenantDuration:
      add_durations(totals.tenants, "tenant", out);
      return true;
    case Metric::kFunctionRequests:
      add_requests(totals.functions, "function", out);
      return true;
    case Metric::kFunctionDuration:
      add_durations(totals.functions, "function", out);
      return true;
    case Metric::kFunctionMemory:
      for (const auto& [name, bytes] : totals.function_bytes) {
        const std::string_view shown = name.empty() ? policy::TrafficTable::kOther : name;
        out.add(bytes, {{"function", std::string(shown)}});
      }
      return true;
    default:
      return false;
  }
}

}  // namespace weir::admin
