// SPDX-License-Identifier: Apache-2.0
// One circuit breaker: a window of calls and what follows from it.
//
//   closed ---- failures or slow calls over the threshold ----> open ---- open_duration ---+
//     ^  \                                                       ^                         v
//     |   +-- below it, but over throttle_threshold: some        +--- probes fail ---- half open
//     |       requests are refused at random, the more the       |    (for twice as        |
//     |       more fail                                          |     long)               |
//     +---------- nothing fails while it lasts ------- ramp <----|--- probes succeed ------+
//
// The refusals at random follow "Handling Overload" (Site Reliability Engineering, 2016, chapter
// 21): p = max(0, (requests - K accepts) / (requests + 1)), with K such that it begins at the
// threshold. A level above another trips only on what the children that are out already do not
// explain: whoever records tells how much that is.
//
// Thread: any; transitions take a lock, everything else is atomics. Time comes as an argument.
#pragma once

#include <weir/breaker_config.h>
#include <weir/clock.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/outcome_window.h"
#include "base/rng.h"

namespace weir::policy {

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen, kRamp };

/// How a call ended, as far as was known at `at`.
struct CallEnd {
  base::CallOutcome outcome = base::CallOutcome::kSuccess;
  Duration took{0};
  TimePoint at;

  /// By the time that `config` gives a call.
  base::CallOutcome judged(const CircuitBreakerConfig& config) const {
    const bool slow = outcome == base::CallOutcome::kSuccess && took > config.slow_call_duration;
    return slow ? base::CallOutcome::kSlow : outcome;
  }
};

/// What of a breaker's window its children explain: those that are out already, by another rule.
class ExplainedBy {
 public:
  virtual base::OutcomeCounts explained(const base::OutcomeCounts& all, TimePoint now) const = 0;

 protected:
  ~ExplainedBy() = default;
};

class Breaker {
 public:
  enum class Verdict : std::uint8_t { kPass, kProbe, kRefuse };

  /// What is seen of it: for pages, logs and metrics.
  struct Reading {
    BreakerState state = BreakerState::kClosed;
    bool forced = false;
    std::uint32_t refused_ppm = 0;  ///< At random, now.
    std::uint64_t changes = 0;      ///< Of its state, since the start.
    base::OutcomeCounts window;     ///< Now.
    base::OutcomeCounts cause;      ///< What it last opened on.
    Duration until{0};              ///< Open: to the first probe. Forced: to the end of that.
  };

  Breaker() = default;
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  /// Whether a call may be made. kProbe: end_probe() must follow record(), or come alone if the
  /// call came to nothing that counts. kRefuse is counted.
  Verdict admit(const CircuitBreakerConfig& config, TimePoint now, base::Rng& rng);
  /// How a call ended. `probe`: it was admitted as one. `children`: may be null.
  void record(const CircuitBreakerConfig& config, base::CallOutcome outcome, TimePoint now,
              const ExplainedBy* children = nullptr);
  /// A call that was recorded as no failure has come to another end, which is to be recorded next:
  /// an answer that broke off. The answer's head counts at once, because it may last for days.
  void withdraw(const CircuitBreakerConfig& config, const CallEnd& end);
  void end_probe() { probes_.fetch_sub(1, std::memory_order_relaxed); }
  /// Until a call may be tried again; a second at least.
  Duration retry_after(TimePoint now) const;

  BreakerState state() const { return state_.load(std::memory_order_acquire); }
  /// Closed, and refuses nobody at random, as far as was last looked.
  bool calm() const {
    return state() == BreakerState::kClosed && refused_ppm_.load(std::memory_order_relaxed) == 0;
  }
  /// Refuses everything now.
  bool open(TimePoint now) const;
  /// By hand, until `until`: kOpen or kClosed; nullopt takes it back.
  void force(std::optional<BreakerState> state, TimePoint until);
  base::OutcomeCounts counts(const CircuitBreakerConfig& config, TimePoint now) const {
    return window_.sum(now, slot(config));
  }
  Reading read(const CircuitBreakerConfig& config, TimePoint now) const;

 private:
  enum class Force : std::uint8_t { kNone, kOpen, kClosed };
  static Duration slot(const CircuitBreakerConfig& config) {
    return Duration(config.sliding_window) / base::OutcomeWindow::kSlots;
  }
  static std::int64_t ticks(TimePoint t) { return t.time_since_epoch().count(); }

  Verdict admit_probe(const CircuitBreakerConfig& config, TimePoint now);
  bool refused_at_random(const CircuitBreakerConfig& config, TimePoint now, base::Rng& rng);
  void judge_window(const CircuitBreakerConfig& config, TimePoint now, const ExplainedBy* children);
  void judge_probe(const CircuitBreakerConfig& config, base::CallOutcome outcome, TimePoint now);
  void throttle(const CircuitBreakerConfig& config, const base::OutcomeCounts& left);
  // The first two and enter(): with the lock.
  void enter_open(const CircuitBreakerConfig& config, TimePoint now, const base::OutcomeCounts& on);
  void enter_ramp(const CircuitBreakerConfig& config, TimePoint now);
  void enter(BreakerState state, TimePoint now, TimePoint until);
  void enter_half_open(TimePoint now);
  void close(TimePoint now);
  Force forced(TimePoint now) const;

  base::OutcomeWindow window_;
  std::atomic<BreakerState> state_{BreakerState::kClosed};
  std::atomic<Force> force_{Force::kNone};
  std::atomic<std::uint32_t> refused_ppm_{0};  ///< While closed.
  std::atomic<std::uint32_t> probes_{0};       ///< Under way.
  std::atomic<std::int64_t> until_{0};         ///< Open: when probes begin. Ramp: when it is over.
  std::atomic<std::int64_t> since_{0};         ///< When the state began.
  std::atomic<std::int64_t> looked_{0};        ///< When refused_ppm_ was last worked out.
  std::atomic<std::int64_t> force_until_{0};

  mutable std::mutex mutex_;        ///< Guards what follows, and transitions.
  std::uint32_t openings_ = 0;      ///< In a row.
  std::uint32_t probes_ended_ = 0;  ///< Of this half-open time.
  std::uint32_t probes_failed_ = 0;
  std::uint32_t probes_slow_ = 0;
  std::uint64_t changes_ = 0;
  base::OutcomeCounts cause_;
};

}  // namespace weir::policy
