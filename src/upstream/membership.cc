// SPDX-License-Identifier: Apache-2.0
// Endpoints, publication and time; what checks and answers lead to is in membership_verdicts.cc.
#include "upstream/membership.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "net/loop.h"
#include "upstream/slow_start.h"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;

// How often ramps, ends of ejections, silence and windows are looked at.
constexpr Duration kTick = milliseconds(250);

// Building a set of thousands takes milliseconds, here and on every worker: many changes at once
// share one.
Duration publish_gap(std::size_t members) {
  if (members <= 64) return Duration::zero();
  return members <= 1'000 ? milliseconds(50) : milliseconds(200);
}

bool same_checks(const ClusterConfig& a, const ClusterConfig& b) {
  return a.health_check == b.health_check && a.protocol == b.protocol &&
         a.proxy_protocol == b.proxy_protocol;
}

}  // namespace

Membership::Membership(HealthOffice& office, std::shared_ptr<Cluster> cluster)
    : office_(office),
      cluster_(std::move(cluster)),
      tick_timer_(net::timer_callback<&Membership::on_tick>(this)),
      publish_timer_(net::timer_callback<&Membership::publish>(this)) {}

Membership::~Membership() {
  if (port_ != nullptr) port_->owner = nullptr;
}

void Membership::configure(std::shared_ptr<const ClusterConfig> config,
                           std::shared_ptr<const net::TlsClientContext> tls) {
  const auto before = std::exchange(config_, std::move(config));
  tls_ = std::move(tls);
  rules_ = HealthRules::from(*config_);
  const bool watched = rules_.checked || rules_.ejects;
  const bool anew = port_ == nullptr && watched;
  if (port_ != nullptr) port_->owner = nullptr;
  port_ = watched ? std::make_shared<HealthPort>(office_.loop(), *this, *config_) : nullptr;
  if (before == nullptr) return;
  const TimePoint now = office_.loop().now();
  holding_ = true;
  for (const EndpointSet::Member& member : members_) {
    // What ended unwatched was never settled.
    EndpointTally& tally = member.endpoint->tally;
    if (anew) tally.settled.store(tally.begun.load());
    apply(*member.endpoint, [&](EndpointHealth& health) { health.adopt(rules_, now); });
  }
  keep_floor();
  const bool restart = !same_checks(*before, *config_);
  if (restart || !rules_.checked) checkers_.clear();
  update_checkers();
  holding_ = false;
  if (dirty_) publish();
  arm_tick();
}

void Membership::set(const std::vector<EndpointSpec>& specs, BalancePolicy policy,
                     ErrorCode empty_reason) {
  const bool newcomers = !members_.empty();
  const auto previous = cluster_->published().endpoints;
  if (&specs != &specs_) specs_ = specs;
  const auto before =
      std::exchange(members_, EndpointSet::members_from(specs_now(), previous.get()));
  policy_ = policy;
  empty_reason_ = empty_reason;
  begin_endpoints(newcomers);
  welcome_back(before);
  keep_floor();
  update_checkers();
  publish();
  arm_tick();
}

void Membership::say(const std::string& address, const EndpointOverride& said) {
  if (said.empty()) {
    said_.erase(address);
  } else {
    said_[address] = said;
  }
  set(specs_, policy_, empty_reason_);
}

std::vector<EndpointSpec> Membership::specs_now() const {
  std::vector<EndpointSpec> specs = specs_;
  if (said_.empty()) return specs;
  for (EndpointSpec& spec : specs) {
    const auto said = said_.find(spec.address.text);
    if (said == said_.end()) continue;
    if (said->second.state) spec.state = *said->second.state;
    if (said->second.weight) spec.weight = said->second.weight->of(spec.weight);
  }
  return specs;
}

// What an operator has let in again is as new to its traffic as what was unhealthy.
void Membership::welcome_back(const std::vector<EndpointSet::Member>& before) {
  std::unordered_set<const Endpoint*> out;
  for (const EndpointSet::Member& member : before) {
    if (member.state != OperatorState::kReady) out.insert(member.endpoint.get());
  }
  if (out.empty()) return;
  const TimePoint now = office_.loop().now();
  for (const EndpointSet::Member& member : members_) {
    const bool back = member.state == OperatorState::kReady && out.contains(member.endpoint.get());
    if (back) apply(*member.endpoint, [&](EndpointHealth& health) { health.rejoin(now); });
  }
}

void Membership::begin_endpoints(bool newcomers) {
  const TimePoint now = office_.loop().now();
  const bool serving = newcomers && cluster_->health().eligible > 0;
  const bool up = !rules_.checked ||
                  config_->health_check->initial_state == InitialState::kHealthy ||
                  (config_->health_check->initial_state == InitialState::kAuto && !serving);
  std::unordered_map<const Endpoint*, Reading> readings;
  counts_by_standing_ = {};
  weighted_ = 0;
  for (const EndpointSet::Member& member : members_) {
    Endpoint& endpoint = *member.endpoint;
    if (!endpoint.health.begun()) endpoint.health.begin(up, newcomers, now);
    const auto known = readings_.find(&endpoint);
    const auto [reading, fresh] =
        readings.emplace(&endpoint, known != readings_.end() ? known->second : Reading{});
    if (fresh) reading->second.entries = 0;
    if (!member.wanted()) continue;
    ++reading->second.entries;
    ++weighted_;
    ++count_of(endpoint.health.standing());
  }
  readings_ = std::move(readings);
}

void Membership::update_checkers() {
  std::unordered_set<const Endpoint*> asked;
  for (const EndpointSet::Member& member : members_) {
    if (member.state != OperatorState::kMaint) asked.insert(member.endpoint.get());
  }
  std::erase_if(checkers_, [&](const auto& entry) { return !asked.contains(entry.first); });
  if (!rules_.checked) return;
  bool began = false;
  for (const EndpointSet::Member& member : members_) {
    if (!asked.contains(member.endpoint.get())) continue;
    auto& checker = checkers_[member.endpoint.get()];
    if (checker != nullptr) continue;
    checker = std::make_unique<Checker>(*this, member.endpoint);
    began = true;
  }
  if (began && settled_by_ == TimePoint::max()) {
    settled_by_ = office_.loop().now() + 2 * config_->health_check->timeout;
  }
}

bool Membership::settled() const {
  if (!rules_.checked || office_.loop().now() >= settled_by_) return true;
  return std::ranges::all_of(checkers_,
                             [](const auto& entry) { return entry.first->health.asked(); });
}

// ---- Publication.

void Membership::changed() {
  dirty_ = true;
  if (holding_ || publish_timer_.armed()) return;
  const TimePoint earliest = published_at_ + publish_gap(members_.size());
  if (office_.loop().now() >= earliest) return publish();
  office_.loop().arm_at(publish_timer_, earliest);
}

void Membership::publish() {
  publish_timer_.cancel();
  dirty_ = false;
  const TimePoint now = office_.loop().now();
  published_at_ = now;
  std::vector<EndpointSet::Member> members = members_;
  ramping_ = false;
  for (EndpointSet::Member& member : members) {
    member.standing = member.endpoint->health.standing();
    member.ramp = member.endpoint->health.ramp(rules_, now);
    ramping_ =
        ramping_ || (member.standing == Standing::kIn && member.ramp < EndpointSet::kWholeRamp);
  }
  if (ramping_) limit_ramping(members);
  cluster_->publish(EndpointSet::build(std::move(members), policy_, empty_reason_,
                                       config_->load_balancing.own_zone));
  arm_tick();
}

// A ramp by weight alone does not hold for those that answer slowly: requests would pile up there.
void Membership::limit_ramping(std::vector<EndpointSet::Member>& members) const {
  std::uint64_t active = 0;
  std::uint64_t established = 0;
  for (const EndpointSet::Member& member : members) {
    if (member.standing != Standing::kIn || !member.wanted()) continue;
    if (member.ramp < EndpointSet::kWholeRamp) continue;
    active += member.endpoint->active_requests.load(std::memory_order_relaxed);
    ++established;
  }
  if (established == 0) return;
  const double mean = static_cast<double>(active) / static_cast<double>(established);
  for (EndpointSet::Member& member : members) {
    if (member.ramp == EndpointSet::kWholeRamp) continue;
    member.max_active = ramp_concurrency(mean, member.ramp, EndpointSet::kWholeRamp);
  }
}

// ---- Time.

void Membership::arm_tick() {
  const bool needed = rules_.checked || rules_.ejects || ramping_;
  if (needed && !tick_timer_.armed()) office_.loop().arm(tick_timer_, kTick);
}

void Membership::on_tick() {
  const TimePoint now = office_.loop().now();
  holding_ = true;
  for (const EndpointSet::Member& member : members_) {
    if (now < member.endpoint->health.due(rules_)) continue;
    apply(*member.endpoint, [&](EndpointHealth& health) { health.advance(rules_, now); });
  }
  if (rules_.ejects && now - window_from_ >= config_->outlier_detection->interval) {
    window_from_ = now;
    judge_windows();
  }
  for (const auto& [endpoint, checker] : checkers_) checker->watch_silence(now);
  holding_ = false;
  // A hash table is dear to build: for it a ramp has fewer steps.
  const Duration step = policy_ == BalancePolicy::kMaglev ? 4 * kTick : kTick;
  if (dirty_) {
    changed();
  } else if (ramping_ && now - published_at_ >= step) {
    publish();
  }
  arm_tick();
}

}  // namespace weir::upstream
