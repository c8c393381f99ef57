// SPDX-License-Identifier: Apache-2.0
// What the health of all clusters shares: the loop, places for checks (each takes a descriptor for
// as long as it lasts), a bound on checks that are asked for out of turn, and the one who hears of
// changes. Thread: the control loop's; outlives every Membership.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/rng.h"
#include "upstream/health.h"
#include "upstream/probe_h2.h"

namespace weir::net {
class Loop;
}

namespace weir::upstream {

/// An endpoint has gone out of or come back into its cluster. Views are valid during the call.
struct HealthEvent {
  std::string_view cluster;
  std::string_view endpoint;
  HealthState state = HealthState::kHealthy;
  std::string_view reason;     ///< "" when it came back.
  std::uint32_t eligible = 0;  ///< Endpoints that can be picked now, this one included or not,
  std::uint32_t members = 0;   ///< of so many.
};

/// Waits for a place for a check. Destroying it cancels.
class ProbePlaceWaiter : public base::ListLink<> {
 public:
  /// The place is the waiter's until give_place().
  virtual void on_probe_place() = 0;

 protected:
  ~ProbePlaceWaiter() = default;
};

class HealthOffice {
 public:
  using Listener = std::move_only_function<void(const HealthEvent&)>;

  /// `places`: checks that may be under way at once.
  HealthOffice(net::Loop& loop, std::uint64_t seed, std::uint32_t places)
      : loop_(loop), rng_(seed), free_(places) {}
  HealthOffice(const HealthOffice&) = delete;
  HealthOffice& operator=(const HealthOffice&) = delete;

  net::Loop& loop() { return loop_; }
  base::Rng& rng() { return rng_; }
  ProbeMemory& memory() { return memory_; }

  /// Calls the waiter at once or, in turn, when a place is free.
  void ask_place(ProbePlaceWaiter& waiter);
  void give_place();
  /// Whether one more check may be made out of turn: some hundred a second.
  bool may_hurry(TimePoint now);

  void set_listener(Listener listener) { listener_ = std::move(listener); }
  void tell(const HealthEvent& event) {
    if (listener_) listener_(event);
  }

 private:
  net::Loop& loop_;
  base::Rng rng_;
  ProbeMemory memory_;
  Listener listener_;
  base::IntrusiveList<ProbePlaceWaiter> waiters_;
  std::uint32_t free_;
  TimePoint hurry_from_{};  ///< GCRA: when the bucket of hurries is empty again.
};

}  // namespace weir::upstream
