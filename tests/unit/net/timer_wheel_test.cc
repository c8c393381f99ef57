// SPDX-License-Identifier: Apache-2.0
#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"

namespace weir::net {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(1'000)};

struct Probe {
  void on_fire() { ++fired; }
  int fired = 0;
  Timer timer{timer_callback<&Probe::on_fire>(this)};
};

TEST(TimerWheelTest, FiresAtTheFirstTickFromItsDeadlineOnAndOnce) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe.timer, kStart + milliseconds(20));
  wheel.advance(kStart + milliseconds(23));
  EXPECT_EQ(probe.fired, 0);
  EXPECT_EQ(wheel.next_wake(), kStart + milliseconds(24));
  wheel.advance(kStart + milliseconds(24));
  wheel.advance(kStart + hours(1));
  EXPECT_EQ(probe.fired, 1);
  EXPECT_FALSE(probe.timer.armed());
  EXPECT_EQ(wheel.next_wake(), TimePoint::max());
}

TEST(TimerWheelTest, ADeadlineInThePastFiresAtTheNextAdvance) {
  TimerWheel wheel(kStart);
  wheel.advance(kStart + seconds(9));
  Probe probe;
  wheel.arm(probe.timer, kStart + seconds(1));
  EXPECT_LE(wheel.next_wake(), kStart + seconds(9) + TimerWheel::kTick);
  wheel.advance(kStart + seconds(9) + TimerWheel::kTick);
  EXPECT_EQ(probe.fired, 1);
}

TEST(TimerWheelTest, CancelledOrDestroyedItDoesNotFire) {
  TimerWheel wheel(kStart);
  Probe cancelled;
  auto destroyed = std::make_unique<Probe>();
  wheel.arm(cancelled.timer, kStart + seconds(1));
  wheel.arm(destroyed->timer, kStart + seconds(1));
  cancelled.timer.cancel();
  destroyed.reset();
  wheel.advance(kStart + seconds(2));
  EXPECT_EQ(cancelled.fired, 0);
}

TEST(TimerWheelTest, MovedLaterItFiresAtTheNewDeadlineOnly) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe.timer, kStart + seconds(1));
  wheel.arm(probe.timer, kStart + seconds(60));
  wheel.advance(kStart + seconds(59));
  EXPECT_EQ(probe.fired, 0);
  EXPECT_TRUE(probe.timer.armed());
  wheel.advance(kStart + seconds(61));
  EXPECT_EQ(probe.fired, 1);
}

TEST(TimerWheelTest, MovedEarlierItFiresAtTheNewDeadline) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe.timer, kStart + hours(5));
  wheel.arm(probe.timer, kStart + seconds(1));
  wheel.advance(kStart + seconds(2));
  EXPECT_EQ(probe.fired, 1);
}

// A timer set by a callback at the last tick of a turn of the finest level must not hide those that
// wait in a coarser one for that turn to begin.
TEST(TimerWheelTest, ATimerSetAtATurnsEdgeDoesNotDelayAnEarlierOne) {
  TimerWheel wheel(kStart);
  Probe early;
  wheel.arm(early.timer, kStart + TimerWheel::kTick * 66);
  wheel.advance(kStart + TimerWheel::kTick * 63);
  Probe late;
  wheel.arm(late.timer, kStart + TimerWheel::kTick * 70);
  EXPECT_LE(wheel.next_wake(), kStart + TimerWheel::kTick * 66);
  wheel.advance(kStart + TimerWheel::kTick * 66);
  EXPECT_EQ(early.fired, 1);
  EXPECT_EQ(late.fired, 0);
}

class FarDeadlineTest : public testing::TestWithParam<Duration> {};

TEST_P(FarDeadlineTest, FiresOnTimeAlthoughNothingElseIsArmed) {
  TimerWheel wheel(kStart);
  // Not at the start of anything.
  TimePoint now = kStart + milliseconds(12'345);
  wheel.advance(now);
  Probe probe;
  const TimePoint deadline = now + GetParam();
  wheel.arm(probe.timer, deadline);
  for (int wakes = 0; probe.fired == 0 && wakes < 10'000; ++wakes) {
    const TimePoint wake = wheel.next_wake();
    ASSERT_NE(wake, TimePoint::max());
    ASSERT_GE(wake, now);
    now = wake;
    wheel.advance(now);
  }
  EXPECT_EQ(probe.fired, 1);
  EXPECT_GE(now, deadline);
  EXPECT_LT(now, deadline + TimerWheel::kTick);
}

INSTANTIATE_TEST_SUITE_P(Distances, FarDeadlineTest,
                         testing::Values(Duration(milliseconds(1)), Duration(milliseconds(511)),
                                         Duration(milliseconds(512)), Duration(seconds(33)),
                                         Duration(hours(1)), Duration(days(1)), Duration(days(98)),
                                         Duration(days(100)), Duration(days(1'000))));

// The wheel against a plain list, over random arms, moves, cancels and jumps of all sizes, with
// callbacks that arm again.
class Model {
 public:
  explicit Model(uint64_t seed) : rng_(seed) {
    for (size_t i = 0; i < kTimers; ++i) {
      entries_.push_back(std::make_unique<Entry>(*this));
    }
  }

  void step() {
    Entry& entry = *entries_[rng_.below(kTimers)];
    switch (rng_.below(8)) {
      case 0:
        entry.timer.cancel();
        entry.due.reset();
        break;
      case 1:
      case 2:
        jump();
        break;
      default:
        set(entry, now_ + random_span());
    }
    check_wake();
  }

 private:
  static constexpr size_t kTimers = 40;

  struct Entry {
    explicit Entry(Model& owner) : model(owner) {}
    void on_fire() { model.fired(*this); }
    Model& model;
    std::optional<TimePoint> due;
    Timer timer{timer_callback<&Entry::on_fire>(this)};
  };

  static int64_t tick_up(TimePoint t) {
    const auto n = (t - kStart).count();
    const auto tick = TimerWheel::kTick.count();
    return n <= 0 ? 0 : (n + tick - 1) / tick;
  }

  // All magnitudes alike: a uniform span would hardly ever be short.
  Duration random_span() {
    const auto most = Duration(hours(24) * 200).count();
    return Duration(static_cast<int64_t>(static_cast<uint64_t>(most) >> rng_.below(40)));
  }

  void set(Entry& entry, TimePoint deadline) {
    wheel_.arm(entry.timer, deadline);
    entry.due = deadline;
  }

  void jump() {
    const TimePoint wake = wheel_.next_wake();
    const bool to_wake = wake != TimePoint::max() && rng_.below(2) == 0;
    now_ = to_wake ? std::max(now_, wake) : now_ + random_span() / 16;
    last_tick_ = 0;
    wheel_.advance(now_);
    for (auto& entry : entries_) {
      if (!entry->due) continue;
      const int64_t reached = (now_ - kStart) / TimerWheel::kTick;
      EXPECT_GT(tick_up(*entry->due), reached) << "a timer was missed";
      EXPECT_TRUE(entry->timer.armed());
    }
  }

  void fired(Entry& entry) {
    ASSERT_TRUE(entry.due.has_value()) << "fired without being armed";
    EXPECT_LE(*entry.due, now_) << "fired early";
    EXPECT_GE(tick_up(*entry.due), last_tick_) << "out of order";
    last_tick_ = tick_up(*entry.due);
    entry.due.reset();
    // Later than what is firing, so that the order can be told.
    if (rng_.below(4) == 0) set(entry, now_ + TimerWheel::kTick + random_span());
  }

  void check_wake() {
    TimePoint first = TimePoint::max();
    for (auto& entry : entries_) {
      if (entry->due) first = std::min(first, *entry->due);
    }
    if (first == TimePoint::max()) return;
    EXPECT_LE(wheel_.next_wake(), std::max(first, now_) + TimerWheel::kTick);
  }

  base::Rng rng_;
  TimePoint now_ = kStart;
  int64_t last_tick_ = 0;
  TimerWheel wheel_{kStart};
  std::vector<std::unique_ptr<Entry>> entries_;
};

TEST(TimerWheelTest, AgreesWithAPlainListOverRandomOperations) {
  for (uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int i = 0; i < 1'500 && !testing::Test::HasFailure(); ++i) model.step();
  }
}

}  // namespace
}  // namespace weir::net
