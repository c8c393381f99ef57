// SPDX-License-Identifier: Apache-2.0
#include "net/timer_wheel.h"

#include <algorithm>

namespace weir::net {

// Rounded up, so that a timer never fires before its deadline.
uint64_t TimerWheel::tick_of(TimePoint t) const {
  if (t <= start_) return 0;
  const auto elapsed = static_cast<uint64_t>((t - start_).count());
  const auto tick = static_cast<uint64_t>(kTick.count());
  return elapsed / tick + (elapsed % tick != 0 ? 1 : 0);
}

void TimerWheel::arm(Timer& timer, TimePoint deadline) {
  const uint64_t tick = tick_of(deadline);
  timer.deadline_ = deadline;
  if (timer.linked() && timer.place_ <= tick) return;
  timer.unlink();
  file(timer, tick);
}

void TimerWheel::file(Timer& timer, uint64_t tick) {
  tick = std::max(tick, current_);
  // Farther than the wheel reaches: filed at its end, and filed again when that comes up.
  constexpr uint64_t kReach = (uint64_t{1} << (kBits * kLevels)) - 1;
  tick = std::min(tick, current_ + kReach - kSlots);
  timer.place_ = tick;
  const uint64_t distance = tick ^ current_;
  int level = 0;
  while (level + 1 < kLevels && (distance >> (kBits * (level + 1))) != 0) ++level;
  wheel_[static_cast<size_t>(level)][(tick >> (kBits * level)) % kSlots].push_back(timer);
}

void TimerWheel::run_slot(uint64_t tick, TimePoint now) {
  base::IntrusiveList<Timer> due;
  due.splice_back(wheel_[0][tick % kSlots]);
  while (Timer* timer = due.pop_front()) {
    if (timer->deadline_ > now) {
      file(*timer, std::max(tick_of(timer->deadline_), tick + 1));
    } else {
      timer->callback_.call(timer->callback_.self);
    }
  }
}

// Files the entries of the coming slot of `level` anew: they are near enough for a finer level.
void TimerWheel::cascade(int level) {
  base::IntrusiveList<Timer> moved;
  moved.splice_back(wheel_[static_cast<size_t>(level)][(current_ >> (kBits * level)) % kSlots]);
  while (Timer* timer = moved.pop_front()) file(*timer, timer->place_);
}

void TimerWheel::advance(TimePoint now) {
  if (now < start_) return;
  const auto target = static_cast<uint64_t>((now - start_) / kTick);
  for (;;) {
    // Every entry's slot, coarse ones included, comes up as a next tick: nothing is jumped over.
    const uint64_t tick = next_tick();
    if (tick > target) break;
    current_ = tick;
    for (int level = kLevels - 1; level > 0; --level) {
      if ((tick & ((uint64_t{1} << (kBits * level)) - 1)) == 0) cascade(level);
    }
    // Only once the slot is taken may `current_` pass it: what a callback files lands later.
    current_ = tick + 1;
    run_slot(tick, now);
  }
  current_ = std::max(current_, target + 1);
}

uint64_t TimerWheel::next_tick() const {
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t unit = uint64_t{1} << (kBits * level);
    const uint64_t here = current_ / unit;
    for (uint64_t ahead = 0; ahead < kSlots; ++ahead) {
      const uint64_t slot = here + ahead;
      // Beyond this turn of the level, entries stand in the next coarser one.
      if (ahead > 0 && slot % kSlots == 0) break;
      if (!wheel_[static_cast<size_t>(level)][slot % kSlots].empty()) {
        return std::max(slot * unit, current_);
      }
    }
  }
  return UINT64_MAX;
}

TimePoint TimerWheel::next_wake() const {
  const uint64_t tick = next_tick();
  return tick == UINT64_MAX ? TimePoint::max() : start_ + kTick * static_cast<int64_t>(tick);
}

}  // namespace weir::net
