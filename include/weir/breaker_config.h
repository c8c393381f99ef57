// SPDX-License-Identifier: Apache-2.0
// Circuit breakers of a cluster as plain values (the words are Resilience4j's). In-class values are
// the defaults. Immutable once loaded; any thread may read.
#pragma once

#include <weir/direct_config.h>
#include <weir/location.h>
#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

// What is tripped as one. Endpoints have outlier_detection.
enum class BreakerLevel : std::uint8_t { kCluster, kFunction };

// What a request gets instead of the refusal: exactly one of the two.
struct BreakerFallback {
  std::string cluster;  // empty: none
  std::optional<DirectTarget> direct;
  SourceLocation location;
};

struct CircuitBreakerConfig {
  Share failure_rate_threshold = Share::percent(50);     // of the window's calls: opens
  Share throttle_threshold = Share::percent(25);         // from here some are refused at random
  Share slow_call_rate_threshold = Share::percent(100);  // of the window's calls: opens
  Millis slow_call_duration{60'000};                     // to the response head; longer is slow
  Millis sliding_window{10'000};
  std::uint32_t minimum_requests = 20;    // fewer in the window are not judged
  Millis open_duration{5'000};            // doubles each time that probes fail
  Millis max_open_duration{60'000};       // and is never longer than this
  std::uint32_t half_open_requests = 10;  // probes that decide
  std::vector<BreakerLevel> per{BreakerLevel::kCluster, BreakerLevel::kFunction};
  std::optional<BreakerFallback> fallback;
  SourceLocation location;
};

}  // namespace weir
