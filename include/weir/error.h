// SPDX-License-Identifier: Apache-2.0
// Errors are values. An Error answers three questions (after Pingora): what happened, whose fault
// it is, and whether the request may be tried again. Everything that follows from them - status,
// reason word, Proxy-Status token - is one table in src/base/error.cc. Trivially copyable; `detail`
// must point at static storage, or at the arena of the exchange that ends with it.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace weir {

enum class ErrorCode : uint8_t {
  // The request itself (downstream's fault).
  kBadRequestLine,
  kBadMethod,
  kBadTarget,
  kBadVersion,
  kBadHeader,
  kBadHost,
  kBadFraming,
  kBadChunk,
  kHeaderTooLarge,
  kTooManyHeaders,
  kUriTooLong,
  kBodyTooLarge,
  kRequestTimeout,
  kBodyTimeout,
  kSlowClient,
  kClientClosed,
  kMethodRefused,
  kUpgradeRefused,
  kExpectationFailed,
  kTlsHandshake,
  kBadProxyHeader,
  kHttp2Abuse,
  kBadIdentity,
  // What weir decides.
  kNoRoute,
  kMethodNotAllowed,
  kMisdirected,
  kNoEndpoint,
  kNoHealthyEndpoint,
  kFailoverCapacity,
  kClusterPendingFull,
  kClusterRequestsFull,
  kClusterConnectionsFull,
  kConnectionLimit,
  kAddressConnectionLimit,
  kNoDescriptors,
  kShuttingDown,
  kDeadlineExceeded,
  kOverloaded,
  kAdaptiveConcurrencyLimited,
  kRateLimited,
  kConcurrencyLimited,
  kNodeRateLimited,
  kNodeConcurrencyLimited,
  kCircuitOpen,
  kMemoryShare,
  kMemoryBudget,
  kQueueFull,
  kQueueTimeout,
  kNodeQueueFull,
  kNodeQueueTimeout,
  kCellUnavailable,
  kGuestCapacity,
  kCellLoop,
  kFaultInjected,
  kInternal,
  // The origin (upstream's fault).
  kDnsFailure,
  kConnectRefused,
  kConnectTimeout,
  kConnectFailed,
  kUpstreamReset,
  kUpstreamTimeout,
  kUpstreamIdle,
  kUpstreamBadHead,
  kUpstreamBadFraming,
  kUpstreamHeadTooLarge,
  kUpstreamTruncated,
  kUpstreamUpgrade,
  kUpstreamTls,
  kUpstreamRefusedStream,
  kUpstreamHttp2,
  kResponseTooLarge,
  kCount
};

enum class Origin : uint8_t { kDownstream, kUpstream, kInternal };

/// Whether the same request may be sent again, as far as the failure itself tells.
enum class Retry : uint8_t {
  kNo,
  kUnsent,      ///< The origin cannot have seen any of it: safe for every method.
  kIdempotent,  ///< It may have been processed: safe only for idempotent methods (RFC 9110, 9.2.2).
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  Origin origin = Origin::kInternal;
  Retry retry = Retry::kNo;
  int sys = 0;                   ///< errno where one is known, else 0.
  const char* detail = nullptr;  ///< Text with what was found, or null.
};

/// What weir answers and reports for an error, fixed for each code.
struct ErrorInfo {
  std::string_view reason;        ///< The reason word in logs, metrics and bodies.
  uint16_t status;                ///< HTTP status; 499 is only logged (the client has left).
  std::string_view proxy_status;  ///< RFC 9209 error token.
  std::string_view hint;          ///< One sentence: what to do next.
  Origin origin;
};
const ErrorInfo& error_info(ErrorCode code);

/// An error of `code` with the origin that the table gives it.
Error make_error(ErrorCode code, const char* detail = nullptr, Retry retry = Retry::kNo,
                 int sys = 0);

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, const char* detail = nullptr,
                                   Retry retry = Retry::kNo, int sys = 0) {
  return std::unexpected<Error>(make_error(code, detail, retry, sys));
}

}  // namespace weir
