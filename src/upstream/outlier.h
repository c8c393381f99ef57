// SPDX-License-Identifier: Apache-2.0
// Which endpoints of a cluster stand out by a window of their answers: by the share that failed, or
// by how long they took, against their peers. A cluster whose every endpoint is bad has no outlier:
// taking some out would only load the others. Failures in a row need no window and are counted in
// EndpointTally. Pure functions; the caller keeps the floor (may_eject()) at each ejection.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::upstream {

/// What one endpoint did in a window.
struct AnswerWindow {
  std::uint64_t answered = 0;  ///< Attempts that came to an answer of the endpoint's or a failure.
  std::uint64_t failed = 0;    ///< Of those.
  std::uint64_t latency_us = 0;  ///< To the response head, summed over answers that are no failure.
};

struct Outlier {
  std::size_t index = 0;  ///< In the span.
  std::string reason;     ///< "97 % of 120 attempts failed".
};

/// The worst first. Only those with `minimum_requests` are judged.
std::vector<Outlier> find_outliers(const OutlierConfig& config,
                                   std::span<const AnswerWindow> windows);

/// Whether one more of `available` endpoints may be ejected, of `all` that could be picked if all
/// were well: what is left must be at least `min_available`, rounded up.
bool may_eject(const OutlierConfig& config, std::size_t available, std::size_t all);
/// Fewer are available than ejections may leave.
bool below_floor(const OutlierConfig& config, std::size_t available, std::size_t all);

}  // namespace weir::upstream
