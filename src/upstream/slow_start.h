// SPDX-License-Identifier: Apache-2.0
// How an endpoint that is new or well again grows to its whole weight. Pure functions.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <cstdint>

namespace weir::upstream {

/// The part of the weight at `since` after the return, of `whole`:
/// max(min_weight, (since / window) ^ (1 / aggression)), as Envoy has it. At least 1.
std::uint32_t ramp_part(const SlowStartConfig& config, Duration since, std::uint32_t whole);

/// Attempts that an endpoint with `part` of `whole` may have in flight, where established peers
/// have `peers_mean`: its part of twice that, so that an even share is never held back; at least 1.
std::uint32_t ramp_concurrency(double peers_mean, std::uint32_t part, std::uint32_t whole);

}  // namespace weir::upstream
