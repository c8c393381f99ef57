// SPDX-License-Identifier: Apache-2.0
// Runs a loop until what a test waits for has happened, and fails the test instead of hanging.
#pragma once

#include <gtest/gtest.h>

#include <chrono>

#include "net/loop.h"

namespace weir::test {

/// Looks after every turn; true as soon as `done` is.
template <typename Done>
bool run_until(net::Loop& loop, Done done,
               std::chrono::seconds patience = std::chrono::seconds(10)) {
  struct Watchdog {
    void bark() {
      barked = true;
      loop.stop();
    }
    net::Loop& loop;
    bool barked = false;
    net::Timer timer{net::timer_callback<&Watchdog::bark>(this)};
  } watchdog{loop};
  if (done()) return true;
  // Once: the turn that ends run() comes by here too, and must not stop the next run().
  bool stopped = false;
  loop.set_turn_hook([&loop, &done, &stopped] {
    if (!stopped && done()) {
      stopped = true;
      loop.stop();
    }
  });
  loop.post([&loop, &watchdog, patience] { loop.arm(watchdog.timer, patience); });
  loop.run();
  loop.set_turn_hook(nullptr);
  EXPECT_FALSE(watchdog.barked) << "waited too long";
  return !watchdog.barked;
}

}  // namespace weir::test
