// SPDX-License-Identifier: Apache-2.0
// What an exchange has to do with the circuit breakers of the cluster that it is in: a member of
// the exchange, empty where the cluster has none. The code is in exchange_breaker.cc. One thread.
#pragma once

#include <memory>
#include <optional>

#include "policy/cluster_breakers.h"
#include "upstream/worker_cluster.h"

namespace weir::proxy {

struct BreakerCall {
  policy::ClusterBreakers* of = nullptr;  ///< Of the snapshot, or held by `kept`.
  std::shared_ptr<policy::ClusterBreakers> kept;
  policy::BreakerPermit permit;
  Duration retry_after{0};  ///< Of a refusal,
  /// and the cluster's place in the snapshot; nullopt: it was a cell's, which has no fallback.
  std::optional<uint32_t> refused_by;
  bool fell_back = false;  ///< It is where an open breaker has sent it: no further.

  /// Leaves the cluster that it was in for that of `there`.
  void enter(BreakerCall there) {
    of = there.of;
    kept.reset();
    permit = std::move(there.permit);
  }
};

/// A cluster that would take the exchange, which is not in it yet.
struct Admitted {
  upstream::RequestPermit permit;
  BreakerCall breaker;
};

}  // namespace weir::proxy
