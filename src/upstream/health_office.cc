// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_office.h"

#include <algorithm>

#include "net/loop.h"

namespace weir::upstream {

void HealthOffice::ask_place(ProbePlaceWaiter& waiter) {
  if (free_ == 0) {
    if (!waiter.linked()) waiters_.push_back(waiter);
    return;
  }
  --free_;
  waiter.on_probe_place();
}

void HealthOffice::give_place() {
  if (ProbePlaceWaiter* next = waiters_.pop_front()) return next->on_probe_place();
  ++free_;
}

bool HealthOffice::may_hurry(TimePoint now) {
  constexpr Duration kEach = std::chrono::milliseconds(2);
  constexpr Duration kBurst = std::chrono::milliseconds(500);
  const TimePoint from = std::max(hurry_from_, now);
  if (from - now > kBurst) return false;
  hurry_from_ = from + kEach;
  return true;
}

}  // namespace weir::upstream
