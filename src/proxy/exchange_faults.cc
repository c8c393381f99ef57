// SPDX-License-Identifier: Apache-2.0
// Faults that operators inject for drills (`weir set fault`): at a route before its cluster is
// chosen, at a cluster before anything is sent there, first or after a hop, once a request. What is
// aborted here counts for no breaker and no endpoint, and is neither repeated nor sent elsewhere:
// it is weir's own answer. Without a drill this costs one load at the route and one at the cluster.
#include <utility>

#include "base/fault_point.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

namespace weir::proxy {

Exchange::Next Exchange::meet_fault(const base::FaultPoint& at) {
  const base::Fault fault = at.load();
  if (worker_.rng().below(base::Fault::kAll) >= fault.share) return Next::kContinue;
  worker_.mutable_stats().faults_injected.add();
  injected_status_ = fault.abort;
  if (fault.delay_ms == 0) return end_fault();
  // The timer of the pause between attempts: between two, or before the first, it is free.
  fault_waits_ = true;
  worker_.loop().arm(backoff_timer_, Millis(fault.delay_ms));
  return Next::kWait;
}

// A second attempt beside the first goes where the first went.
Exchange::Next Exchange::meet_cluster_fault() {
  if (hedging()) return Next::kContinue;
  upstream::Cluster& at = cluster().shared();
  if (std::exchange(fault_cluster_, &at) == &at) return Next::kContinue;
  return meet_fault(at.fault());
}

Exchange::Next Exchange::end_fault() {
  if (injected_status_ == 0) return Next::kContinue;
  fail(make_error(ErrorCode::kFaultInjected));
  return Next::kDone;
}

// Where it goes on depends on who made it wait: the cluster, where it has its place by now, or the
// route.
void Exchange::on_fault_over() {
  fault_waits_ = false;
  if (end_fault() == Next::kDone) return;
  if (!request_permit_) return resume_admitted();
  advance();
}

}  // namespace weir::proxy
