// SPDX-License-Identifier: Apache-2.0
// What checks and answers lead to.
#include <algorithm>
#include <string>

#include "net/loop.h"
#include "upstream/membership.h"

namespace weir::upstream {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// An ejection lasts up to so much longer, so that not all come home at once.
constexpr double kEjectionJitter = 0.2;

bool reached(std::uint32_t count, std::uint32_t limit) { return limit != 0 && count >= limit; }

// What in a row is too much; "" if nothing is.
std::string too_many_in_a_row(const OutlierConfig& config, const EndpointTally& tally) {
  const std::uint32_t connects = tally.connect_failures.load(kRelaxed);
  if (reached(connects, config.consecutive_connect_failures)) {
    return std::to_string(connects) + " connections in a row failed";
  }
  const std::uint32_t failures = tally.failures.load(kRelaxed);
  if (reached(failures, config.consecutive_5xx)) {
    return std::to_string(failures) + " attempts in a row failed";
  }
  const std::uint32_t broken = tally.broken.load(kRelaxed);
  if (!reached(broken, config.consecutive_5xx)) return {};
  return std::to_string(broken) + " responses in a row broke off";
}

void forget_rows(EndpointTally& tally) {
  tally.failures.store(0, kRelaxed);
  tally.connect_failures.store(0, kRelaxed);
  tally.broken.store(0, kRelaxed);
}

}  // namespace

void Membership::went(Endpoint& endpoint, Standing before) {
  ++counts_.changes;
  const Standing after = endpoint.health.standing();
  const std::size_t entries = readings_[&endpoint].entries;
  count_of(before) -= entries;
  count_of(after) += entries;
  if (after == Standing::kIn) forget_rows(endpoint.tally);
  HealthEvent event;
  event.cluster = cluster_->name();
  event.endpoint = endpoint.text;
  event.state = endpoint.health.state(rules_, office_.loop().now());
  event.reason = endpoint.health.reason();
  event.eligible = static_cast<std::uint32_t>(available());
  event.members = static_cast<std::uint32_t>(weighted_);
  office_.tell(event);
  changed();
}

void Membership::on_check(Endpoint& endpoint, const CheckResult& result) {
  ++(result.passed ? counts_.checks_passed : counts_.checks_failed);
  const TimePoint now = office_.loop().now();
  apply(endpoint, [&](EndpointHealth& health) {
    health.on_check(rules_, result.passed, result.reason, result.witness, now);
  });
  // One that passes again may still be ejected, and there may be too few others for that.
  keep_floor();
}

void Membership::on_alarm(Endpoint& endpoint) {
  if (!is_member(endpoint)) return;
  if (rules_.ejects && endpoint.health.standing() == Standing::kIn) {
    const std::string reason = too_many_in_a_row(*config_->outlier_detection, endpoint.tally);
    if (!reason.empty()) {
      try_eject(endpoint, reason);
      // Held back or not: it takes as many again.
      forget_rows(endpoint.tally);
    }
  }
  const auto checker = checkers_.find(&endpoint);
  if (checker == checkers_.end()) return;
  endpoint.health.suspect("requests to it fail", office_.loop().now());
  checker->second->hurry();
}

void Membership::try_eject(Endpoint& endpoint, std::string_view reason) {
  if (!may_eject(*config_->outlier_detection, available(), weighted_)) {
    ++counts_.ejections_held_back;
    return;
  }
  ++counts_.ejections;
  const double jitter = kEjectionJitter * static_cast<double>(office_.rng().below(1'000)) / 1'000;
  const TimePoint now = office_.loop().now();
  apply(endpoint, [&](EndpointHealth& health) { health.eject(rules_, reason, jitter, now); });
}

// Checks are not held back by the floor; what they take away, ejections give back.
void Membership::keep_floor() {
  while (rules_.ejects && count_of(Standing::kEjected) > 0 &&
         below_floor(*config_->outlier_detection, available(), weighted_)) {
    Endpoint* soonest = nullptr;
    for (const EndpointSet::Member& member : members_) {
      Endpoint& each = *member.endpoint;
      if (!member.wanted() || each.health.standing() != Standing::kEjected) continue;
      const bool sooner =
          soonest == nullptr || each.health.ejected_until() < soonest->health.ejected_until();
      if (sooner) soonest = &each;
    }
    const TimePoint now = office_.loop().now();
    apply(*soonest, [&](EndpointHealth& health) { health.pardon(now); });
  }
}

AnswerWindow Membership::take_window(const Endpoint& endpoint, Reading& reading) {
  const EndpointTally& tally = endpoint.tally;
  // The order makes a failure that is counted meanwhile one of an attempt that is counted.
  Reading now;
  now.entries = reading.entries;
  now.failed = tally.failed.load(kRelaxed);
  now.latency_us = tally.latency_us.load(kRelaxed);
  now.answered = tally.answered.load(kRelaxed);
  const Reading before = std::exchange(reading, now);
  AnswerWindow window;
  window.answered = now.answered - before.answered;
  window.failed = std::min<std::uint64_t>(now.failed - before.failed, window.answered);
  // An answer of the window before may have broken off in this one.
  const auto latency = static_cast<std::int64_t>(now.latency_us - before.latency_us);
  window.latency_us = static_cast<std::uint64_t>(std::max<std::int64_t>(latency, 0));
  return window;
}

void Membership::judge_windows() {
  std::vector<Endpoint*> endpoints;
  std::vector<AnswerWindow> windows;
  for (const EndpointSet::Member& member : members_) {
    Endpoint& endpoint = *member.endpoint;
    const auto reading = readings_.find(&endpoint);
    const AnswerWindow window = take_window(endpoint, reading->second);
    if (endpoint.health.standing() != Standing::kIn) continue;
    endpoints.push_back(&endpoint);
    windows.push_back(window);
  }
  for (const Outlier& outlier : find_outliers(*config_->outlier_detection, windows)) {
    try_eject(*endpoints[outlier.index], outlier.reason);
  }
}

}  // namespace weir::upstream
