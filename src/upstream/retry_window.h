// SPDX-License-Identifier: Apache-2.0
// How often attempts are repeated, over the last ten seconds: at most a share of the requests, and
// a few a second besides, so that little traffic may be tried again as well. Places in flight do
// not bound what fails quickly; this does. One for each cluster, of all workers.
// Thread: any. Workers that take the last one at the same moment all get it.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <chrono>
#include <cstdint>

#include "base/outcome_window.h"

namespace weir::upstream {

class RetryWindow {
 public:
  static constexpr std::uint32_t kSeconds = 10;

  void count_request(TimePoint now) { calls_.record(base::CallOutcome::kSuccess, now, kSlot); }
  /// Counts a repetition, if there may be one: of all within the window at most `percent` of the
  /// requests in it and `min` for each of its seconds.
  bool take(const RetryBudget& budget, TimePoint now) {
    const base::OutcomeCounts seen = calls_.sum(now, kSlot);
    // A repetition is a call that failed, of this window's calls.
    const std::uint64_t share = (seen.calls - seen.failures) * budget.percent.ppm / Share::kWhole;
    if (seen.failures >= share + std::uint64_t{budget.min} * kSeconds) return false;
    calls_.record(base::CallOutcome::kFailure, now, kSlot);
    return true;
  }
  /// Of one that was taken at `taken_at` and not made.
  void give_back(TimePoint taken_at) {
    calls_.withdraw(base::CallOutcome::kFailure, taken_at, kSlot);
  }

 private:
  static constexpr Duration kSlot =
      std::chrono::seconds(kSeconds) / static_cast<int>(base::OutcomeWindow::kSlots);
  base::OutcomeWindow calls_;
};

}  // namespace weir::upstream
