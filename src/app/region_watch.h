// SPDX-License-Identifier: Apache-2.0
// Looks twice a second how the clusters and failover groups of this weir's region are, tells its
// RegionState, and logs when the region enters or leaves the answers of DNS. Only where the config
// has a region. It refuses nothing: it is asked, on the admin listener.
// Thread: the control loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "proxy/snapshot.h"
#include "upstream/region_state.h"

namespace weir::app {

class RegionWatch {
 public:
  /// Why no traffic should come now; empty: ready.
  using NotReady = std::function<std::string()>;

  RegionWatch(net::Loop& loop, NotReady not_ready);
  RegionWatch(const RegionWatch&) = delete;
  RegionWatch& operator=(const RegionWatch&) = delete;
  ~RegionWatch();

  /// A config came into force. What was found of the region is kept while it keeps its name.
  void watch(std::shared_ptr<const proxy::Snapshot> snapshot);
  /// Looks now.
  void look();
  /// The region leaves the answer for good: until when weir should serve on. Nullopt: there is no
  /// region.
  std::optional<TimePoint> leave(std::string why);
  /// Lets go of the snapshot.
  void stop();
  std::optional<upstream::RegionReading> reading() const;

 private:
  struct Part;
  struct Target;
  struct Verdict;

  void add_target(uint32_t index, bool used, bool required);
  void add_group(Target& target, uint32_t index);
  Part part_of(const upstream::Cluster& cluster) const;
  Verdict judge(const Target& target) const;
  std::string judge_all(upstream::RegionReading* shown) const;
  void on_timer();

  net::Loop& loop_;
  const NotReady not_ready_;
  net::Timer timer_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;  ///< Null: no region.
  std::string name_;
  upstream::RegionState state_;
  std::vector<Target> targets_;
  std::string reason_;  ///< Of the last look; empty: all is well.
  std::string leaving_for_;
};

}  // namespace weir::app
