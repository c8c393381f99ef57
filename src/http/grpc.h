// SPDX-License-Identifier: Apache-2.0
// What a gateway must know of gRPC over HTTP (PROTOCOL-HTTP2.md): which requests it is, how long
// they may take, and how a refusal is said so that a gRPC client understands it. Messages are never
// looked into. Pure functions, safe from every thread.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// Whether a content-type is gRPC's: "application/grpc", alone or with "+proto" and the like.
/// gRPC-Web's is not.
bool is_grpc(std::string_view content_type);

enum class GrpcStatus : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};
inline constexpr uint8_t kGrpcStatuses = 17;

/// How weir's own refusal is said in gRPC. Beyond the mapping of HTTP statuses that gRPC itself
/// defines: what is too large is RESOURCE_EXHAUSTED, and what ran out of time DEADLINE_EXCEEDED,
/// unless no connection came about, which is UNAVAILABLE.
GrpcStatus grpc_status(ErrorCode code);
/// The number of a status as text.
std::string_view grpc_status_text(GrpcStatus status);
/// A received grpc-status; nullopt if it is not a number of gRPC's.
std::optional<GrpcStatus> parse_grpc_status(std::string_view value);

/// A received grpc-timeout ("100m"): 1 to 8 digits and a unit of H, M, S, m, u, n.
std::optional<Duration> parse_grpc_timeout(std::string_view value);
/// A grpc-timeout for what is left, in the finest unit of which 8 digits are enough, and never 0:
/// what is over is "1n".
std::string_view grpc_timeout_text(Duration left, base::Arena& arena);

/// `text` as a grpc-message: percent-encoded where it is not printable ASCII.
std::string_view grpc_message(std::string_view text, base::Arena& arena);

}  // namespace weir::http
