// SPDX-License-Identifier: Apache-2.0
// When a member of a failover group that was out may serve again: it must have been healthy for a
// while, and then its share grows. Who goes out again soon waits twice as long. Pure: the caller
// looks and brings the time. One thread.
#pragma once

#include <weir/clock.h>
#include <weir/failover_config.h>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::upstream {

/// up: serves all that it can. down: cannot serve. waiting: could serve, but has not been healthy
/// for long enough. ramping: serves a growing share.
enum class MemberPhase : std::uint8_t { kUp, kDown, kWaiting, kRamping };
std::string_view phase_word(MemberPhase phase);

class Failback {
 public:
  /// No wait is longer than this many times min_healthy_time.
  static constexpr std::uint32_t kMostWaits = 8;
  /// Who has been up for this many times min_healthy_time is no flapper any more.
  static constexpr std::uint32_t kForgivenAfter = 10;
  /// What a ramp begins with, in ppm.
  static constexpr std::uint32_t kFirstShare = 100'000;
  static constexpr std::uint32_t kWhole = 1'000'000;

  /// From the next look on.
  void configure(const FailbackConfig& config) { config_ = config; }
  /// The member can or cannot serve at `now`. Who has never served yet is up as soon as he can:
  /// there is nothing to come back from.
  void look(bool usable, TimePoint now);

  MemberPhase phase() const { return phase_; }
  /// Of what it could take, in ppm.
  std::uint32_t share() const { return share_; }
  /// When this phase began.
  TimePoint since() const { return since_; }
  /// How long it must be healthy before it ramps.
  Duration wait() const;

 private:
  void enter(MemberPhase phase, TimePoint now);
  void fall(TimePoint now);
  void ramp(TimePoint now);

  FailbackConfig config_;
  MemberPhase phase_ = MemberPhase::kDown;
  TimePoint since_{};
  std::uint32_t share_ = 0;
  std::uint32_t waits_ = 1;  ///< How many times min_healthy_time.
  bool served_ = false;      ///< It has been up.
  bool returned_ = false;    ///< And was down since.
};

/// While what stands for a cell comes back: the part of the cell's own requests that comes home, in
/// ppm. Any thread.
class HomeShare {
 public:
  std::uint32_t load() const { return ppm_.load(std::memory_order_relaxed); }
  void store(std::uint32_t ppm) { ppm_.store(ppm, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> ppm_{Failback::kWhole};
};

}  // namespace weir::upstream
