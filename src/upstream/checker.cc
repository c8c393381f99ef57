// SPDX-License-Identifier: Apache-2.0
#include "upstream/checker.h"

#include <algorithm>

#include "net/loop.h"
#include "upstream/membership.h"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;

// Between checks of an endpoint, however often requests fail there.
constexpr Duration kLeastGap = milliseconds(200);
// Attempts that wait this long and nobody gets an answer: is it alive?
constexpr Duration kSilence = milliseconds(500);
// While the next check decides something, and not sooner than this.
constexpr int kSoonParts = 5;
constexpr Duration kLeastSoon = milliseconds(20);

}  // namespace

Checker::Checker(Membership& membership, std::shared_ptr<Endpoint> endpoint)
    : membership_(membership),
      endpoint_(std::move(endpoint)),
      timer_(net::timer_callback<&Checker::on_timer>(this)) {
  membership_.office().loop().arm(timer_, Duration::zero());
}

Checker::~Checker() { drop(); }

void Checker::drop() {
  timer_.cancel();
  unlink();
  if (probe_ == nullptr) return;
  std::exchange(probe_, nullptr)->cancel();
  membership_.office().give_place();
}

void Checker::hurry() {
  witness_ = true;
  if (probe_ != nullptr || linked()) return;
  net::Loop& loop = membership_.office().loop();
  const TimePoint now = loop.now();
  const TimePoint earliest = std::max(now, asked_at_ + kLeastGap);
  if (timer_.armed() && timer_.deadline() <= earliest) return;
  if (membership_.office().may_hurry(now)) loop.arm_at(timer_, earliest);
}

void Checker::watch_silence(TimePoint now) {
  const EndpointTally& tally = endpoint_->tally;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::uint32_t settled = tally.settled.load(kRelaxed);
  const bool waits = static_cast<std::int32_t>(tally.begun.load(kRelaxed) - settled) > 0;
  const bool moved = std::exchange(heads_, tally.heads.load(kRelaxed)) != heads_;
  if (!waits || moved) {
    silent_since_ = now;
    return;
  }
  const Duration patience =
      std::max<Duration>(kSilence, membership_.config().health_check->interval / 4);
  if (now - silent_since_ < kSilence || now - asked_at_ < patience) return;
  hurry();
}

void Checker::on_timer() { membership_.office().ask_place(*this); }

void Checker::on_probe_place() {
  HealthOffice& office = membership_.office();
  asked_at_ = office.loop().now();
  probe_ =
      Probe::start(office.loop(), office.memory(),
                   {endpoint_, membership_.shared_config(), membership_.tls(), sessions_}, *this);
}

void Checker::on_probe(bool passed, std::string_view reason) {
  probe_ = nullptr;
  const TimePoint now = membership_.office().loop().now();
  membership_.on_check(*endpoint_, {passed, reason, std::exchange(witness_, false)});
  schedule(now);
  membership_.office().give_place();
}

void Checker::schedule(TimePoint now) {
  HealthOffice& office = membership_.office();
  const HealthCheckConfig& check = *membership_.config().health_check;
  Duration wait = check.interval;
  if (endpoint_->health.undecided(membership_.rules())) {
    wait = std::max<Duration>(check.interval / kSoonParts, kLeastSoon);
    wait = std::min<Duration>(wait, check.interval);
  }
  // In units of 1/1024 of the wait. The first one falls anywhere, so that checks which all began
  // at once spread over the interval.
  constexpr std::int64_t kUnits = 1024;
  const auto part = static_cast<std::int64_t>(office.rng().below(kUnits + 1));
  const auto jitter = static_cast<std::int64_t>(check.jitter.ppm) * kUnits / Share::kWhole;
  const bool spread = std::exchange(first_, false) && wait == check.interval;
  const std::int64_t units = spread ? part : kUnits - jitter + part * 2 * jitter / kUnits;
  office.loop().arm_at(timer_, now + wait / kUnits * units);
}

}  // namespace weir::upstream
