// SPDX-License-Identifier: Apache-2.0
// The small vocabulary of upstream's tests: endpoints by port, clusters without a manager, and a
// connection that only remembers what the pool did to it.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "upstream/cluster.h"
#include "upstream/worker_cluster.h"

namespace weir::upstream {

/// Runs the letters and tasks that are in the loop's box, and those that they post in turn.
inline void settle(net::Loop& loop) {
  for (int turn = 0; turn < 4; ++turn) {
    loop.post([&loop] { loop.stop(); });
    loop.run();
  }
}

inline Address ip_address(std::uint16_t port) {
  return {Address::Kind::kIp, {false, {10, 0, 0, 1}}, port, "", "10.0.0.1:" + std::to_string(port)};
}

inline EndpointSpec spec(std::uint16_t port, std::uint32_t weight = 100) {
  const Address address = ip_address(port);
  return {address, address.text, weight, ""};
}

/// Endpoints 10.0.0.1:1 and on, with these weights.
inline std::vector<EndpointSpec> specs(const std::vector<std::uint32_t>& weights) {
  std::vector<EndpointSpec> out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out.push_back(spec(static_cast<std::uint16_t>(i + 1), weights[i]));
  }
  return out;
}

inline std::shared_ptr<const EndpointSet> make_set(
    const std::vector<std::uint32_t>& weights,
    BalancePolicy policy = BalancePolicy::kLeastRequest) {
  return EndpointSet::build(EndpointSet::members_from(specs(weights), nullptr), policy);
}

/// A cluster of `weights.size()` endpoints; `config` gives its limits and pool.
inline std::shared_ptr<Cluster> make_cluster(const ClusterConfig& config = {},
                                             const std::vector<std::uint32_t>& weights = {100}) {
  auto cluster = std::make_shared<Cluster>("c");
  cluster->publish(std::make_shared<const ClusterConfig>(config),
                   ClusterLimits::from(config, AutoLimits{}));
  cluster->publish(make_set(weights, config.load_balancing.policy));
  return cluster;
}

/// A connection without a socket. Its test owns the memory; `closed` says that the pool let go.
class FakeConnection final : public PoolEntry {
 public:
  using PoolEntry::PoolEntry;
  bool closed = false;

 private:
  void close_idle() override { closed = true; }
};

class FakeWaiter final : public PlaceWaiter {
 public:
  FakeWaiter(WorkerCluster& cluster, WorkerEndpoint& endpoint)
      : cluster_(cluster), endpoint_(endpoint) {}

  /// Asks; holds what it gets.
  Result<LeaseOffer>& ask() {
    offer = cluster_.lease(endpoint_, *this);
    return offer;
  }
  void on_place() override {
    ++calls;
    ask();
  }
  bool served() const { return offer.has_value() && !offer->waits(); }

  Result<LeaseOffer> offer;
  int calls = 0;

 private:
  WorkerCluster& cluster_;
  WorkerEndpoint& endpoint_;
};

}  // namespace weir::upstream
