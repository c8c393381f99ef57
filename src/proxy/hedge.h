// SPDX-License-Identifier: Apache-2.0
// The second attempt of a request whose first one is slow. Of the two, the exchange's own attempt
// is the one that it is busy with: the events of the other make them change places first, so that
// no step of the exchange knows of two. In the exchange's arena, and only on routes that hedge. The
// code is in exchange_hedge.cc. One thread; destroyed by the end of the exchange.
#pragma once

#include "net/timer_wheel.h"
#include "proxy/attempt.h"

namespace weir::proxy {

struct Hedge {
  Hedge(Exchange& exchange, net::TimerCallback due) : other(exchange), timer(due) {}

  Attempt other;  ///< Neither of the two waits for a place while it is under way.
  net::Timer timer;
  TimePoint other_sent_at{};  ///< When the other's request was sent.
  bool running = false;       ///< Both are under way.
  bool second = false;        ///< The exchange is busy with the one that began later.
  bool launching = false;     ///< The later one is about to begin: its failures are no news,
  bool crowded_out = false;   ///< unless it was that its endpoint has no room.
};

}  // namespace weir::proxy
