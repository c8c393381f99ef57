// SPDX-License-Identifier: Apache-2.0
#include "app/region_watch.h"

#include <algorithm>
#include <unordered_map>

#include "app/op_log.h"

namespace weir::app {
namespace {

constexpr Duration kPeriod = std::chrono::milliseconds(500);
constexpr uint64_t kPpm = 1'000'000;

std::string percent(uint64_t ppm) { return std::to_string(ppm / 10'000) + "%"; }

uint32_t healthy_ppm(const upstream::ClusterHealth& health) {
  if (!health.usable || health.total_weight == 0) return 0;
  return static_cast<uint32_t>(std::min(
      kPpm, static_cast<uint64_t>(static_cast<double>(health.eligible_weight) /
                                  static_cast<double>(health.total_weight) * double{kPpm})));
}

}  // namespace

// A cluster, by itself or within a group.
struct RegionWatch::Part {
  const upstream::Cluster* cluster = nullptr;
  const policy::ClusterBreakers* breaker = nullptr;  ///< Null: it has none.
  const upstream::FailoverMember* member = nullptr;  ///< Null: it is not in a group.
  uint64_t weight = 1;
};

// What routes lead to, or what the region names.
struct RegionWatch::Target {
  std::string name;
  bool group = false;
  bool used = false;
  bool required = false;
  std::vector<Part> parts;  ///< One, but for groups.
};

struct RegionWatch::Verdict {
  bool served = false;
  uint32_t healthy_ppm = 0;
  std::string why;
};

RegionWatch::RegionWatch(net::Loop& loop, NotReady not_ready)
    : loop_(loop),
      not_ready_(std::move(not_ready)),
      timer_(net::timer_callback<&RegionWatch::on_timer>(this)) {}

RegionWatch::~RegionWatch() = default;

void RegionWatch::watch(std::shared_ptr<const proxy::Snapshot> snapshot) {
  targets_.clear();
  const auto& region = snapshot->config->region;
  if (!region) return stop();
  if (region->name != name_) state_ = {};
  name_ = region->name;
  state_.configure(*region);
  snapshot_ = std::move(snapshot);

  const proxy::Snapshot& now = *snapshot_;
  std::unordered_map<uint32_t, std::pair<bool, bool>> wanted;  // used, required
  for (size_t route = 0; route < now.targets.of_route.size(); ++route) {
    proxy::each_used(*now.config, now.targets, route,
                     [&wanted](uint32_t end) { wanted[end].first = true; });
  }
  for (const std::string& name : region->clusters) {
    wanted[static_cast<uint32_t>(now.clusters->index_of(name))].second = true;
  }
  for (const std::string& name : region->failover_groups) {
    for (uint32_t i = 0; i < now.targets.groups.size(); ++i) {
      if (now.config->failover_groups[now.targets.groups[i].group].name != name) continue;
      wanted[i | proxy::kGroupBit].second = true;
    }
  }
  for (const auto& [index, how] : wanted) add_target(index, how.first, how.second);
  // In an order that does not change from look to look and from load to load.
  std::ranges::sort(targets_, {}, [](const Target& t) { return std::pair(!t.required, t.name); });
  look();
  if (!timer_.armed()) loop_.arm(timer_, kPeriod);
}

void RegionWatch::add_target(uint32_t index, bool used, bool required) {
  Target target;
  target.used = used;
  target.required = required;
  target.group = (index & proxy::kGroupBit) != 0;
  if (target.group) {
    add_group(target, index & ~proxy::kGroupBit);
  } else {
    target.name = snapshot_->config->clusters[index].name;
    target.parts.push_back(part_of(*(*snapshot_->clusters)[index]));
  }
  targets_.push_back(std::move(target));
}

// Other regions' members do not speak for this one: DNS can send their clients there itself.
void RegionWatch::add_group(Target& target, uint32_t index) {
  const FailoverGroupConfig& config = snapshot_->targets.groups[index].config;
  target.name = config.name;
  const bool any_here = std::ranges::any_of(
      config.members, [&](const FailoverMemberConfig& m) { return m.region == name_; });
  for (const upstream::FailoverSeat& seat : (*snapshot_->failover)[index].seats()) {
    const auto member =
        std::ranges::find(config.members, seat.member->cluster(), &FailoverMemberConfig::cluster);
    if (any_here && member->region != name_) continue;
    Part part = part_of(*seat.cluster);
    part.member = seat.member.get();
    part.weight = member->capacity.value_or(1);
    target.parts.push_back(part);
  }
}

RegionWatch::Part RegionWatch::part_of(const upstream::Cluster& cluster) const {
  Part part;
  part.cluster = &cluster;
  const size_t index = snapshot_->clusters->index_of(cluster.name());
  if (!snapshot_->breakers.empty()) part.breaker = snapshot_->breakers[index].get();
  return part;
}

RegionWatch::Verdict RegionWatch::judge(const Target& target) const {
  Verdict out;
  uint64_t whole = 0;
  uint64_t healthy = 0;
  for (const Part& part : target.parts) {
    whole += part.weight;
    const upstream::ClusterHealth health = part.cluster->health();
    if (!health.usable) {
      out.why = why_unusable(health);
    } else if (part.breaker != nullptr && part.breaker->open(loop_.now())) {
      out.why = "its circuit breaker is open";
    } else if (part.member != nullptr && part.member->suspected()) {
      out.why = "requests fail in a row";
    } else {
      healthy += part.weight * healthy_ppm(health);
    }
  }
  out.healthy_ppm = whole == 0 ? 0 : static_cast<uint32_t>(healthy / whole);
  const Share least = snapshot_->config->region->min_healthy;
  out.served = out.healthy_ppm >= least.ppm;
  if (out.served) {
    out.why.clear();
  } else if (target.parts.size() > 1 || out.why.empty()) {
    out.why = percent(out.healthy_ppm) + " healthy, less than " + percent(least.ppm);
  }
  return out;
}

// Why the region is not fit; empty: it is.
std::string RegionWatch::judge_all(upstream::RegionReading* shown) const {
  std::string reason = not_ready_();
  size_t used = 0;
  size_t served = 0;
  for (const Target& target : targets_) {
    Verdict verdict = judge(target);
    used += target.used ? 1 : 0;
    served += target.used && verdict.served ? 1 : 0;
    if (target.required && !verdict.served && reason.empty()) {
      reason = (target.group ? "failover group " : "cluster ") + target.name + ": " + verdict.why;
    }
    const bool listed = target.required || !verdict.served;
    if (shown == nullptr || !listed ||
        shown->members.size() == upstream::RegionReading::kMostMembers) {
      continue;
    }
    shown->members.push_back({target.name, target.group, target.required, verdict.served,
                              verdict.healthy_ppm, std::move(verdict.why)});
  }
  const Share least = snapshot_->config->region->min_served;
  if (reason.empty() && served * kPpm < used * uint64_t{least.ppm}) {
    reason = std::to_string(served) + " of " + std::to_string(used) +
             " clusters and groups are served, less than " + percent(least.ppm);
  }
  if (shown != nullptr) {
    shown->targets = used;
    shown->served = served;
  }
  return reason;
}

void RegionWatch::look() {
  if (!snapshot_) return;
  reason_ = judge_all(nullptr);
  const bool before = state_.in_answer();
  state_.look(reason_.empty(), loop_.now());
  const bool in = state_.in_answer();
  if (in == before) return;
  op_log(in ? LogLevel::kInfo : LogLevel::kWarning,
         in ? "region enters the answer" : "region leaves the answer",
         {{"region", name_}, {"weight", state_.weight(loop_.now())}, {"reason", reason_}});
}

std::optional<TimePoint> RegionWatch::leave(std::string why) {
  if (!snapshot_) return std::nullopt;
  const bool before = state_.in_answer();
  leaving_for_ = std::move(why);
  state_.leave(loop_.now());
  if (before) {
    op_log(LogLevel::kWarning, "region leaves the answer",
           {{"region", name_}, {"weight", 0}, {"reason", leaving_for_}});
  }
  return state_.serve_until();
}

void RegionWatch::on_timer() {
  look();
  loop_.arm(timer_, kPeriod);
}

void RegionWatch::stop() {
  timer_.cancel();
  targets_.clear();
  snapshot_.reset();
  name_.clear();
}

std::optional<upstream::RegionReading> RegionWatch::reading() const {
  if (!snapshot_) return std::nullopt;
  const TimePoint now = loop_.clock().now();
  upstream::RegionReading out;
  out.name = name_;
  out.in_answer = state_.in_answer();
  out.weight = state_.weight(now);
  out.phase = state_.phase(now);
  out.since = state_.since();
  out.serve_until = state_.serve_until();
  out.ttl = snapshot_->config->region->ttl;
  out.reason = judge_all(&out);
  if (!leaving_for_.empty()) out.reason = leaving_for_;
  if (out.phase == upstream::RegionPhase::kReturning) out.reason = "good again, but not for long";
  return out;
}

}  // namespace weir::app
