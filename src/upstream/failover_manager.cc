// SPDX-License-Identifier: Apache-2.0
#include "upstream/failover_manager.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "net/loop.h"
#include "upstream/failover_instances.h"

namespace weir::upstream {

const FailoverGroup* FailoverGroups::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      groups_, [&](const FailoverGroup& group) { return group.name() == name; });
  return found == groups_.end() ? nullptr : &*found;
}

// A member with what decides its phase.
struct FailoverManager::Entry {
  std::shared_ptr<FailoverMember> member;
  Failback failback;
  std::shared_ptr<Cluster> cluster;
  FailoverMemberConfig config;
  std::string why;
  bool served = false;  ///< It has been up: from then on changes are news.
};

struct FailoverManager::Group {
  FailoverGroupConfig config;
  std::vector<std::unique_ptr<Entry>> entries;  ///< In the order of the config.
  std::unique_ptr<FailoverGroup> group;
};

namespace {

// For weights of members without a capacity.
constexpr std::uint64_t kPlainWeight = 1000;

// What of `whole` a part of the cluster's weight stands for; never nothing for some of it.
std::uint32_t part_of(std::uint64_t whole, std::uint64_t weight, const ClusterHealth& health) {
  if (health.total_weight == 0 || weight == 0) return 0;
  const double part = static_cast<double>(weight) / static_cast<double>(health.total_weight) *
                      static_cast<double>(whole);
  return static_cast<std::uint32_t>(std::max(part, 1.0));
}

}  // namespace

FailoverManager::FailoverManager(net::Loop& loop, OnChange on_change)
    : loop_(loop),
      on_change_(std::move(on_change)),
      timer_(net::timer_callback<&FailoverManager::on_timer>(this)) {}

FailoverManager::~FailoverManager() = default;

std::shared_ptr<const FailoverGroups> FailoverManager::apply(const Config& config,
                                                             const ClusterList& clusters) {
  std::vector<Group> next;
  std::vector<FailoverGroup> groups;
  for (const FailoverInstance& each : failover_instances(config)) {
    next.push_back(make_group(each.config, config, clusters));
    groups.push_back(*next.back().group);
  }
  for (Group& group : groups_) {
    for (auto& entry : group.entries) {
      if (entry != nullptr) retired_.push_back(std::move(entry->member));
    }
  }
  groups_ = std::move(next);
  std::erase_if(states_, [&](const auto& state) {
    return std::ranges::none_of(
        groups_, [&](const Group& group) { return group.config.name == state.first; });
  });
  look(loop_.now());
  if (groups_.empty()) return nullptr;
  if (!timer_.armed()) loop_.arm(timer_, kLookEvery);
  return std::make_shared<const FailoverGroups>(std::move(groups));
}

FailoverManager::Group FailoverManager::make_group(const FailoverGroupConfig& config,
                                                   const Config& all, const ClusterList& clusters) {
  Group out{config, {}, nullptr};
  std::vector<FailoverSeat> seats;
  for (const FailoverMemberConfig& member : config.members) {
    const std::size_t index = clusters.index_of(member.cluster);
    CHECK(index != ClusterList::kNone);
    auto entry = take_or_make(config.name, member.cluster);
    entry->config = member;
    entry->cluster = clusters[index];
    entry->failback.configure(config.failback);
    const bool own_zone = !all.zone.empty() && member.zone == all.zone;
    seats.push_back({entry->member, entry->cluster, static_cast<std::uint32_t>(index),
                     member.priority, own_zone});
    out.entries.push_back(std::move(entry));
  }
  auto& state = states_[config.name];
  if (state == nullptr) state = std::make_shared<FailoverGroupState>();
  out.group = std::make_unique<FailoverGroup>(config, std::move(seats), state);
  return out;
}

std::unique_ptr<FailoverManager::Entry> FailoverManager::take_or_make(const std::string& group,
                                                                      const std::string& cluster) {
  for (Group& known : groups_) {
    if (known.config.name != group) continue;
    for (auto& entry : known.entries) {
      if (entry != nullptr && entry->config.cluster == cluster) return std::move(entry);
    }
  }
  auto entry = std::make_unique<Entry>();
  entry->member = std::make_shared<FailoverMember>(cluster);
  return entry;
}

void FailoverManager::look(TimePoint now) {
  for (Group& group : groups_) {
    for (auto& entry : group.entries) look_at(group, *entry, now);
  }
  drop_retired();
}

void FailoverManager::look_at(Group& group, Entry& entry, TimePoint now) {
  FailoverMember& member = *entry.member;
  const ClusterHealth health = entry.cluster->health();
  member.forget(now);
  const bool suspected = member.suspected();
  const MemberPhase before = entry.failback.phase();
  entry.failback.look(health.usable && !suspected, now);
  if (!health.usable) {
    entry.why = why_unusable(health);
  } else if (suspected) {
    entry.why = "requests fail in a row";
  } else {
    entry.why = entry.failback.phase() == MemberPhase::kUp ? "" : "it was down";
  }
  FailoverMember::Standing standing;
  standing.phase = entry.failback.phase();
  standing.share = entry.failback.share();
  standing.weight =
      part_of(entry.config.capacity.value_or(kPlainWeight), health.healthy_weight, health);
  if (entry.config.capacity) {
    const std::uint64_t part = *entry.config.capacity / std::max(1U, group.config.fleet_size);
    // Where nobody is well only need leads, and then as if all were. Endpoints that are new take
    // nothing away from what the others could do before they came.
    standing.limit = health.eligible_weight == 0 ? static_cast<std::uint32_t>(part)
                                                 : part_of(part, health.eligible_weight, health);
  }
  member.publish(standing);
  const bool news = std::exchange(entry.served, entry.served || standing.phase == MemberPhase::kUp);
  if (before != standing.phase && news && on_change_) {
    on_change_({group.config.name, entry.config.cluster, standing.phase, entry.why});
  }
}

// One that no snapshot and no request names any more.
void FailoverManager::drop_retired() {
  std::erase_if(retired_, [](const auto& member) {
    return member.use_count() == 1 && member->in_use() == 0;
  });
}

void FailoverManager::on_timer() {
  look(loop_.now());
  if (!groups_.empty() || !retired_.empty()) loop_.arm(timer_, kLookEvery);
}

std::vector<FailoverGroupSnapshot> FailoverManager::snapshot() const {
  std::vector<FailoverGroupSnapshot> out;
  const TimePoint now = loop_.now();
  for (const Group& group : groups_) {
    FailoverGroupSnapshot& each = out.emplace_back();
    const FailoverGroupState& state = group.group->state();
    each.name = group.config.name;
    each.max_other_clusters = group.config.max_other_clusters;
    each.fleet_size = group.config.fleet_size;
    each.refused = state.refused.load(std::memory_order_relaxed);
    each.panics = state.panics.load(std::memory_order_relaxed);
    each.budget = static_cast<double>(state.budget.stock()) / FailoverBudget::kOne;
    for (const FailoverSeat& seat : group.group->seats()) {
      const auto entry = std::ranges::find_if(
          group.entries, [&](const auto& known) { return known->member == seat.member; });
      each.members.push_back(show(seat, **entry, now));
    }
  }
  return out;
}

FailoverMemberSnapshot FailoverManager::show(const FailoverSeat& seat, const Entry& entry,
                                             TimePoint now) {
  const FailoverMember& member = *seat.member;
  FailoverMemberSnapshot out;
  out.cluster = entry.config.cluster;
  out.region = entry.config.region;
  out.zone = entry.config.zone;
  out.priority = seat.priority;
  out.own_zone = seat.own_zone;
  out.phase = entry.failback.phase();
  out.why = entry.why;
  out.capacity = entry.config.capacity;
  out.limit = member.limit();
  out.share = member.share();
  out.in_use = member.in_use();
  out.suspected = member.suspected();
  out.phase_age = std::chrono::duration_cast<Millis>(now - entry.failback.since());
  out.wait = std::chrono::duration_cast<Millis>(entry.failback.wait());
  out.placed = member.placed();
  for (std::size_t i = 0; i < kHopReasons; ++i) {
    out.left[i] = member.left_for(static_cast<HopReason>(i));
  }
  return out;
}

}  // namespace weir::upstream
