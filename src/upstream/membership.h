// SPDX-License-Identifier: Apache-2.0
// Which endpoints a cluster has, and which of them may be picked: takes the endpoints that config
// or DNS names, keeps their health by checks (Checker), by windows of answers (outlier.h) and by
// what workers report (HealthPort), and publishes an EndpointSet whenever that changes what is
// picked. Ejections keep the floor `min_available`; failed checks do not, and if they take the
// cluster below it, ejected endpoints are pardoned. Where all fail their checks nobody is picked:
// requests are refused fast with no_healthy_endpoint, and come to those that pass again.
//
// Above all that stand the operator's words: an endpoint that he drains or has in maintenance is
// not picked, whatever its health, and counts for no floor; one in maintenance is not checked
// either.
//
// One for each cluster of the config, watched or not. Thread: the control loop's.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/timer_wheel.h"
#include "upstream/checker.h"
#include "upstream/cluster.h"
#include "upstream/endpoint_override.h"
#include "upstream/endpoint_set.h"
#include "upstream/health.h"
#include "upstream/health_counts.h"
#include "upstream/health_office.h"
#include "upstream/health_port.h"
#include "upstream/outlier.h"

namespace weir::upstream {

struct CheckResult {
  bool passed = false;
  std::string_view reason;  ///< Of a failure.
  bool witness = false;     ///< Requests have failed there since the check before.
};

class Membership {
 public:
  Membership(HealthOffice& office, std::shared_ptr<Cluster> cluster);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  ~Membership();

  /// The cluster's config is now this one. Null `tls`: plain.
  void configure(std::shared_ptr<const ClusterConfig> config,
                 std::shared_ptr<const net::TlsClientContext> tls);
  /// For Cluster::publish(): null if nobody looks at what attempts say.
  const std::shared_ptr<HealthPort>& port() const { return port_; }
  /// The endpoints are now these, and are published. Requires: configure() was called.
  void set(const std::vector<EndpointSpec>& specs, BalancePolicy policy,
           ErrorCode empty_reason = ErrorCode::kNoEndpoint);
  /// What an operator says of an endpoint, above set(), now and later; empty takes it back.
  void say(const std::string& address, const EndpointOverride& said);
  /// As last set.
  const std::vector<EndpointSpec>& specs() const { return specs_; }
  /// Every endpoint was checked once, or has had the time for it.
  bool settled() const;

  HealthOffice& office() { return office_; }
  const ClusterConfig& config() const { return *config_; }
  const std::shared_ptr<const ClusterConfig>& shared_config() const { return config_; }
  const std::shared_ptr<const net::TlsClientContext>& tls() const { return tls_; }
  const HealthRules& rules() const { return rules_; }
  const HealthCounts& counts() const { return counts_; }

  // -- For Checker and HealthPort.
  void on_check(Endpoint& endpoint, const CheckResult& result);
  /// Attempts at it fail.
  void on_alarm(Endpoint& endpoint);

 private:
  /// A distinct endpoint: its entries in members_, and what was counted when its last window ended.
  struct Reading {
    std::uint32_t entries = 0;  ///< That are wanted.
    std::uint32_t answered = 0;
    std::uint32_t failed = 0;
    std::uint64_t latency_us = 0;
  };

  /// Every change of an endpoint's health goes through here.
  template <typename Change>
  void apply(Endpoint& endpoint, Change change) {
    const Standing before = endpoint.health.standing();
    change(endpoint.health);
    if (endpoint.health.standing() != before) went(endpoint, before);
  }
  void went(Endpoint& endpoint, Standing before);
  std::vector<EndpointSpec> specs_now() const;
  void begin_endpoints(bool newcomers);
  void welcome_back(const std::vector<EndpointSet::Member>& before);
  void update_checkers();
  bool is_member(const Endpoint& endpoint) const { return readings_.contains(&endpoint); }
  void on_tick();
  void arm_tick();
  void judge_windows();
  AnswerWindow take_window(const Endpoint& endpoint, Reading& reading);
  void try_eject(Endpoint& endpoint, std::string_view reason);
  void keep_floor();
  std::size_t& count_of(Standing standing) {
    return counts_by_standing_[static_cast<std::size_t>(standing)];
  }
  std::size_t available() { return count_of(Standing::kIn); }
  void changed();
  void publish();
  void limit_ramping(std::vector<EndpointSet::Member>& members) const;
  void tell(const Endpoint& endpoint);

  HealthOffice& office_;
  const std::shared_ptr<Cluster> cluster_;
  std::shared_ptr<const ClusterConfig> config_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  std::shared_ptr<HealthPort> port_;
  HealthRules rules_;
  HealthCounts counts_;
  BalancePolicy policy_ = BalancePolicy::kLeastRequest;
  ErrorCode empty_reason_ = ErrorCode::kNoEndpoint;
  std::vector<EndpointSpec> specs_;                         ///< As set.
  std::unordered_map<std::string, EndpointOverride> said_;  ///< By operators, by address.
  std::vector<EndpointSet::Member> members_;                ///< In the order of the config.
  std::unordered_map<const Endpoint*, Reading> readings_;   ///< One for each distinct endpoint.
  std::unordered_map<const Endpoint*, std::unique_ptr<Checker>> checkers_;
  std::array<std::size_t, 3> counts_by_standing_{};  ///< Of members that are wanted.
  std::size_t weighted_ = 0;                         ///< Their sum.
  TimePoint window_from_{};
  TimePoint published_at_{};
  TimePoint settled_by_ = TimePoint::max();  ///< When the first checks have had their time.
  net::Timer tick_timer_;
  net::Timer publish_timer_;
  bool holding_ = false;  ///< Changes are gathered, and published once.
  bool dirty_ = false;
  bool ramping_ = false;  ///< As last published.
};

}  // namespace weir::upstream
