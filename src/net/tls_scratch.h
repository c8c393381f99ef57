// SPDX-License-Identifier: Apache-2.0
// Memory that the TLS sockets of one loop share, because each needs it only within a call: idle
// connections then hold none. Its content means nothing between calls.
#pragma once

#include <cstddef>

namespace weir::net {

struct TlsScratch {
  /// The most plain bytes in a record (RFC 8446, 5.1).
  static constexpr size_t kRecord = 16 * 1024;

  char in[2 * kRecord];  ///< Ciphertext as it comes from the kernel.
  char out[kRecord];     ///< Small pieces on their way into one record.
};

}  // namespace weir::net
