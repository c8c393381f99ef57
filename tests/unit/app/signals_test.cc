// SPDX-License-Identifier: Apache-2.0
#include "app/signals.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>
#include <vector>

namespace weir::app {
namespace {

TEST(Signals, ArriveOnTheLoopInOrder) {
  const SystemClock clock;
  net::Loop loop(clock);
  std::vector<int> seen;
  const Signals signals(loop, [&](int signal) {
    seen.push_back(signal);
    if (signal == SIGTERM) loop.stop();
  });
  ::raise(SIGHUP);
  ::raise(SIGUSR1);
  ::raise(SIGTERM);
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{SIGHUP, SIGUSR1, SIGTERM}));
}

TEST(Signals, ArriveWhicheverThreadTakesThem) {
  const SystemClock clock;
  net::Loop loop(clock);
  std::thread::id handled_on;
  const Signals signals(loop, [&](int) {
    handled_on = std::this_thread::get_id();
    loop.stop();
  });
  std::thread other([] { ::raise(SIGINT); });
  loop.run();
  other.join();
  EXPECT_EQ(handled_on, std::this_thread::get_id());
}

TEST(Signals, ABrokenPipeIsNoDeath) {
  const SystemClock clock;
  net::Loop loop(clock);
  const Signals signals(loop, [](int) {});
  ::raise(SIGPIPE);
}

}  // namespace
}  // namespace weir::app
