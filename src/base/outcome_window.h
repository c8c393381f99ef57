// SPDX-License-Identifier: Apache-2.0
// How calls ended within a sliding window: ten slots, each a tenth of it, in two words a slot. All
// workers record into it; sums are exact but for calls that race with the turn of a slot. Whoever
// evaluates it decides; it judges nothing.
// Thread: any. A slot that is full (134 million calls) counts no more.
#pragma once

#include <weir/clock.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::base {

enum class CallOutcome : std::uint8_t { kSuccess, kSlow, kFailure, kRefused };

struct OutcomeCounts {
  std::uint64_t calls = 0;  ///< Successes, slow ones and failures.
  std::uint64_t failures = 0;
  std::uint64_t slow = 0;
  std::uint64_t refused = 0;  ///< Never made, because a breaker said no.

  OutcomeCounts& operator+=(const OutcomeCounts& other) {
    calls += other.calls;
    failures += other.failures;
    slow += other.slow;
    refused += other.refused;
    return *this;
  }
  /// What is left when `part` is taken out; never below zero.
  OutcomeCounts without(const OutcomeCounts& part) const {
    const auto less = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
    return {less(calls, part.calls), less(failures, part.failures), less(slow, part.slow),
            less(refused, part.refused)};
  }
};

class OutcomeWindow {
 public:
  static constexpr std::size_t kSlots = 10;

  /// `slot`: a tenth of the window; the same for all calls until clear().
  void record(CallOutcome outcome, TimePoint now, Duration slot) {
    const std::uint64_t turn = turn_of(now, slot);
    Slot& at = slots_[turn % kSlots];
    switch (outcome) {
      case CallOutcome::kSuccess:
        return at.ends.add(turn, 1, 0);
      case CallOutcome::kFailure:
        return at.ends.add(turn, 1, 1);
      case CallOutcome::kSlow:
        at.ends.add(turn, 1, 0);
        return at.others.add(turn, 1, 0);
      case CallOutcome::kRefused:
        return at.others.add(turn, 0, 1);
    }
  }

  /// Takes back a call that was recorded at `at`: it has come to another end since, which is to be
  /// recorded, or to none. Harmless where it is no longer, or never was, in the window.
  void withdraw(CallOutcome outcome, TimePoint at, Duration slot) {
    const std::uint64_t turn = turn_of(at, slot);
    Slot& of = slots_[turn % kSlots];
    if (outcome == CallOutcome::kFailure) return of.ends.take_both(turn);
    // Failures are calls as well, and are never taken for the success.
    if (!of.ends.take(turn, true) || outcome != CallOutcome::kSlow) return;
    of.others.take(turn, false);
  }

  OutcomeCounts sum(TimePoint now, Duration slot) const {
    const std::uint64_t turn = turn_of(now, slot);
    OutcomeCounts out;
    for (std::uint64_t back = 0; back < kSlots && back <= turn; ++back) {
      const Slot& at = slots_[(turn - back) % kSlots];
      const auto [calls, failures] = at.ends.read(turn - back);
      const auto [slow, refused] = at.others.read(turn - back);
      out += {calls, failures, slow, refused};
    }
    return out;
  }

  void clear() {
    for (Slot& slot : slots_) {
      slot.ends.word.store(0, std::memory_order_relaxed);
      slot.others.word.store(0, std::memory_order_relaxed);
    }
  }

 private:
  // {turn: 10 bits, first: 27, second: 27}. A turn is told from that 1024 windows ago by nobody:
  // after such a silence at most one slot of old counts is seen for a tenth of a window.
  struct Pair {
    static constexpr unsigned kBits = 27;
    static constexpr std::uint64_t kMost = (std::uint64_t{1} << kBits) - 1;
    static constexpr std::uint64_t kTurns = 1024;
    // Turn 0 of the word is an empty one, so that zeroed memory is empty.
    static std::uint64_t mark(std::uint64_t turn) { return turn / kSlots % (kTurns - 1) + 1; }

    void add(std::uint64_t turn, std::uint64_t first, std::uint64_t second) {
      std::uint64_t seen = word.load(std::memory_order_relaxed);
      std::uint64_t next = 0;
      do {
        const auto [a, b] = parts(seen, turn);
        if (a == kMost || b == kMost) return;
        next = mark(turn) << (2 * kBits) | (a + first) << kBits | (b + second);
      } while (!word.compare_exchange_weak(seen, next, std::memory_order_relaxed));
    }
    /// One less of the first, if there is one; `above`: only one that is more than the second.
    bool take(std::uint64_t turn, bool above) {
      std::uint64_t seen = word.load(std::memory_order_relaxed);
      do {
        const auto [a, b] = parts(seen, turn);
        if (a == 0 || (above && a <= b)) return false;
      } while (!word.compare_exchange_weak(seen, seen - (std::uint64_t{1} << kBits),
                                           std::memory_order_relaxed));
      return true;
    }
    /// One less of each, if there is one.
    void take_both(std::uint64_t turn) {
      constexpr std::uint64_t kOneEach = (std::uint64_t{1} << kBits) + 1;
      std::uint64_t seen = word.load(std::memory_order_relaxed);
      do {
        const auto [a, b] = parts(seen, turn);
        if (a == 0 || b == 0) return;
      } while (!word.compare_exchange_weak(seen, seen - kOneEach, std::memory_order_relaxed));
    }
    std::array<std::uint64_t, 2> read(std::uint64_t turn) const {
      return parts(word.load(std::memory_order_relaxed), turn);
    }
    static std::array<std::uint64_t, 2> parts(std::uint64_t seen, std::uint64_t turn) {
      if (seen >> (2 * kBits) != mark(turn)) return {0, 0};
      return {seen >> kBits & kMost, seen & kMost};
    }

    std::atomic<std::uint64_t> word{0};
  };
  struct Slot {
    Pair ends;    ///< Calls, failures.
    Pair others;  ///< Slow ones, refusals.
  };

  static std::uint64_t turn_of(TimePoint now, Duration slot) {
    return static_cast<std::uint64_t>(now.time_since_epoch() / slot);
  }

  std::array<Slot, kSlots> slots_;
};

}  // namespace weir::base
