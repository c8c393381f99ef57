// SPDX-License-Identifier: Apache-2.0
// What an operator has said of one endpoint at run time, above what the config says. A value; not
// how long it lasts, nor who said it. No thread rule.
#pragma once

#include <weir/config.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace weir::upstream {

struct WeightOverride {
  std::uint32_t value = 0;
  bool percent = false;  ///< Of the configured weight; else the weight itself.

  /// Some part of a weight above 0 is never nothing.
  std::uint32_t of(std::uint32_t configured) const {
    if (!percent) return value;
    const std::uint64_t part = std::uint64_t{configured} * value / 100;
    const std::uint64_t least = configured > 0 && value > 0 ? 1 : 0;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(part, least, UINT32_MAX));
  }
};

struct EndpointOverride {
  std::optional<OperatorState> state;
  std::optional<WeightOverride> weight;

  bool empty() const { return !state && !weight; }
};

}  // namespace weir::upstream
