// SPDX-License-Identifier: Apache-2.0
// The health of one endpoint as a state machine: what checks and outlier rules say goes in, whether
// it may be picked and with which part of its weight comes out, with the reason. It makes no checks
// and counts no answers, and it knows no clock: `now` is told.
//
//   state        picked       comes from                            goes on when
//   healthy      yes          passes, or nobody asks                a check fails, it is ejected
//   suspect      yes          a check failed, or requests did       the next checks decide
//   slow_start   part         out before, or new to the cluster     the window is over
//   ejected      no           outlier rules, until a time           the time is over
//   unhealthy    no           checks failed `unhealthy_threshold`   `healthy_threshold` passed in a
//                             times in a row                        row
//
// Two facts are kept apart, so that neither hides the other: what the checks say (up or not), and
// until when it is ejected. Checks win: an endpoint that fails them is unhealthy whether ejected or
// not, and one that passes them stays ejected until its time. The first check decides alone, either
// way; so does a failed one that was asked for because requests fail as well (on_check's
// `witness`).
//
// Lives in its Endpoint and so survives reloads. Thread: the control thread.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "upstream/endpoint_standing.h"

namespace weir::upstream {

enum class HealthState : std::uint8_t { kHealthy, kSuspect, kSlowStart, kEjected, kUnhealthy };
inline constexpr std::size_t kHealthStates = 5;
/// "healthy", "suspect", "slow_start", "ejected", "unhealthy".
std::string_view health_word(HealthState state);

/// What of a cluster's config the machine goes by.
struct HealthRules {
  bool checked = false;
  bool ejects = false;
  std::uint32_t healthy_threshold = 2;
  std::uint32_t unhealthy_threshold = 3;
  Duration base_ejection{};
  Duration max_ejection{};
  SlowStartConfig slow_start;

  static HealthRules from(const ClusterConfig& config);
};

class EndpointHealth {
 public:
  /// It has joined a cluster. `up`: what counts until the first check; `newcomer`: it joined one
  /// that was there before, and so starts slowly.
  void begin(bool up, bool newcomer, TimePoint now);
  bool begun() const { return begun_; }
  /// The rules have changed: what nobody looks after any more is forgotten.
  void adopt(const HealthRules& rules, TimePoint now);

  /// `reason`: what a failure looked like. `witness`: requests have failed too.
  void on_check(const HealthRules& rules, bool passed, std::string_view reason, bool witness,
                TimePoint now);
  /// Requests fail at it: shown, until a check passes.
  void suspect(std::string_view reason, TimePoint now);
  /// Out for base_ejection times the number of ejections, up to the maximum, and `jitter` of that
  /// (0 to 1) longer. Requires: standing() is kIn.
  void eject(const HealthRules& rules, std::string_view reason, double jitter, TimePoint now);
  /// In again before its time, because too few others are left.
  void pardon(TimePoint now);
  /// An operator has let it in again: it starts slowly.
  void rejoin(TimePoint now) {
    if (standing() == Standing::kIn) came_in(now);
  }
  /// Does what is due by now.
  void advance(const HealthRules& rules, TimePoint now);

  Standing standing() const;
  HealthState state(const HealthRules& rules, TimePoint now) const;
  /// The part of its weight, of EndpointSet::kWholeRamp.
  std::uint32_t ramp(const HealthRules& rules, TimePoint now) const;
  /// When advance() next has something to do, or a ramp ends; TimePoint::max() if never.
  TimePoint due(const HealthRules& rules) const;

  bool asked() const { return asked_; }  ///< At least one check is back.
  /// The next check decides something: soon.
  bool undecided(const HealthRules& rules) const;
  /// Of the state; "" when healthy.
  std::string_view reason() const { return up_ && ejected_ ? ejection_reason_ : reason_; }
  TimePoint since() const { return since_; }  ///< Of standing().
  TimePoint ejected_until() const { return ejected_until_; }
  std::uint32_t ejections() const { return ejections_; }

 private:
  void came_in(TimePoint now);
  void went(TimePoint now) { since_ = now; }

  std::string reason_;
  std::string ejection_reason_;
  TimePoint since_{};
  TimePoint ramp_from_{};      ///< The epoch: no ramp.
  TimePoint ejected_until_{};  ///< Means something only while ejected_.
  TimePoint forgiven_at_{};    ///< Since when it is well, or when one ejection was last forgotten.
  std::uint32_t ejections_ = 0;
  std::uint32_t passes_ = 0;    ///< In a row.
  std::uint32_t failures_ = 0;  ///< In a row.
  bool begun_ = false;
  bool asked_ = false;
  bool up_ = true;
  bool ejected_ = false;
  bool suspected_ = false;
};

}  // namespace weir::upstream
