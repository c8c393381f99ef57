// SPDX-License-Identifier: Apache-2.0
// When a request is sent to a second endpoint because the first is slow (Dean and Barroso 2013,
// "The Tail at Scale"), as plain values. In-class values are the defaults. Immutable once loaded;
// any thread may read.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <variant>

namespace weir {

// A percentile of what the cluster's answers have lately taken to begin.
struct LatencyPercentile {
  std::uint32_t percent = 95;
  bool operator==(const LatencyPercentile&) const = default;
};

struct HedgeConfig {
  std::variant<LatencyPercentile, Millis> after;  // without a response head
};

}  // namespace weir
