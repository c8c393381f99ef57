// SPDX-License-Identifier: Apache-2.0
// Creates, keeps and retires clusters as configs come and go, and runs their name look-ups.
// Run-time state stays under the cluster's name; endpoints stay under cluster, host name and
// address. Thread: the control loop's, with which the Resolver runs.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "upstream/cluster.h"
#include "upstream/cluster_list.h"

namespace weir::net {
class Loop;
class Resolver;
}  // namespace weir::net

namespace weir::upstream {

class DnsCluster;

struct EndpointSnapshot {
  std::string address;
  std::string host;
  std::string zone;
  std::uint32_t weight = 0;
  std::uint32_t active_requests = 0;
  std::uint32_t connections = 0;
};

struct DnsSnapshot {
  std::string name;
  bool resolved = false;       ///< It has resolved at least once.
  std::string last_error;      ///< Empty if the last look-up succeeded.
  std::uint32_t failures = 0;  ///< In a row.
  Millis age{0};               ///< Since the last good answer.
  Millis next_refresh{0};      ///< From now; 0 while one is under way.
};

struct ClusterSnapshot {
  std::string name;
  OperatorState state = OperatorState::kReady;
  BalancePolicy policy = BalancePolicy::kLeastRequest;
  ClusterLimits limits;
  std::uint32_t requests = 0;
  std::uint32_t retries = 0;
  std::uint32_t connections = 0;
  std::uint32_t idle = 0;
  std::uint32_t pending = 0;
  std::vector<EndpointSnapshot> endpoints;
  std::optional<DnsSnapshot> dns;
};

class ClusterManager {
 public:
  /// `loop` and `resolver` outlive it.
  ClusterManager(net::Loop& loop, net::Resolver& resolver, AutoLimits automatic,
                 std::uint64_t seed);
  ClusterManager(const ClusterManager&) = delete;
  ClusterManager& operator=(const ClusterManager&) = delete;
  ~ClusterManager();

  /// Makes the clusters what `configs` says; workers notice at their next pick. Never fails and
  /// never blocks: names are looked up from the next turn on.
  std::shared_ptr<const ClusterList> apply(const std::vector<ClusterConfig>& configs);
  /// Null if there is no such cluster.
  Cluster* find(std::string_view name) const;
  /// The operator's word, until the next apply(). False if there is no such cluster.
  bool set_state(std::string_view name, OperatorState state);
  /// Every name has been answered or has failed once: before that, a start is not ready.
  bool settled() const;
  /// In the order of the config.
  std::vector<ClusterSnapshot> snapshot() const;
  const AutoLimits& automatic() const { return automatic_; }

 private:
  struct Entry;

  void publish_static(Entry& entry, const ClusterConfig& config);

  net::Loop& loop_;
  net::Resolver& resolver_;
  const AutoLimits automatic_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<Entry>> entries_;  ///< In the order of the config.
};

}  // namespace weir::upstream
