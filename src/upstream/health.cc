// SPDX-License-Identifier: Apache-2.0
#include "upstream/health.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "upstream/endpoint_set.h"
#include "upstream/slow_start.h"

namespace weir::upstream {

std::string_view health_word(HealthState state) {
  static constexpr std::array<std::string_view, kHealthStates> kWords{
      "healthy", "suspect", "slow_start", "ejected", "unhealthy"};
  return kWords[static_cast<std::size_t>(state)];
}

HealthRules HealthRules::from(const ClusterConfig& config) {
  HealthRules rules;
  rules.slow_start = config.slow_start;
  if (config.health_check) {
    rules.checked = true;
    rules.healthy_threshold = config.health_check->healthy_threshold;
    rules.unhealthy_threshold = config.health_check->unhealthy_threshold;
  }
  if (config.outlier_detection) {
    rules.ejects = true;
    rules.base_ejection = config.outlier_detection->base_ejection_time;
    rules.max_ejection = config.outlier_detection->max_ejection_time;
  }
  return rules;
}

void EndpointHealth::begin(bool up, bool newcomer, TimePoint now) {
  begun_ = true;
  up_ = up;
  since_ = forgiven_at_ = now;
  if (!up) reason_ = "not checked yet";
  // One that is not up yet begins its ramp when it is.
  if (newcomer) ramp_from_ = now;
}

void EndpointHealth::adopt(const HealthRules& rules, TimePoint now) {
  const Standing before = standing();
  if (!rules.checked) {
    up_ = true;
    asked_ = suspected_ = false;
    passes_ = failures_ = 0;
    reason_.clear();
  }
  if (!rules.ejects) {
    ejected_ = false;
    ejections_ = 0;
  }
  if (before != Standing::kIn && standing() == Standing::kIn) came_in(now);
}

void EndpointHealth::on_check(const HealthRules& rules, bool passed, std::string_view reason,
                              bool witness, TimePoint now) {
  const Standing before = standing();
  const bool first = !std::exchange(asked_, true);
  passes_ = passed ? passes_ + 1 : 0;
  failures_ = passed ? 0 : failures_ + 1;
  if (passed) suspected_ = false;
  if (!passed) reason_ = reason;
  if (up_ && !passed && (first || witness || failures_ >= rules.unhealthy_threshold)) up_ = false;
  if (!up_ && passed && (first || passes_ >= rules.healthy_threshold)) up_ = true;
  if (up_ && failures_ == 0) reason_.clear();
  if (standing() == before) return;
  // At birth there is nothing to come back from; a newcomer's ramp begins with its work.
  if (standing() == Standing::kIn && (!first || ramp_from_ != TimePoint{})) return came_in(now);
  went(now);
}

void EndpointHealth::suspect(std::string_view reason, TimePoint) {
  if (!up_ || failures_ > 0) return;
  suspected_ = true;
  reason_ = reason;
}

void EndpointHealth::eject(const HealthRules& rules, std::string_view reason, double jitter,
                           TimePoint now) {
  DCHECK(standing() == Standing::kIn);
  ejected_ = true;
  ejection_reason_ = reason;
  ++ejections_;
  // Compared before it is multiplied: the count may be large.
  const bool longest = rules.base_ejection <= Duration::zero() ||
                       rules.max_ejection / rules.base_ejection < ejections_;
  const Duration time = longest ? rules.max_ejection : rules.base_ejection * ejections_;
  ejected_until_ =
      now + time + Duration(static_cast<Duration::rep>(jitter * static_cast<double>(time.count())));
  went(now);
}

void EndpointHealth::pardon(TimePoint now) {
  if (!std::exchange(ejected_, false)) return;
  if (standing() == Standing::kIn) came_in(now);
}

void EndpointHealth::advance(const HealthRules& rules, TimePoint now) {
  if (ejected_ && now >= ejected_until_) pardon(now);
  if (standing() != Standing::kIn || rules.base_ejection <= Duration::zero()) return;
  while (ejections_ > 0 && now - forgiven_at_ >= rules.base_ejection) {
    --ejections_;
    forgiven_at_ += rules.base_ejection;
  }
}

void EndpointHealth::came_in(TimePoint now) {
  ramp_from_ = forgiven_at_ = now;
  suspected_ = false;
  went(now);
}

Standing EndpointHealth::standing() const {
  if (!up_) return Standing::kUnhealthy;
  return ejected_ ? Standing::kEjected : Standing::kIn;
}

HealthState EndpointHealth::state(const HealthRules& rules, TimePoint now) const {
  if (!up_) return HealthState::kUnhealthy;
  if (ejected_) return HealthState::kEjected;
  if (failures_ > 0 || suspected_) return HealthState::kSuspect;
  return ramp(rules, now) < EndpointSet::kWholeRamp ? HealthState::kSlowStart
                                                    : HealthState::kHealthy;
}

std::uint32_t EndpointHealth::ramp(const HealthRules& rules, TimePoint now) const {
  if (ramp_from_ == TimePoint{}) return EndpointSet::kWholeRamp;
  return ramp_part(rules.slow_start, now - ramp_from_, EndpointSet::kWholeRamp);
}

TimePoint EndpointHealth::due(const HealthRules& rules) const {
  TimePoint due = TimePoint::max();
  if (ejected_) due = ejected_until_;
  if (standing() == Standing::kIn && ejections_ > 0) {
    due = std::min(due, forgiven_at_ + rules.base_ejection);
  }
  return due;
}

bool EndpointHealth::undecided(const HealthRules& rules) const {
  if (!rules.checked) return false;
  return up_ ? failures_ > 0 || suspected_ : passes_ > 0;
}

}  // namespace weir::upstream
