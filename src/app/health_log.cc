// SPDX-License-Identifier: Apache-2.0
#include "app/health_log.h"

#include "app/op_log.h"

namespace weir::app {

void HealthLog::write(const upstream::HealthEvent& event) {
  constexpr std::uint32_t kLinesASecond = 20;
  const TimePoint now = clock_.now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
  }
  if (++lines_ > kLinesASecond) {
    ++left_out_;
    return;
  }
  const bool out = event.state == upstream::HealthState::kUnhealthy ||
                   event.state == upstream::HealthState::kEjected;
  op_log(out ? LogLevel::kWarning : LogLevel::kInfo, out ? "endpoint out" : "endpoint in",
         {{"cluster", event.cluster},
          {"endpoint", event.endpoint},
          {"health", upstream::health_word(event.state)},
          {"reason", event.reason},
          {"eligible", event.eligible},
          {"of", event.members},
          {"changes_not_logged", left_out_}});
  left_out_ = 0;
}

}  // namespace weir::app
