// SPDX-License-Identifier: Apache-2.0
// Timeouts as intrusive entries of one hierarchical wheel (Varghese and Lauck 1987) per loop: arm
// and cancel are O(1) and allocate nothing, and a deadline that only moves later costs one store:
// the entry is put where it belongs when its old place comes up. Resolution is one tick of 8 ms; a
// timer never fires early. Destroying a Timer cancels it. One thread; it knows no clock: advance()
// is told.
#pragma once

#include <weir/clock.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"

namespace weir::net {

/// One timeout, a member of whoever waits. The callback is bound once, at construction:
/// `Timer idle_{timer_callback<&Connection::on_idle>(this)}`.
struct TimerCallback {
  void (*call)(void*);
  void* self;
};
namespace internal {
template <typename T>
struct MemberOf;
template <typename C>
struct MemberOf<void (C::*)()> {
  using Class = C;
};
}  // namespace internal
template <auto Method>
TimerCallback timer_callback(typename internal::MemberOf<decltype(Method)>::Class* self) {
  using Class = typename internal::MemberOf<decltype(Method)>::Class;
  return {[](void* object) { (static_cast<Class*>(object)->*Method)(); }, self};
}

class Timer : public base::ListLink<> {
 public:
  explicit Timer(TimerCallback callback) : callback_(callback) {}

  bool armed() const { return linked(); }
  /// No callback comes after this.
  void cancel() { unlink(); }
  /// When it fires. Requires: armed().
  TimePoint deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  TimerCallback callback_;
  TimePoint deadline_{};
  uint64_t place_ = 0;  ///< The tick that it is filed under, at most the deadline's.
};

class TimerWheel {
 public:
  static constexpr Duration kTick{std::chrono::milliseconds(8)};

  explicit TimerWheel(TimePoint start) : start_(start) {}

  /// Sets or moves the deadline. Cheapest when it moves later.
  void arm(Timer& timer, TimePoint deadline);
  /// Fires all that are due, in order of their ticks. Callbacks may arm and cancel any timer.
  void advance(TimePoint now);
  /// When advance() should next be called; TimePoint::max() when nothing is armed.
  TimePoint next_wake() const;

 private:
  static constexpr int kLevels = 5;
  static constexpr int kBits = 6;
  static constexpr uint64_t kSlots = 1u << kBits;

  uint64_t tick_of(TimePoint t) const;
  void file(Timer& timer, uint64_t tick);
  void run_slot(uint64_t tick);
  void cascade(int level);
  uint64_t next_tick() const;
  int first_used(size_t level, uint64_t from) const;

  const TimePoint start_;
  uint64_t current_ = 0;  ///< All ticks below are done.
  std::array<std::array<base::IntrusiveList<Timer>, kSlots>, kLevels> wheel_;
  /// A bit for each slot that has been filed into; a cancel leaves it set.
  mutable std::array<uint64_t, kLevels> maybe_used_{};
};

}  // namespace weir::net
