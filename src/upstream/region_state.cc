// SPDX-License-Identifier: Apache-2.0
#include "upstream/region_state.h"

#include <algorithm>
#include <array>

namespace weir::upstream {

std::string_view phase_word(RegionPhase phase) {
  static constexpr std::array<std::string_view, 7> kWords{
      "starting", "in", "failing", "ramping", "out", "returning", "leaving"};
  return kWords[static_cast<std::size_t>(phase)];
}

void RegionState::look(bool healthy, TimePoint now) {
  if (leaving_) return;
  if (healthy == in_) return otherwise_since_.reset();
  if (!in_ && !was_in_) return change(true, now);
  if (!otherwise_since_) otherwise_since_ = now;
  const Duration wait = in_ ? Duration(config_.unhealthy_after) : Duration(config_.healthy_after);
  if (now - *otherwise_since_ >= wait) change(!in_, now);
}

void RegionState::change(bool in, TimePoint now) {
  ramps_ = in && was_in_;
  in_ = in;
  was_in_ = was_in_ || in;
  since_ = now;
  otherwise_since_.reset();
}

void RegionState::leave(TimePoint now) {
  leaving_ = true;
  if (in_) change(false, now);
}

std::uint32_t RegionState::weight(TimePoint now) const {
  if (!in_) return 0;
  const Duration whole(config_.ramp);
  const Duration passed = now - since_;
  if (!ramps_ || passed >= whole) return kWhole;
  const auto grown = static_cast<std::uint32_t>(static_cast<double>(passed.count()) /
                                                static_cast<double>(whole.count()) * kWhole);
  return std::max(kFirstWeight, grown);
}

RegionPhase RegionState::phase(TimePoint now) const {
  if (leaving_) return RegionPhase::kLeaving;
  if (!in_ && !was_in_) return RegionPhase::kStarting;
  if (!in_) return otherwise_since_ ? RegionPhase::kReturning : RegionPhase::kOut;
  if (otherwise_since_) return RegionPhase::kFailing;
  return weight(now) < kWhole ? RegionPhase::kRamping : RegionPhase::kIn;
}

}  // namespace weir::upstream
