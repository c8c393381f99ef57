// SPDX-License-Identifier: Apache-2.0
// What an exchange needs from the moment its upgrade or CONNECT is accepted: a timer for silence
// and the place in the counters. In the exchange's arena; destroyed by the exchange when it ends.
#pragma once

#include <weir/clock.h>

#include "net/timer_wheel.h"
#include "proxy/stats.h"

namespace weir::proxy {

struct Tunnel {
  Tunnel(ListenerStats& listener, net::TimerCallback on_timer, TimePoint now)
      : stats(listener), timer(on_timer), moved_at(now) {
    stats.upgrades.add();
    stats.upgrades_active.add();
  }
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  ~Tunnel() { stats.upgrades_active.sub(); }

  ListenerStats& stats;
  net::Timer timer;
  TimePoint moved_at;  ///< When a byte last moved, either way. The timer looks here when it fires.
};

}  // namespace weir::proxy
