// SPDX-License-Identifier: Apache-2.0
#include "app/breaker_watch.h"

#include <utility>

#include "admin/breakers.h"
#include "app/op_log.h"

namespace weir::app {
namespace {

constexpr Duration kPeriod = std::chrono::milliseconds(250);

void log_change(const admin::BreakerTotals& of, const policy::ClusterBreakers::Row& row) {
  const policy::Breaker::Reading& now = row.reading;
  const bool open = now.state == policy::BreakerState::kOpen;
  op_log(open ? LogLevel::kWarning : LogLevel::kInfo, "circuit breaker",
         {{of.level(), of.name()},
          {"function", row.function},
          {"state", admin::breaker_word(now.state)},
          {"forced", now.forced ? "yes" : "no"},
          {"for_ms", std::chrono::duration_cast<std::chrono::milliseconds>(now.until).count()},
          {"calls", open ? now.cause.calls : now.window.calls},
          {"failures", open ? now.cause.failures : now.window.failures},
          {"slow", open ? now.cause.slow : now.window.slow}});
}

}  // namespace

BreakerWatch::BreakerWatch(net::Loop& loop)
    : loop_(loop), timer_(net::timer_callback<&BreakerWatch::look>(this)) {}

void BreakerWatch::watch(std::shared_ptr<const proxy::Snapshot> snapshot) {
  const bool of_cells = snapshot->cells != nullptr && snapshot->cells->config().circuit_breaker;
  snapshot_ = snapshot->breakers.empty() && !of_cells ? nullptr : std::move(snapshot);
  if (snapshot_) {
    loop_.arm(timer_, kPeriod);
  } else {
    timer_.cancel();
  }
}

void BreakerWatch::stop() {
  timer_.cancel();
  snapshot_.reset();
}

void BreakerWatch::look() {
  for (const admin::BreakerTotals& of : admin::breaker_totals(*snapshot_, loop_.clock().now())) {
    for (const auto& row : of.rows) {
      uint64_t& seen = seen_[of.cluster + "\n" + of.cell + "\n" + row.function];
      if (std::exchange(seen, row.reading.changes) != row.reading.changes) {
        log_change(of, row);
      }
    }
  }
  loop_.arm(timer_, kPeriod);
}

}  // namespace weir::app
