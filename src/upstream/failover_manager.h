// SPDX-License-Identifier: Apache-2.0
// Makes the failover groups of each config, keeps what must survive reloads, and looks a few times
// a second how the members are: their phase, and how much of its capacity each may use here.
// Thread: the control loop's. Outlives the snapshots and the permits of its members.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/timer_wheel.h"
#include "upstream/cluster_list.h"
#include "upstream/failback.h"
#include "upstream/failover_group.h"
#include "upstream/failover_snapshot.h"

namespace weir::net {
class Loop;
}

namespace weir::upstream {

/// The groups of one config, in the order of failover_instances(). Immutable; any thread.
class FailoverGroups {
 public:
  explicit FailoverGroups(std::vector<FailoverGroup> groups) : groups_(std::move(groups)) {}
  const FailoverGroup& operator[](std::size_t index) const { return groups_[index]; }
  std::span<const FailoverGroup> all() const { return groups_; }
  /// Null if there is none of that name. For what has outlived its snapshot: a linear search.
  const FailoverGroup* find(std::string_view name) const;

 private:
  std::vector<FailoverGroup> groups_;
};

/// A member that has changed its phase, for the log.
struct MemberChange {
  std::string_view group;
  std::string_view cluster;
  MemberPhase phase;
  std::string why;
};

class FailoverManager {
 public:
  using OnChange = std::function<void(const MemberChange&)>;
  static constexpr Duration kLookEvery = std::chrono::milliseconds(100);

  /// `loop` outlives it.
  FailoverManager(net::Loop& loop, OnChange on_change);
  FailoverManager(const FailoverManager&) = delete;
  FailoverManager& operator=(const FailoverManager&) = delete;
  ~FailoverManager();

  /// The groups of `config`, whose clusters are `clusters`; null if there are none.
  std::shared_ptr<const FailoverGroups> apply(const Config& config, const ClusterList& clusters);
  /// One look at all members. The timer does it; tests may.
  void look(TimePoint now);
  /// In the order of the config.
  std::vector<FailoverGroupSnapshot> snapshot() const;

 private:
  struct Entry;
  struct Group;

  Group make_group(const FailoverGroupConfig& config, const Config& all,
                   const ClusterList& clusters);
  std::unique_ptr<Entry> take_or_make(const std::string& group, const std::string& cluster);
  void look_at(Group& group, Entry& entry, TimePoint now);
  static FailoverMemberSnapshot show(const FailoverSeat& seat, const Entry& entry, TimePoint now);
  void drop_retired();
  void on_timer();

  net::Loop& loop_;
  const OnChange on_change_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, std::shared_ptr<FailoverGroupState>> states_;
  std::vector<std::shared_ptr<FailoverMember>> retired_;  ///< Out of the config, perhaps in use.
  net::Timer timer_;
};

}  // namespace weir::upstream
