// SPDX-License-Identifier: Apache-2.0
// What a config says of overload: shedding by priority, adaptive limits of clusters, deadlines of
// clients. In-class values are the defaults. Not behaviour: that is policy/shedder,
// upstream/adaptive_limit and the exchange. Immutable once loaded; any thread may read.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weir {

struct LoadSheddingConfig {
  bool enabled = true;
  // How late a worker may stand before it refuses: what is ready waits at least so long, again and
  // again. Far above what a full machine that keeps up shows, and below what clients bear.
  Millis target_delay{500};
};

struct AdaptiveConcurrencyConfig {
  std::uint32_t min = 10;  // requests in flight that are always let in
  std::uint32_t max = 1000;
  std::uint32_t initial = 100;  // before anything was measured
};

// How long clients want to wait, as trusted peers and those of a sidecar say it.
struct ClientDeadlineConfig {
  std::string header = "x-request-timeout";  // 250ms, 2s or 2; empty: none is read or told
  bool prefer_wait = true;                   // Prefer: wait=N (RFC 7240, 4.3)
};

}  // namespace weir
