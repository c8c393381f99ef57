// SPDX-License-Identifier: Apache-2.0
#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

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
  // Farther than the wheel reaches: filed in its last slot, and filed again when that comes up.
  constexpr int kTopShift = kBits * (kLevels - 1);
  tick = std::min(tick, ((current_ >> kTopShift) + kSlots - 1) << kTopShift);
  timer.place_ = tick;
  const uint64_t distance = tick ^ current_;
  int level = 0;
  while (level + 1 < kLevels && (distance >> (kBits * (level + 1))) != 0) ++level;
  const uint64_t slot = (tick >> (kBits * level)) % kSlots;
  wheel_[static_cast<size_t>(level)][slot].push_back(timer);
  maybe_used_[static_cast<size_t>(level)] |= uint64_t{1} << slot;
}

void TimerWheel::run_slot(uint64_t tick) {
  base::IntrusiveList<Timer> due;
  due.splice_back(wheel_[0][tick % kSlots]);
  while (Timer* timer = due.pop_front()) {
    // It was moved later. Even if that has passed too, those between the two come first.
    const uint64_t moved_to = tick_of(timer->deadline_);
    if (moved_to > tick) {
      file(*timer, moved_to);
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
    run_slot(tick);
  }
  current_ = std::max(current_, target + 1);
}

// The earliest over all levels: where `current_` has just begun a coarse slot that is not cascaded
// yet, its entries may come before what stands in finer ones.
uint64_t TimerWheel::next_tick() const {
  uint64_t first = UINT64_MAX;
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t here = current_ >> (kBits * level);
    const int ahead = first_used(static_cast<size_t>(level), here % kSlots);
    if (ahead < 0) continue;
    const uint64_t slot = here + static_cast<uint64_t>(ahead);
    first = std::min(first, std::max(slot << (kBits * level), current_));
  }
  return first;
}

// How many slots after `from`, around the level, the first entry stands; -1 if there is none. Marks
// of slots that cancelled timers have left empty go by the way.
int TimerWheel::first_used(size_t level, uint64_t from) const {
  uint64_t& marks = maybe_used_[level];
  while (marks != 0) {
    const int ahead = std::countr_zero(std::rotr(marks, static_cast<int>(from)));
    const uint64_t slot = (from + static_cast<uint64_t>(ahead)) % kSlots;
    if (!wheel_[level][slot].empty()) return ahead;
    marks &= ~(uint64_t{1} << slot);
  }
  return -1;
}

TimePoint TimerWheel::next_wake() const {
  const uint64_t tick = next_tick();
  return tick == UINT64_MAX ? TimePoint::max() : start_ + kTick * static_cast<int64_t>(tick);
}

}  // namespace weir::net
