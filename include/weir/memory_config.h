// SPDX-License-Identifier: Apache-2.0
// What the process may hold for its requests, as plain values. In-class values are the defaults.
// Not behaviour: base/memory_budget.h keeps it. Immutable once loaded; any thread may read.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <optional>

namespace weir {

struct MemoryConfig {
  // Bytes; nullopt is `auto`: 60 % of what the cgroup grants, or of the machine's memory.
  std::optional<std::uint64_t> budget;
  // Of the budget, for all requests together whose tenant is not known.
  Share unidentified_share = Share::percent(20);
};

}  // namespace weir
