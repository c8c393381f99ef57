// SPDX-License-Identifier: Apache-2.0
// What an attempt says about its endpoint: the one vocabulary of everybody who judges endpoints by
// their answers (outlier detection, checks on suspicion, breakers). An attempt reports kAnswered or
// kServerError at its response head, or a failure; then kCompleted or kBroken at its end. Pure.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>

namespace weir::upstream {

enum class AttemptOutcome : std::uint8_t {
  kNeutral,         ///< Says nothing: the client left, or weir (this or another) refused.
  kAnswered,        ///< A response head that is no server error.
  kServerError,     ///< 5xx, or a gRPC status that means one.
  kConnectFailure,  ///< No connection, or no TLS.
  kReset,           ///< It ended, or broke the protocol, before a response head.
  kTimeout,         ///< No response head in time.
  kBroken,          ///< It ended or fell silent after the response head.
  kCompleted,       ///< The response is whole.
};

/// Of a response head. A 503 or 429 that carries Proxy-Status is a refusal by a gateway in between.
AttemptOutcome outcome_of(const ResponseHead& head, bool grpc);
/// Of a failure; `answered`: after the response head.
AttemptOutcome outcome_of(const Error& error, bool answered);

constexpr bool is_failure(AttemptOutcome outcome) {
  return outcome >= AttemptOutcome::kServerError && outcome <= AttemptOutcome::kBroken;
}

}  // namespace weir::upstream
