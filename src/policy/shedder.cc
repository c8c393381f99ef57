// SPDX-License-Identifier: Apache-2.0
#include "policy/shedder.h"

#include <algorithm>

#include "base/hash.h"

namespace weir::policy {
namespace {

// Of the controller, a second: an error of 1 (twice the target) raises the share by 0.4 within a
// second; a delay of nothing lowers it as fast. The error is cut so that a deep queue does not wind
// it up beyond what takes seconds to undo.
constexpr double kIntegral = 0.4;
constexpr double kProportional = 0.1;
constexpr double kMostError = 2;
constexpr double kLongestStep = 1;  // seconds
constexpr double kLeastShare = 0.001;
// A tenant is in the first cohort to be refused for ten seconds in twenty-one minutes.
constexpr std::chrono::seconds kRotation{10};
// Beyond this, arrivals are halved: the distribution follows what comes now.
constexpr std::uint32_t kRemembered = 20'000;

}  // namespace

void Shedder::configure(const LoadSheddingConfig& config) {
  enabled_ = config.enabled;
  target_ = config.target_delay;
  if (!enabled_) rest();
}

void Shedder::rest() {
  share_ = 0;
  last_error_ = 0;
  late_windows_ = 0;
  watching_ = false;
  threshold_ = kLevels;
  arrived_ = 0;
  arrivals_.fill(0);
}

bool Shedder::refuses(std::uint8_t priority, std::uint64_t tenant_hash) {
  const std::size_t cohort = (base::mix64(tenant_hash) + rotation_) % kCohorts;
  const std::size_t level = priority * kCohorts + cohort;
  ++arrivals_[level];
  ++arrived_;
  if (level < threshold_ || priority == 0) return false;
  if (level > threshold_) return true;
  part_due_ += part_;
  if (part_due_ < 1) return false;
  part_due_ -= 1;
  return true;
}

void Shedder::on_delay(Duration delay, TimePoint now, WallTime wall) {
  rotation_ = static_cast<std::uint32_t>(wall.time_since_epoch() / kRotation);
  least_ = std::min(least_, delay);
  if (++delays_ < kDelaysAWindow) return;
  close_window(now);
  delays_ = 0;
  least_ = Duration::max();
  adjusted_at_ = now;
}

void Shedder::close_window(TimePoint now) {
  const bool late = least_ >= target_;
  late_windows_ = late ? late_windows_ + 1 : 0;
  if (share_ == 0 && late_windows_ < kArmingWindows) {
    // Who arrives is counted before anybody has to be chosen.
    if (late) {
      watching_ = true;
    } else if (watching_) {
      rest();
    }
    return;
  }
  const double target = static_cast<double>(target_.count());
  const double over = static_cast<double>(least_.count()) - target;
  adjust(std::clamp(over / target, -1.0, kMostError), now - adjusted_at_);
  if (share_ == 0) return rest();
  set_threshold();
}

// The velocity form: what the integral holds is the share itself, so its bounds are the bounds of
// the windup.
void Shedder::adjust(double error, Duration since_last) {
  const double seconds = std::min(std::chrono::duration<double>(since_last).count(), kLongestStep);
  share_ += kProportional * (error - last_error_) + kIntegral * error * seconds;
  last_error_ = error;
  share_ = std::clamp(share_, 0.0, 1.0);
  if (share_ < kLeastShare) share_ = 0;
}

// From the last level upwards until the share of what arrives lies above.
void Shedder::set_threshold() {
  double left = share_ * arrived_;
  threshold_ = kLevels;
  part_ = 0;
  while (left > 0 && threshold_ > kCohorts) {
    --threshold_;
    const double here = arrivals_[threshold_];
    part_ = here > left ? left / here : 1;
    left -= here;
  }
  if (arrived_ < kRemembered) return;
  arrived_ = 0;
  for (std::uint32_t& count : arrivals_) arrived_ += count /= 2;
}

}  // namespace weir::policy
