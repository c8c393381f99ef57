// SPDX-License-Identifier: Apache-2.0
#include "upstream/outcome.h"

namespace weir::upstream {
namespace {

// UNKNOWN, INTERNAL, UNAVAILABLE and DATA_LOSS; the others are the caller's or the deadline's.
bool is_grpc_failure(std::string_view status) {
  return status == "2" || status == "13" || status == "14" || status == "15";
}

}  // namespace

AttemptOutcome outcome_of(const ResponseHead& head, bool grpc) {
  const bool gateways = head.headers.find(HeaderId::kProxyStatus) != nullptr;
  if (gateways && (head.status == 503 || head.status == 429)) return AttemptOutcome::kNeutral;
  if (head.status >= 500) return AttemptOutcome::kServerError;
  const Header* status = grpc ? head.headers.find(HeaderId::kGrpcStatus) : nullptr;
  if (status != nullptr && is_grpc_failure(status->value)) return AttemptOutcome::kServerError;
  return AttemptOutcome::kAnswered;
}

AttemptOutcome outcome_of(const Error& error, bool answered) {
  switch (error.code) {
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kConnectFailed:
    case ErrorCode::kUpstreamTls:
      return AttemptOutcome::kConnectFailure;
    case ErrorCode::kUpstreamReset:
    case ErrorCode::kUpstreamBadHead:
    case ErrorCode::kUpstreamBadFraming:
    case ErrorCode::kUpstreamHeadTooLarge:
    case ErrorCode::kUpstreamTruncated:
    case ErrorCode::kUpstreamHttp2:
      return answered ? AttemptOutcome::kBroken : AttemptOutcome::kReset;
    case ErrorCode::kUpstreamTimeout:
    case ErrorCode::kUpstreamIdle:
      return answered ? AttemptOutcome::kBroken : AttemptOutcome::kTimeout;
    default:
      return AttemptOutcome::kNeutral;
  }
}

}  // namespace weir::upstream
