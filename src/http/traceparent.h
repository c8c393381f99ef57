// SPDX-License-Identifier: Apache-2.0
// Identifiers that travel with a request: W3C trace context (traceparent) and X-Request-Id.
// Randomness is an argument. Pure functions, safe from every thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// Random bits of a new trace: 128 of the trace id, 64 of the parent id.
struct TraceBits {
  uint64_t trace_high = 0;
  uint64_t trace_low = 0;
  uint64_t parent = 0;
};

/// Whether a received value may be passed on (W3C Trace Context, 3.2.2): version 00 exactly, or a
/// higher version whose first fields have that form; ids not all zero; lower-case hex.
bool is_valid_traceparent(std::string_view value);

/// A version 00 traceparent. All-zero ids, which the standard forbids, become one.
std::string_view new_traceparent(const TraceBits& random, bool sampled, base::Arena& arena);

/// Whether a received X-Request-Id may be passed on and logged: 1 to 128 bytes of letters, digits
/// and "-_.:/+=@~".
bool is_valid_request_id(std::string_view value);

/// 32 lower-case hex digits.
std::string_view new_request_id(uint64_t high, uint64_t low, base::Arena& arena);

}  // namespace weir::http
