// SPDX-License-Identifier: Apache-2.0
// What an exchange counts for at its end: for its tenant and its function, whether it went well and
// how long it took.
#include <algorithm>

#include "policy/traffic.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using policy::TrafficOutcome;

// What weir would not take, to protect itself or others: no fault of the origin, and none of the
// request.
bool is_refusal(const Error& error) {
  const uint16_t status = error_info(error.code).status;
  return error.origin != Origin::kUpstream && (status == 429 || status == 503);
}

// Statuses of gRPC that tell of the server, as OpenTelemetry's conventions have it: UNKNOWN,
// DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
TrafficOutcome outcome_of_grpc(int64_t status) {
  if (status == 0) return TrafficOutcome::kOk;
  constexpr uint32_t kServers = 1U << 2 | 1U << 4 | 1U << 12 | 1U << 13 | 1U << 14 | 1U << 15;
  const bool servers = status > 16 || (kServers >> status & 1U) != 0;
  return servers ? TrafficOutcome::kServerError : TrafficOutcome::kClientError;
}

}  // namespace

TrafficOutcome Exchange::traffic_outcome() const {
  if (failed_) {
    if (is_refusal(error_)) return TrafficOutcome::kRefused;
    if (error_.origin == Origin::kDownstream) return TrafficOutcome::kClientError;
    // An answer that was begun and then cut off has a good status.
    if (response_started_ && error_.origin == Origin::kUpstream) {
      return TrafficOutcome::kServerError;
    }
  }
  const int64_t grpc = grpc_status_number();
  if (grpc >= 0) return outcome_of_grpc(grpc);
  if (status_ < 400) return TrafficOutcome::kOk;
  return status_ < 500 ? TrafficOutcome::kClientError : TrafficOutcome::kServerError;
}

void Exchange::count_traffic(int64_t total_us) {
  // Those of now: the snapshot that the owner was identified by may be gone.
  const Policies* const policies = worker_.snapshot().policies.get();
  if (policies == nullptr) return;
  const TrafficOutcome outcome = traffic_outcome();
  const auto us = static_cast<uint64_t>(std::max<int64_t>(total_us, 0));
  const auto count = [&](policy::Traffic* traffic, const policy::CountedName& name) {
    if (traffic != nullptr) traffic->table(worker_.index()).count(name, outcome, us);
  };
  count(policies->tenant_traffic.get(), owner_->bucket);
  count(policies->function_traffic.get(), owner_->counted_function);
}

}  // namespace weir::proxy
