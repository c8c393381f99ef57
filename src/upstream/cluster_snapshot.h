// SPDX-License-Identifier: Apache-2.0
// The state of clusters as plain values, for whoever shows it (/clusters, logs). Free to copy.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "upstream/cluster.h"
#include "upstream/health.h"
#include "upstream/health_counts.h"

namespace weir::upstream {

/// It may be picked, as far as its health goes.
constexpr bool is_in(HealthState state) {
  return state != HealthState::kEjected && state != HealthState::kUnhealthy;
}

struct EndpointSnapshot {
  std::string address;
  std::string host;
  std::string zone;
  std::uint32_t weight = 0;
  std::uint32_t active_requests = 0;
  std::uint32_t connections = 0;
  HealthState health = HealthState::kHealthy;
  std::string reason{};          ///< Of its health; empty when healthy.
  std::uint32_t weight_now = 0;  ///< For picking: 0 while out, part of it in slow start.
  Millis since{0};               ///< How long it is in or out.
  Millis ejected_for{0};         ///< Still; 0 if it is not ejected.
  std::uint32_t ejections = 0;   ///< Not forgotten yet.
  OperatorState state = OperatorState::kReady;
};

struct DnsSnapshot {
  std::string name;
  bool resolved = false;       ///< It has resolved at least once.
  std::string last_error;      ///< Empty if the last look-up succeeded.
  std::uint32_t failures = 0;  ///< In a row.
  Millis age{0};               ///< Since the last good answer.
  Millis next_refresh{0};      ///< From now; 0 while one is under way.
};

struct ClusterSnapshot {
  std::string name;
  OperatorState state = OperatorState::kReady;
  BalancePolicy policy = BalancePolicy::kLeastRequest;
  ClusterLimits limits;
  std::optional<std::uint32_t> adaptive_limit;  ///< nullopt: off.
  std::uint32_t requests = 0;
  std::uint32_t retries = 0;
  std::uint32_t connections = 0;
  std::uint32_t idle = 0;
  std::uint32_t pending = 0;
  bool checked = false;  ///< Its endpoints are asked,
  bool ejects = false;   ///< or judged by their answers.
  HealthCounts health;
  std::uint32_t eligible = 0;
  std::vector<EndpointSnapshot> endpoints;
  std::optional<DnsSnapshot> dns;
};

}  // namespace weir::upstream
