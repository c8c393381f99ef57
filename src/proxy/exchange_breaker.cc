// SPDX-License-Identifier: Apache-2.0
// Circuit breakers in the life of an exchange: asked before it enters a cluster, told how each call
// ended. What counts is what the origin did: an answer of 5xx, a connection that failed, silence.
// 4xx, clients that leave and refusals by any weir count for nothing, and neither do statuses that
// only say that the origin does not do this (501, 505). To clusters without a breaker this costs
// the test of a null pointer.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "http/header_id.h"
#include "proxy/exchange.h"
#include "proxy/grpc_call.h"
#include "proxy/owner.h"
#include "proxy/response_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using base::CallOutcome;
using policy::CallEnd;

// What ejected endpoints have done, of their cluster's window.
struct EjectedEndpoints final : policy::ExplainedBy {
  explicit EjectedEndpoints(const upstream::WorkerCluster& of, Duration slot_of)
      : cluster(of), slot(slot_of) {}

  base::OutcomeCounts explained(const base::OutcomeCounts&, TimePoint now) const override {
    base::OutcomeCounts out;
    const upstream::EndpointSet& set = cluster.endpoints();
    for (std::size_t i = set.eligible(); i < set.members().size(); ++i) {
      out += set.members()[i].endpoint->outcomes.sum(now, slot);
    }
    return out;
  }

  const upstream::WorkerCluster& cluster;
  const Duration slot;
};

bool status_fails(uint16_t status) { return status >= 500 && status != 501 && status != 505; }

// The server's own trouble. DEADLINE_EXCEEDED may be the client's, who chose the deadline.
bool status_fails(http::GrpcStatus status) {
  switch (status) {
    case http::GrpcStatus::kUnknown:
    case http::GrpcStatus::kInternal:
    case http::GrpcStatus::kUnavailable:
    case http::GrpcStatus::kDataLoss:
      return true;
    default:
      return false;
  }
}

std::string_view words_of(policy::BreakerRefusal refusal) {
  return refusal.level == BreakerLevel::kCluster ? "cluster " : "function in cluster ";
}

}  // namespace

Result<void> Exchange::pass_breakers(uint32_t target, BreakerCall& there) {
  const Snapshot& snapshot = worker_.snapshot();
  policy::ClusterBreakers* const of =
      snapshot.breakers.empty() ? nullptr : snapshot.breakers[target].get();
  if (of == nullptr) return {};
  const ClusterConfig& config = snapshot.config->clusters[target];
  const policy::BreakerMoment moment{worker_.loop().now(), worker_.rng()};
  const auto refusal = of->admit(*config.circuit_breaker, breaker_function(), there.permit, moment);
  if (!refusal) {
    there.of = of;
    return {};
  }
  breaker_.retry_after = refusal->retry_after;
  breaker_.refused_by = target;
  const std::string_view detail =
      arena_.concat({words_of(*refusal), config.name, std::string_view("\0", 1)});
  return weir::fail(ErrorCode::kCircuitOpen, detail.data());
}

// Whether something else than the refusal is given: then it is said what follows.
std::optional<Exchange::Next> Exchange::fall_back(const Error& refusal) {
  const Snapshot& snapshot = worker_.snapshot();
  if (!breaker_.refused_by) return std::nullopt;
  const auto& breaker = snapshot.config->clusters[*breaker_.refused_by].circuit_breaker;
  if (!breaker || !breaker->fallback || breaker_.fell_back) return std::nullopt;
  breaker_.fell_back = true;
  if (breaker->fallback->direct) {
    // The words are the operator's; that it was refused is told all the same.
    failed_ = true;
    error_ = refusal;
    answer_direct(*breaker->fallback->direct);
    return Next::kDone;
  }
  const size_t other = snapshot.clusters->index_of(breaker->fallback->cluster);
  const Result<void> entered = enter(static_cast<uint32_t>(other));
  if (entered) return Next::kContinue;
  fail(entered.error());
  return Next::kDone;
}

// Whole seconds, rounded up.
std::string_view Exchange::retry_after() {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(breaker_.retry_after).count();
  return arena_.concat({std::to_string(std::max<int64_t>(seconds, 1))});
}

std::string_view Exchange::breaker_function() const {
  return owner_ != nullptr ? owner_->function : std::string_view{};
}

void Exchange::keep_breaker(const Snapshot& leaving) {
  if (breaker_.of == nullptr || breaker_.kept) return;
  for (const auto& state : leaving.breakers) {
    if (state.get() == breaker_.of) breaker_.kept = state;
  }
}

// One call counts once, and its head at once: a stream may last for days, and probes wait for news.
// What breaks off after a good head becomes a failure instead.
void Exchange::tell_breaker(CallOutcome outcome, Duration took) {
  std::optional<CallEnd>& told = attempt_.told();
  if (told && (outcome != CallOutcome::kFailure || told->outcome == CallOutcome::kFailure)) return;
  const std::optional<CallEnd> before =
      std::exchange(told, CallEnd{outcome, took, worker_.loop().now()});
  const CallEnd* const instead_of = before ? &*before : nullptr;
  tell_cell_breaker(*told, instead_of);
  tell_cluster_breaker(*told, instead_of);
}

void Exchange::tell_cluster_breaker(const CallEnd& end, const CallEnd* instead_of) {
  if (breaker_.of == nullptr) return;
  upstream::WorkerCluster& in = cluster();
  // A reload has taken the breaker away.
  if (!in.config().circuit_breaker) return;
  // All of its endpoints are out, and asked only in need: that explains all. The cluster must not
  // be refused for it when they are well again.
  if (in.endpoints().eligible() == 0) return;
  const CircuitBreakerConfig& config = *in.config().circuit_breaker;
  const Duration slot = Duration(config.sliding_window) / base::OutcomeWindow::kSlots;
  if (upstream::Endpoint* endpoint = attempt_.endpoint()) {
    if (instead_of != nullptr) {
      endpoint->outcomes.withdraw(instead_of->judged(config), instead_of->at, slot);
    }
    endpoint->outcomes.record(end.judged(config), end.at, slot);
  }
  if (instead_of != nullptr) breaker_.of->withdraw(config, breaker_function(), *instead_of);
  const EjectedEndpoints ejected(in, slot);
  breaker_.of->record(config, breaker_function(), end.judged(config), end.at, &ejected);
}

void Exchange::tell_breaker(const ResponseHead& head) {
  if (refused_by_weir(head)) return;
  if (status_fails(head.status)) return tell_breaker(CallOutcome::kFailure);
  // A gRPC call says at its end how it went.
  if (grpc_ != nullptr && head.status == 200 &&
      head.headers.find(HeaderId::kGrpcStatus) == nullptr) {
    return;
  }
  if (grpc_ != nullptr) {
    const Header* status = head.headers.find(HeaderId::kGrpcStatus);
    const auto parsed = status != nullptr ? http::parse_grpc_status(status->value) : std::nullopt;
    if (parsed && status_fails(*parsed)) return tell_breaker(CallOutcome::kFailure);
  }
  tell_breaker(CallOutcome::kSuccess, response_at_ - attempt_.begun_at());
}

void Exchange::tell_breaker_grpc(const HeaderList& trailers) {
  const Header* status = trailers.find(HeaderId::kGrpcStatus);
  if (status == nullptr) return;
  const auto parsed = http::parse_grpc_status(status->value);
  const bool bad = !parsed || status_fails(*parsed);
  tell_breaker(bad ? CallOutcome::kFailure : CallOutcome::kSuccess);
}

}  // namespace weir::proxy
