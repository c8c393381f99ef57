// SPDX-License-Identifier: Apache-2.0
// One line of the operational log for each endpoint that health takes out or brings back, up to
// some a second: beyond that they are counted, and the count is written when it is over. Thread:
// the control loop's.
#pragma once

#include <weir/clock.h>

#include <cstdint>

#include "upstream/health_office.h"

namespace weir::app {

class HealthLog {
 public:
  explicit HealthLog(const Clock& clock) : clock_(clock) {}
  void write(const upstream::HealthEvent& event);

 private:
  const Clock& clock_;
  TimePoint second_{};          ///< When the second began in which lines are counted.
  std::uint32_t lines_ = 0;     ///< Written in it.
  std::uint32_t left_out_ = 0;  ///< Since the last line.
};

}  // namespace weir::app
