// SPDX-License-Identifier: Apache-2.0
// Keeps the endpoints of a cluster in step with a name: asks again when the record's time is up,
// and after a failure sooner and sooner less often. The last good answer stays however long
// look-ups fail: a broken DNS must not take down servers that work. A name that has never resolved
// leaves the cluster empty, and its requests get dns_failure. Thread: the resolver's loop.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/resolver.h"
#include "net/timer_wheel.h"
#include "upstream/cluster_snapshot.h"
#include "upstream/membership.h"

namespace weir::net {
class Loop;
}

namespace weir::upstream {

class DnsCluster final : private net::DnsHandler {
 public:
  static constexpr std::chrono::seconds kLeastTtl{1};
  static constexpr std::chrono::seconds kMostTtl{300};
  static constexpr std::chrono::seconds kFirstBackoff{1};
  static constexpr std::chrono::seconds kMostBackoff{30};

  /// Asks from the next turn on. What the cluster has published stays until the first answer or
  /// failure, so that a reload which changes the name fails no request meanwhile.
  /// All three outlive it.
  DnsCluster(net::Loop& loop, net::Resolver& resolver, Membership& membership,
             const ClusterConfig& config);
  DnsCluster(const DnsCluster&) = delete;
  DnsCluster& operator=(const DnsCluster&) = delete;

  /// Whether `dns` asks for what this one does already.
  bool serves(const DnsConfig& dns) const;
  /// Publishes the same endpoints for another policy.
  void set_policy(BalancePolicy policy);
  /// It has been answered or has failed once.
  bool settled() const { return resolved_ || failures_ > 0; }
  DnsSnapshot snapshot() const;

 private:
  void on_resolved(Result<std::vector<net::ResolvedAddress>> answer) override;
  void on_timer();
  void on_failure(const Error& error);
  void publish();
  void ask_again_in(Duration wait);

  net::Loop& loop_;
  net::Resolver& resolver_;
  Membership& membership_;
  const DnsConfig config_;
  BalancePolicy policy_;
  base::Rng rng_;
  std::vector<EndpointSpec> specs_;  ///< The last good answer.
  bool resolved_ = false;
  std::uint32_t failures_ = 0;  ///< In a row.
  const char* last_error_ = nullptr;
  TimePoint answered_at_{};
  net::DnsQuery query_{*this};
  net::Timer timer_{net::timer_callback<&DnsCluster::on_timer>(this)};
};

}  // namespace weir::upstream
