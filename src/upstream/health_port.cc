// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_port.h"

#include "net/loop.h"
#include "upstream/membership.h"

namespace weir::upstream {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Server errors in a row after which the endpoint is asked itself. One alone is the application's.
constexpr std::uint32_t kSuspiciousErrors = 3;

void clear(std::atomic<std::uint32_t>& count) {
  if (count.load(kRelaxed) != 0) count.store(0, kRelaxed);
}

bool reached(std::uint32_t count, std::uint32_t limit) { return limit != 0 && count >= limit; }

}  // namespace

HealthPort::HealthPort(net::Loop& control, Membership& membership, const ClusterConfig& config)
    : owner(&membership),
      control_(control),
      checks_(config.health_check.has_value()),
      most_failures_(config.outlier_detection ? config.outlier_detection->consecutive_5xx : 0),
      most_connect_failures_(
          config.outlier_detection ? config.outlier_detection->consecutive_connect_failures : 0) {}

void HealthPort::begun(Endpoint& endpoint) { endpoint.tally.begun.fetch_add(1, kRelaxed); }

void HealthPort::report(const std::shared_ptr<Endpoint>& endpoint, AttemptOutcome outcome,
                        bool first, std::uint64_t latency_us) {
  EndpointTally& tally = endpoint->tally;
  if (first) tally.settled.fetch_add(1, kRelaxed);
  switch (outcome) {
    case AttemptOutcome::kNeutral:
      return;
    case AttemptOutcome::kAnswered:
      tally.heads.fetch_add(1, kRelaxed);
      tally.answered.fetch_add(1, kRelaxed);
      tally.latency_us.fetch_add(latency_us, kRelaxed);
      clear(tally.connect_failures);
      clear(tally.failures);
      return;
    case AttemptOutcome::kCompleted:
      clear(tally.broken);
      return;
    case AttemptOutcome::kServerError:
      tally.heads.fetch_add(1, kRelaxed);
      clear(tally.connect_failures);
      break;
    case AttemptOutcome::kConnectFailure:
    case AttemptOutcome::kReset:
    case AttemptOutcome::kTimeout:
      break;
    case AttemptOutcome::kBroken:
      tally.latency_us.fetch_sub(latency_us, kRelaxed);
      break;
  }
  count_failure(endpoint, outcome);
}

void HealthPort::count_failure(const std::shared_ptr<Endpoint>& endpoint, AttemptOutcome outcome) {
  EndpointTally& tally = endpoint->tally;
  tally.failed.fetch_add(1, kRelaxed);
  bool alarm = false;
  std::uint32_t in_a_row = 0;
  if (outcome == AttemptOutcome::kBroken) {
    in_a_row = tally.broken.fetch_add(1, kRelaxed) + 1;
  } else {
    tally.answered.fetch_add(1, kRelaxed);
    in_a_row = tally.failures.fetch_add(1, kRelaxed) + 1;
  }
  if (outcome == AttemptOutcome::kConnectFailure) {
    const std::uint32_t connects = tally.connect_failures.fetch_add(1, kRelaxed) + 1;
    alarm = reached(connects, most_connect_failures_);
  }
  alarm = alarm || reached(in_a_row, most_failures_);
  const bool suspicious = outcome != AttemptOutcome::kServerError || in_a_row >= kSuspiciousErrors;
  if (alarm || (checks_ && suspicious)) post(endpoint);
}

void HealthPort::post(const std::shared_ptr<Endpoint>& endpoint) {
  if (endpoint->tally.reported.exchange(true, std::memory_order_acq_rel)) return;
  control_.post([port = shared_from_this(), endpoint] {
    endpoint->tally.reported.store(false, std::memory_order_release);
    if (port->owner != nullptr) port->owner->on_alarm(*endpoint);
  });
}

}  // namespace weir::upstream
