// SPDX-License-Identifier: Apache-2.0
// Reason phrases of the registered status codes. Static text; safe from every thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::http {

/// Empty for a code that is not registered: a reason phrase may be empty (RFC 9112, 4).
std::string_view reason_phrase(uint16_t code);

}  // namespace weir::http
