// SPDX-License-Identifier: Apache-2.0
#include "upstream/retry_policy.h"

#include <algorithm>
#include <optional>

namespace weir::upstream {
namespace {

// The condition that stands for a failure which came without a response. What weir would answer
// with 502 or 504 of its own falls under the condition of that status.
std::optional<RetryOn> condition_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kConnectFailed:
      return RetryOn::kConnectFailure;
    case ErrorCode::kUpstreamTls:
      return RetryOn::kConnectFailure;
    case ErrorCode::kUpstreamReset:
      return RetryOn::kResetBeforeResponse;
    case ErrorCode::kUpstreamRefusedStream:
      return RetryOn::kRefusedStream;
    case ErrorCode::kUpstreamTimeout:
      return RetryOn::k504;
    case ErrorCode::kUpstreamBadHead:
    case ErrorCode::kUpstreamBadFraming:
    case ErrorCode::kUpstreamHeadTooLarge:
    case ErrorCode::kUpstreamHttp2:
      return RetryOn::k502;
    default:
      return std::nullopt;
  }
}

std::optional<RetryOn> condition_of(std::uint16_t status) {
  switch (status) {
    case 429:
      return RetryOn::k429;
    case 500:
      return RetryOn::k500;
    case 502:
      return RetryOn::k502;
    case 503:
      return RetryOn::k503;
    case 504:
      return RetryOn::k504;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_idempotent(Method method) {
  switch (method) {
    case Method::kGet:
    case Method::kHead:
    case Method::kPut:
    case Method::kDelete:
    case Method::kOptions:
    case Method::kTrace:
      return true;
    default:
      return false;
  }
}

RetryVerdict judge_error(const RetryConfig& config, const Error& error, Method method) {
  const auto condition = condition_of(error.code);
  if (!condition || !config.on.contains(*condition)) return RetryVerdict::kNo;
  if (error.retry == Retry::kUnsent) return RetryVerdict::kFree;
  if (error.retry == Retry::kIdempotent && is_idempotent(method)) return RetryVerdict::kBudget;
  return RetryVerdict::kNo;
}

RetryVerdict judge_status(const RetryConfig& config, std::uint16_t status, Method method) {
  const auto condition = condition_of(status);
  if (!condition || !config.on.contains(*condition)) return RetryVerdict::kNo;
  // The origin answered, so it may have acted.
  return is_idempotent(method) ? RetryVerdict::kBudget : RetryVerdict::kNo;
}

RetryVerdict judge_grpc_unavailable(const RetryConfig& config) {
  return config.on.contains(RetryOn::kGrpcUnavailable) ? RetryVerdict::kBudget : RetryVerdict::kNo;
}

Duration retry_delay(const RetryBackoff& backoff, std::uint32_t n, base::Rng& rng) {
  const auto max = std::chrono::microseconds(backoff.max).count();
  auto ceiling = std::min<std::int64_t>(std::chrono::microseconds(backoff.base).count(), max);
  for (std::uint32_t i = 0; i < n && ceiling < max; ++i) ceiling = std::min(ceiling * 2, max);
  if (ceiling <= 0) return Duration::zero();
  return std::chrono::microseconds(rng.next() % (static_cast<std::uint64_t>(ceiling) + 1));
}

}  // namespace weir::upstream
