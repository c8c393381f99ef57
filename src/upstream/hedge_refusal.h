// SPDX-License-Identifier: Apache-2.0
// Why a slow request was not sent to a second endpoint. For counters and labels. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::upstream {

enum class HedgeRefusal : std::uint8_t {
  kSamples,   ///< Too few recent answers to tell what is slow.
  kMemory,    ///< 70 % of the budget are in use.
  kBreaker,   ///< The cluster's circuit breaker refuses some.
  kQueueing,  ///< Requests wait for a connection.
  kEndpoint,  ///< There is no other one.
  kBudget,    ///< The retry budget is used up.
  kCount
};
inline constexpr std::size_t kHedgeRefusals = static_cast<std::size_t>(HedgeRefusal::kCount);

constexpr std::string_view hedge_refusal_word(HedgeRefusal refusal) {
  constexpr std::array<std::string_view, kHedgeRefusals> kWords{"samples",  "memory",   "breaker",
                                                                "queueing", "endpoint", "budget"};
  return kWords[static_cast<std::size_t>(refusal)];
}

}  // namespace weir::upstream
