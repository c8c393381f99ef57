// SPDX-License-Identifier: Apache-2.0
// How BoringSSL reaches the kernel: a BIO that works on the socket of the call under way, straight,
// with what was read ahead in between. BoringSSL asks for a record in two pieces (5 bytes, then the
// rest), which would be two system calls. Only for tls_session.cc. One thread.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>

#include "net/tls_scratch.h"
#include "net/tls_session.h"

namespace weir::net {

/// One call of a socket into its session.
class TlsSession::Call {
 public:
  /// `room`: plain bytes that the caller takes, so that hardly ever more is read than fits.
  Call(TlsSession& session, Socket& socket, size_t room);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  /// What was read and not taken moves to the session.
  ~Call();

  int read(char* out, size_t size);
  int write(const char* bytes, size_t size);

  TlsSession& session;
  Socket& socket;
  TlsScratch& scratch;
  size_t room;
  bool more_follows = false;
  bool ended = false;    ///< The peer's FIN was read.
  bool blocked = false;  ///< The kernel takes no more.
  int error = 0;         ///< errno of what failed.

 private:
  int fill(char* out, size_t size);

  size_t at_ = 0;  ///< In scratch.in: what is there and not taken yet.
  size_t end_ = 0;
  bool drained_ = false;  ///< The kernel has no more.
};

/// The end of BoringSSL's that belongs to `session`; the SSL object takes it.
struct TlsTransport {
  static BIO* make(TlsSession& session);
  static int read(BIO* bio, char* out, int size);
  static int write(BIO* bio, const char* bytes, int size);
};

}  // namespace weir::net
