// SPDX-License-Identifier: Apache-2.0
// Whether a region should be in the answers of DNS, and with what weight. What DNS has said lives
// for a TTL in caches that nobody can reach, so this changes its mind slowly: a region leaves after
// it has been bad for a while, comes back after it has been good for a longer one, and then its
// weight grows. Nothing is refused because of it. Pure: the caller looks and brings the time. One
// thread.
#pragma once

#include <weir/clock.h>
#include <weir/region_config.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::upstream {

/// in, failing (bad, but not for long enough) and ramping are in the answer; starting (never good
/// yet), out, returning (good, but not for long enough) and leaving (for good) are not.
enum class RegionPhase : std::uint8_t {
  kStarting,
  kIn,
  kFailing,
  kRamping,
  kOut,
  kReturning,
  kLeaving,
};
std::string_view phase_word(RegionPhase phase);

class RegionState {
 public:
  static constexpr std::uint32_t kWhole = 100;
  /// What a ramp begins with.
  static constexpr std::uint32_t kFirstWeight = 10;

  /// From the next look on. Only the times count here.
  void configure(const RegionConfig& config) { config_ = config; }
  /// The region is or is not fit to serve at `now`. One that has never served is in as soon as it
  /// can: there is nothing to come back from.
  void look(bool healthy, TimePoint now);
  /// It leaves, whatever looks say from now on.
  void leave(TimePoint now);

  bool in_answer() const { return in_; }
  /// From 0, out of the answer, to kWhole.
  std::uint32_t weight(TimePoint now) const;
  RegionPhase phase(TimePoint now) const;
  /// When it last entered or left the answer.
  TimePoint since() const { return since_; }
  /// Until when those may still come who were told to while it was in the answer: two TTLs after it
  /// left. Requires: !in_answer(). Long ago for one that was never in it.
  TimePoint serve_until() const { return since_ + 2 * Duration(config_.ttl); }

 private:
  void change(bool in, TimePoint now);

  RegionConfig config_;
  TimePoint since_{};
  std::optional<TimePoint> otherwise_since_;  ///< Since when looks contradict in_.
  bool in_ = false;
  bool was_in_ = false;
  bool ramps_ = false;
  bool leaving_ = false;
};

/// A cluster or failover group of the region, as a page shows it.
struct RegionMember {
  std::string name;
  bool group = false;
  bool required = false;
  bool served = false;
  std::uint32_t healthy_ppm = 0;  ///< Of its weight or capacity.
  std::string why;                ///< Of one that is not served.
};

/// All of it as plain values, for whoever shows it. Free to copy.
struct RegionReading {
  static constexpr std::size_t kMostMembers = 100;

  std::string name;
  bool in_answer = false;
  std::uint32_t weight = 0;
  RegionPhase phase = RegionPhase::kStarting;
  std::string reason;  ///< Empty: all is well.
  TimePoint since{};
  TimePoint serve_until{};  ///< As RegionState's; of a region that is not in the answer.
  Millis ttl{0};
  std::size_t targets = 0;  ///< Clusters and groups that routes lead to.
  std::size_t served = 0;   ///< Of those.
  /// Those that are required, then those that are not served; kMostMembers at most.
  std::vector<RegionMember> members;
};

}  // namespace weir::upstream
