// SPDX-License-Identifier: Apache-2.0
// Creates, keeps and retires clusters as configs come and go, and runs their name look-ups.
// Run-time state stays under the cluster's name; endpoints stay under cluster, host name and
// address. Thread: the control loop's, with which the Resolver runs.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "upstream/cluster.h"
#include "upstream/cluster_list.h"
#include "upstream/cluster_snapshot.h"
#include "upstream/endpoint_override.h"
#include "upstream/health_office.h"

namespace weir::net {
class Loop;
class Resolver;
}  // namespace weir::net

namespace weir::upstream {

class ClusterManager {
 public:
  /// `loop` and `resolver` outlive it.
  ClusterManager(net::Loop& loop, net::Resolver& resolver, AutoLimits automatic);
  ClusterManager(const ClusterManager&) = delete;
  ClusterManager& operator=(const ClusterManager&) = delete;
  ~ClusterManager();

  /// One for each config; null: plain.
  using TlsContexts = std::vector<std::shared_ptr<const net::TlsClientContext>>;

  /// Makes the clusters what `configs` says; workers notice at their next pick. Never fails and
  /// never blocks: names are looked up from the next turn on. No `tls`: all are plain.
  std::shared_ptr<const ClusterList> apply(const std::vector<ClusterConfig>& configs,
                                           const TlsContexts& tls = {});
  /// Null if there is no such cluster.
  Cluster* find(std::string_view name) const;
  /// The operator's word, as long as the cluster is there; nullopt takes it back. False if there is
  /// no such cluster.
  bool set_state(std::string_view name, std::optional<OperatorState> state);
  /// The same of an endpoint, by its address; an empty one takes it back.
  bool set_endpoint(std::string_view cluster, const std::string& address,
                    const EndpointOverride& said);
  /// The endpoints as config or DNS names them. Null if there is no such cluster.
  const std::vector<EndpointSpec>* specs(std::string_view cluster) const;
  /// Every name has been answered or has failed once, and every endpoint that is to be checked was
  /// checked or has had the time for it: before that, a start is not ready.
  bool settled() const;
  /// In the order of the config.
  std::vector<ClusterSnapshot> snapshot() const;
  /// Who hears of endpoints that go out and come back; called on the loop.
  void set_health_listener(HealthOffice::Listener listener) {
    office_.set_listener(std::move(listener));
  }
  const AutoLimits& automatic() const { return automatic_; }

 private:
  struct Entry;

  std::unique_ptr<Entry> take_or_make(const std::string& name);
  void update(Entry& entry, const ClusterConfig& config,
              std::shared_ptr<const net::TlsClientContext> tls);
  static void publish_static(Entry& entry, const ClusterConfig& config);
  void follow_name(Entry& entry, const ClusterConfig& config);

  net::Loop& loop_;
  net::Resolver& resolver_;
  const AutoLimits automatic_;
  HealthOffice office_;
  std::vector<std::unique_ptr<Entry>> entries_;  ///< In the order of the config.
  /// Places in entries_; the keys are the clusters' own names.
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

}  // namespace weir::upstream
