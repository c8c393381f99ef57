// SPDX-License-Identifier: Apache-2.0
// How workers tell the control thread what attempts say about endpoints: counts go into the
// endpoint's tally, and what cannot wait for the end of a window goes by letter, at most one under
// way for each endpoint. One for each watched cluster and config, shared by its Membership and,
// through what the Cluster publishes, by the workers; a letter that arrives after the membership
// has gone or has taken another port finds nobody.
//
// Thread: begun() and report() any; `owner` the control thread's.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <memory>

#include "upstream/endpoint.h"
#include "upstream/outcome.h"

namespace weir::net {
class Loop;
}

namespace weir::upstream {

class Membership;

class HealthPort : public std::enable_shared_from_this<HealthPort> {
 public:
  /// `control` outlives every worker.
  HealthPort(net::Loop& control, Membership& membership, const ClusterConfig& config);

  /// An attempt has chosen `endpoint`.
  static void begun(Endpoint& endpoint);
  /// `first`: nothing but kNeutral was reported for this attempt yet. `latency_us`: to the response
  /// head, if there was one. One attempt counts once: kBroken turns a kAnswered into a failure.
  void report(const std::shared_ptr<Endpoint>& endpoint, AttemptOutcome outcome, bool first,
              std::uint64_t latency_us);

  Membership* owner;  ///< Null once it has gone.

 private:
  void count_failure(const std::shared_ptr<Endpoint>& endpoint, AttemptOutcome outcome);
  void post(const std::shared_ptr<Endpoint>& endpoint);

  net::Loop& control_;
  const bool checks_;
  const std::uint32_t most_failures_;          ///< In a row; 0: no limit.
  const std::uint32_t most_connect_failures_;  ///< In a row; 0: no limit.
};

}  // namespace weir::upstream
