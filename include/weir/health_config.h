// SPDX-License-Identifier: Apache-2.0
// How a cluster finds out which of its endpoints work: active checks, outlier detection on the
// answers that requests get, and how gently an endpoint comes back. Plain values with the rules of
// config.h, which includes this.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

// Statuses from `from` to `to`, both included.
struct StatusRange {
  std::uint16_t from = 0;
  std::uint16_t to = 0;
  bool operator==(const StatusRange&) const = default;
};

struct HttpCheckConfig {
  std::string path = "/";  // with a query, if it has one
  std::string method = "GET";
  std::vector<StatusRange> expect{{200, 399}};
  std::string host;  // empty is `auto`: the endpoint's configured name
  std::vector<std::pair<std::string, std::string>> headers;
  bool operator==(const HttpCheckConfig&) const = default;
};

struct TcpCheckConfig {
  bool operator==(const TcpCheckConfig&) const = default;
};

struct GrpcCheckConfig {
  std::string service;  // empty: the server as a whole
  bool operator==(const GrpcCheckConfig&) const = default;
};

// What counts until the first check of an endpoint is back. kAuto: healthy, unless the endpoint
// joins a cluster that serves already.
enum class InitialState : std::uint8_t { kAuto, kHealthy, kUnhealthy };

struct HealthCheckConfig {
  // Exactly one of the three.
  std::optional<HttpCheckConfig> http;
  std::optional<TcpCheckConfig> tcp;
  std::optional<GrpcCheckConfig> grpc;
  Millis interval{5'000};
  Millis timeout{1'000};                  // of a whole check: connection, TLS, answer
  std::uint32_t healthy_threshold = 2;    // passes in a row that bring an endpoint back
  std::uint32_t unhealthy_threshold = 3;  // failures in a row that take it out
  Share jitter = Share::percent(20);      // of the interval, either way
  InitialState initial_state = InitialState::kAuto;
  bool operator==(const HealthCheckConfig&) const = default;
};

struct OutlierConfig {
  // Failed attempts in a row: answers of 5xx, resets, timeouts, connections that did not come
  // about; 0 off.
  std::uint32_t consecutive_5xx = 5;
  std::uint32_t consecutive_connect_failures = 3;  // 0 off
  Share failure_rate = Share::percent(85);         // of a window, against peers; 0 off
  std::uint32_t latency_factor = 0;     // times the peers' mean time to the response head; 0 off
  std::uint32_t minimum_requests = 50;  // of an endpoint in a window, before it is judged by it
  Millis interval{10'000};              // the window
  Millis base_ejection_time{30'000};    // times how often it was ejected
  Millis max_ejection_time{300'000};
  Share min_available = Share::percent(50);  // of the endpoints; ejections never go below it
};

struct SlowStartConfig {
  Millis window{0};  // 0 off
  double aggression = 1.0;
  Share min_weight = Share::percent(10);
};

}  // namespace weir
