// SPDX-License-Identifier: Apache-2.0
// Whether a failed attempt may be repeated, and after how long. Pure functions: counting tries,
// deadlines, the replay buffer and the budget's counts are the caller's. A request that may have
// been processed is repeated only if its method is idempotent (RFC 9110, 9.2.2), whatever the
// config asks for.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>
#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>

#include "base/rng.h"

namespace weir::upstream {

enum class RetryVerdict : std::uint8_t {
  kNo,
  kFree,    ///< Yes; nothing was sent, so that it costs the origin nothing: outside the budget.
  kBudget,  ///< Yes, if the budget has a place.
};

/// GET, HEAD, PUT, DELETE, OPTIONS, TRACE.
bool is_idempotent(Method method);
/// After an attempt that failed without a response.
RetryVerdict judge_error(const RetryConfig& config, const Error& error, Method method);
/// After a response head of which nothing was passed on.
RetryVerdict judge_status(const RetryConfig& config, std::uint16_t status, Method method);
/// After a gRPC response that is UNAVAILABLE and nothing else: it came in the head, and no message
/// did. Whoever lists the condition holds that to mean that the call was not processed: calls are
/// POSTs, and no method of theirs tells whether they may be repeated.
RetryVerdict judge_grpc_unavailable(const RetryConfig& config);
/// How long to wait before try `n`, counted from 0 for the first retry: full jitter, uniform in
/// [0, min(max, base * 2^n)].
Duration retry_delay(const RetryBackoff& backoff, std::uint32_t n, base::Rng& rng);

}  // namespace weir::upstream
