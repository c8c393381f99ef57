// SPDX-License-Identifier: Apache-2.0
#include "net/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "sockets.h"
#include "support/loop_runner.h"

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

class LoopTest : public testing::Test {
 protected:
  /// One run() that ends with the turn in which it was asked for.
  void turn() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }

  SystemClock clock_;
  Loop loop_{clock_};
};

TEST_F(LoopTest, RunsPostedTasksInTheOrderOfPosting) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) loop_.post([&order, i] { order.push_back(i); });
  EXPECT_TRUE(order.empty());
  turn();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST_F(LoopTest, ATaskThatIsPostedByATaskRunsInALaterTurn) {
  std::vector<int> order;
  loop_.post([&] {
    loop_.post([&] { order.push_back(2); });
    order.push_back(1);
  });
  turn();
  EXPECT_THAT(order, ElementsAre(1));
  turn();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_F(LoopTest, TasksThatNeverRanAreDestroyedWithTheLoop) {
  const auto held = std::make_shared<int>(0);
  {
    Loop other(clock_);
    other.post([held] {});
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(LoopTest, TasksArriveFromOtherThreads) {
  constexpr int kEach = 1'000;
  int count = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < 2; ++t) {
    posters.emplace_back([this, &count] {
      for (int i = 0; i < kEach; ++i) {
        loop_.post([this, &count] {
          if (++count == 2 * kEach) loop_.stop();
        });
      }
    });
  }
  loop_.run();
  for (std::thread& poster : posters) poster.join();
  EXPECT_EQ(count, 2 * kEach);
}

TEST_F(LoopTest, StopFromAnotherThreadEndsALoopThatSleeps) {
  std::thread other([this] { loop_.stop(); });
  loop_.run();
  other.join();
}

TEST_F(LoopTest, RunsAgainAfterItWasStopped) {
  turn();
  bool ran = false;
  loop_.post([&ran] { ran = true; });
  turn();
  EXPECT_TRUE(ran);
}

struct Alarm {
  void on_time() {
    fired_at = loop.clock().now();
    if (stop) loop.stop();
  }
  Loop& loop;
  bool stop = true;
  TimePoint fired_at{};
  Timer timer{timer_callback<&Alarm::on_time>(this)};
};

TEST_F(LoopTest, ATimerFiresNotBeforeItsTimeAndSoonAfter) {
  Alarm alarm{loop_};
  const TimePoint armed_at = clock_.now();
  loop_.post([&] { loop_.arm(alarm.timer, milliseconds(30)); });
  loop_.run();
  EXPECT_GE(alarm.fired_at - armed_at, milliseconds(30));
  // Generous: the machine may be busy. A lost wake-up would never come.
  EXPECT_LT(alarm.fired_at - armed_at, milliseconds(2'000));
}

TEST_F(LoopTest, AnEarlierTimerIsNotHeldUpByALaterOne) {
  Alarm late{loop_, false};
  Alarm early{loop_};
  loop_.post([&] {
    loop_.arm(late.timer, std::chrono::hours(1));
    loop_.arm(early.timer, milliseconds(10));
  });
  loop_.run();
  EXPECT_EQ(late.fired_at, TimePoint{});
}

TEST_F(LoopTest, ATimerSetByATimerFires) {
  struct Chain {
    void on_time() {
      if (++fired == 3) {
        loop.stop();
      } else {
        loop.arm(timer, milliseconds(1));
      }
    }
    Loop& loop;
    int fired = 0;
    Timer timer{timer_callback<&Chain::on_time>(this)};
  } chain{loop_};
  loop_.arm(chain.timer, Duration::zero());
  loop_.run();
  EXPECT_EQ(chain.fired, 3);
}

TEST_F(LoopTest, TheTurnsTimeStandsStillWithinATask) {
  loop_.post([this] {
    const TimePoint before = loop_.now();
    while (clock_.now() <= before + milliseconds(2)) {
    }
    EXPECT_EQ(loop_.now(), before);
    loop_.stop();
  });
  loop_.run();
}

// ---- The graveyard.

struct Mortal final : Retirable {
  explicit Mortal(int& count) : alive(count) { ++alive; }
  ~Mortal() override { --alive; }
  int& alive;
};

TEST_F(LoopTest, TheDeadAreFreedAfterTheCallsUnderWayHaveReturned) {
  int alive = 0;
  auto* mortal = new Mortal(alive);
  loop_.post([this, mortal, &alive] {
    loop_.retire(*mortal);
    EXPECT_EQ(alive, 1);
    loop_.stop();
  });
  loop_.run();
  EXPECT_EQ(alive, 0);
}

TEST_F(LoopTest, WhoeverIsDeadWhenTheLoopGoesIsFreedWithIt) {
  int alive = 0;
  {
    Loop other(clock_);
    other.retire(*new Mortal(alive));
  }
  EXPECT_EQ(alive, 0);
}

// ---- Sockets in the loop.

TEST_F(LoopTest, ASocketsEventsReachItsHandler) {
  auto [near, far] = stream_pair();
  RecordingHandler handler;
  Socket socket;
  ASSERT_TRUE(socket.adopt(loop_.sockets(), near.take(), handler));
  far.write("x");
  EXPECT_TRUE(test::run_until(loop_, [&] { return socket.readable(); }));
}

TEST_F(LoopTest, AWokenSocketKeepsTheLoopFromSleeping) {
  auto [near, far] = stream_pair();
  RecordingHandler handler;
  Socket socket;
  ASSERT_TRUE(socket.adopt(loop_.sockets(), near.take(), handler));
  handler.then = [&] { socket.wake(); };
  EXPECT_TRUE(test::run_until(loop_, [&] { return handler.calls >= 100; }));
  handler.then = nullptr;
}

TEST_F(LoopTest, AHandlerMayRetireItsOwner) {
  struct Owner final : Retirable, SocketHandler {
    Owner(Loop& owner_loop, int fd, int& count) : loop(owner_loop), alive(count) {
      ++alive;
      EXPECT_TRUE(socket.adopt(loop.sockets(), fd, *this));
    }
    ~Owner() override { --alive; }
    void on_socket() override {
      if (!socket.peer_finished()) return;
      socket.close();
      loop.retire(*this);
    }
    Loop& loop;
    int& alive;
    Socket socket;
  };
  int alive = 0;
  auto [near, far] = stream_pair();
  new Owner(loop_, near.take(), alive);
  far.close();
  EXPECT_TRUE(test::run_until(loop_, [&] {
    // The hook comes before the graveyard is emptied: one more turn.
    if (alive != 0) loop_.post([] {});
    return alive == 0;
  }));
}

TEST_F(LoopTest, TheHookRunsAtTheEndOfEachTurn) {
  int turns = 0;
  loop_.set_turn_hook([&turns] { ++turns; });
  turn();
  EXPECT_GE(turns, 1);
}

}  // namespace
}  // namespace weir::net
