// SPDX-License-Identifier: Apache-2.0
// The two messages of the gRPC health protocol (grpc.health.v1, method Check), in their gRPC
// frames. Written out by hand: one string in, one enum out is no reason for a protobuf library.
// Pure functions, safe from every thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::http {

inline constexpr std::string_view kGrpcHealthPath = "/grpc.health.v1.Health/Check";

enum class GrpcHealth : uint8_t {
  kUnknown = 0,
  kServing = 1,
  kNotServing = 2,
  kServiceUnknown = 3
};

/// The body of a request about `service` (empty: the server as a whole), written to `out`. Empty if
/// it does not fit. 16 bytes more than the name are enough.
std::string_view write_health_request(std::string_view service, std::span<char> out);

/// What the whole body of a response says: exactly one message, not compressed. nullopt if it is
/// none. A status that the protocol does not know counts as kUnknown.
std::optional<GrpcHealth> parse_health_response(std::string_view body);

}  // namespace weir::http
