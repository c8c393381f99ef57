// SPDX-License-Identifier: Apache-2.0
// Whether an endpoint may be picked, as far as its health goes. A value; no thread rule.
#pragma once

#include <cstdint>

namespace weir::upstream {

enum class Standing : std::uint8_t {
  kIn,
  kEjected,    ///< Taken out for what its answers were like; connections are kept.
  kUnhealthy,  ///< Failed its checks: idle connections to it are closed.
};

/// Whom a request may go to: endpoints that are well, or in need any that the operator has in.
enum class Reach : std::uint8_t { kWell, kAny };

}  // namespace weir::upstream
