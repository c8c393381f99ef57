// SPDX-License-Identifier: Apache-2.0
#include "app/config_thread.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace weir::app {
namespace {

TEST(ConfigThread, RunsTasksInTheOrderOfPostingAndAllBeforeItEnds) {
  std::vector<int> order;
  {
    ConfigThread thread;
    for (int i = 0; i < 1000; ++i) thread.post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ConfigThread, TasksMayPostTasks) {
  int runs = 0;
  {
    ConfigThread thread;
    thread.post([&] { thread.post([&] { ++runs; }); });
  }
  EXPECT_EQ(runs, 1);
}

TEST(ConfigThread, FreesOnItsOwnThread) {
  struct Tells {
    explicit Tells(std::thread::id& where) : freed_on(where) {}
    ~Tells() { freed_on = std::this_thread::get_id(); }
    std::thread::id& freed_on;
  };
  std::thread::id freed_on;
  {
    ConfigThread thread;
    thread.free_later(std::make_shared<Tells>(freed_on));
  }
  EXPECT_NE(freed_on, std::thread::id());
  EXPECT_NE(freed_on, std::this_thread::get_id());
}

TEST(ConfigThread, DestroysUnrunWhatComesAfterStop) {
  ConfigThread thread;
  thread.stop();
  bool ran = false;
  thread.post([&] { ran = true; });
  thread.stop();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace weir::app
