// SPDX-License-Identifier: Apache-2.0
#include "upstream/failback.h"

#include <algorithm>
#include <array>

namespace weir::upstream {

std::string_view phase_word(MemberPhase phase) {
  static constexpr std::array<std::string_view, 4> kWords{"up", "down", "waiting", "ramping"};
  return kWords[static_cast<std::size_t>(phase)];
}

Duration Failback::wait() const { return Duration(config_.min_healthy_time) * waits_; }

void Failback::enter(MemberPhase phase, TimePoint now) {
  phase_ = phase;
  since_ = now;
  share_ = phase == MemberPhase::kUp ? kWhole : 0;
}

void Failback::look(bool usable, TimePoint now) {
  if (!usable) {
    if (phase_ != MemberPhase::kDown) fall(now);
    return;
  }
  if (!served_) {
    served_ = true;
    return enter(MemberPhase::kUp, now);
  }
  if (phase_ == MemberPhase::kDown) enter(MemberPhase::kWaiting, now);
  if (phase_ == MemberPhase::kWaiting && now - since_ >= wait()) enter(MemberPhase::kRamping, now);
  if (phase_ == MemberPhase::kRamping) ramp(now);
}

void Failback::fall(TimePoint now) {
  const bool stood =
      phase_ == MemberPhase::kUp &&
      (!returned_ || now - since_ >= Duration(config_.min_healthy_time) * kForgivenAfter);
  waits_ = stood ? 1 : std::min(waits_ * 2, kMostWaits);
  returned_ = true;
  enter(MemberPhase::kDown, now);
}

void Failback::ramp(TimePoint now) {
  const Duration whole(config_.ramp);
  if (now - since_ >= whole) return enter(MemberPhase::kUp, now);
  const auto grown = static_cast<std::uint64_t>(static_cast<double>((now - since_).count()) /
                                                static_cast<double>(whole.count()) * kWhole);
  share_ = std::max(kFirstShare, static_cast<std::uint32_t>(grown));
}

}  // namespace weir::upstream
