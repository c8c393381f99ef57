// SPDX-License-Identifier: Apache-2.0
// Load shedding of one worker, after Uber's Cinnamon: when what is ready waits too long to be
// served, the requests of the lowest priority are refused first, within a priority the same
// cohorts of tenants, so that a few are turned away and the others served whole. How many is what
// a PID controller on the delay says; priority 0 is never refused.
//
// The delay that counts is the least of several in a row: a queue that stands, not one that comes
// and goes. So a stall, however long, refuses nobody; a worker that cannot keep up does, after
// kArmingWindows of them. Cohorts rotate by the wall clock, so that all workers (and nodes) refuse
// the same tenants, and nobody for long.
//
// Not the measurement: see net::SocketSet::send_probe(). One thread; survives reloads in its
// worker.
#pragma once

#include <weir/clock.h>
#include <weir/limits_config.h>
#include <weir/overload_config.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::policy {

class Shedder {
 public:
  static constexpr std::size_t kCohorts = 128;
  /// Delays that make one reading, and readings over the target before anybody is refused.
  static constexpr std::uint32_t kDelaysAWindow = 3;
  static constexpr std::uint32_t kArmingWindows = 2;
  /// Between two delays, at least.
  static constexpr Duration kProbeInterval = std::chrono::milliseconds(50);

  void configure(const LoadSheddingConfig& config);
  bool enabled() const { return enabled_; }
  /// Arrivals are to be told to refuses(): it is late, or was a moment ago.
  bool watching() const { return watching_; }
  /// Counts one request and says whether it is to be refused. `tenant_hash`: the same for one
  /// tenant everywhere; whoever has none gives a random number.
  bool refuses(std::uint8_t priority, std::uint64_t tenant_hash);
  /// One delay was measured, at `now`.
  void on_delay(Duration delay, TimePoint now, WallTime wall);

  /// The share of all requests that it means to refuse.
  double share() const { return share_; }

 private:
  static constexpr std::size_t kLevels = (kLastPriority + 1) * kCohorts;

  void close_window(TimePoint now);
  void adjust(double error, Duration since_last);
  void set_threshold();
  void rest();

  bool enabled_ = false;
  bool watching_ = false;
  Duration target_{};
  Duration least_ = Duration::max();  ///< Of this window.
  std::uint32_t delays_ = 0;          ///< In this window.
  std::uint32_t late_windows_ = 0;    ///< In a row.
  TimePoint adjusted_at_{};
  double share_ = 0;
  double last_error_ = 0;
  std::uint32_t rotation_ = 0;
  // A level is priority and cohort; those above threshold_ are refused, of itself a part.
  std::size_t threshold_ = kLevels;
  double part_ = 0;
  double part_due_ = 0;
  std::uint32_t arrived_ = 0;  ///< The sum of arrivals_.
  std::array<std::uint32_t, kLevels> arrivals_{};
};

}  // namespace weir::policy
