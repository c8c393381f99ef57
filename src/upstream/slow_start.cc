// SPDX-License-Identifier: Apache-2.0
#include "upstream/slow_start.h"

#include <algorithm>
#include <cmath>

namespace weir::upstream {

std::uint32_t ramp_part(const SlowStartConfig& config, Duration since, std::uint32_t whole) {
  if (config.window <= Millis::zero() || since >= config.window) return whole;
  const double time = std::max(
      0.0, std::chrono::duration<double>(since) / std::chrono::duration<double>(config.window));
  const double least = static_cast<double>(config.min_weight.ppm) / Share::kWhole;
  const double part = std::clamp(std::pow(time, 1.0 / config.aggression), least, 1.0);
  return std::max(static_cast<std::uint32_t>(part * whole), 1U);
}

std::uint32_t ramp_concurrency(double peers_mean, std::uint32_t part, std::uint32_t whole) {
  constexpr double kHeadroom = 2.0;
  const double places = kHeadroom * peers_mean * part / whole;
  return static_cast<std::uint32_t>(std::clamp(std::ceil(places), 1.0, 1e9));
}

}  // namespace weir::upstream
