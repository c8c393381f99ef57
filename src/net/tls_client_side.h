// SPDX-License-Identifier: Apache-2.0
// What a client's session needs beyond a server's. Private to the tls_*.cc of net/. One thread.
#pragma once

#include <openssl/ssl.h>
#include <weir/clock.h>

#include <memory>
#include <string>

#include "net/tls_client_context.h"

namespace weir::net {

/// A session that was, and under what it was made.
struct TlsSessionSlot {
  bssl::UniquePtr<SSL_SESSION> session;
  std::string terms;     ///< Digest of trust, name and client certificate, and the name verified.
  WallTime not_after{};  ///< Of the origin's certificate, if that was verified.
};

struct TlsClientSide {
  std::string verify_name;  ///< DNS name or address.
  std::string terms;
  std::shared_ptr<TlsSessionSlot> slot;  ///< Where a new session is kept.
};

}  // namespace weir::net
