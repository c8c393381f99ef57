// SPDX-License-Identifier: Apache-2.0
// One side of one TLS connection: BoringSSL's state, what the handshake agreed on, and why it
// failed if it did. Made by a TlsServerContext or a TlsClientContext and given to
// Socket::start_tls(), which alone moves bytes through it; everybody else only asks it for facts.
// It keeps no buffers, so an idle connection is BoringSSL's few structures and this. One thread.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket.h"

typedef struct ssl_st SSL;

namespace weir::net {

class TlsTrust;
struct TlsClientSide;

/// Why a handshake failed, in the classes that are counted.
enum class TlsFailure : uint8_t {
  kNone,
  kNotTls,         ///< Plain HTTP, or no TLS at all.
  kVersion,        ///< No version in common.
  kCipher,         ///< No suite, group or signature algorithm in common.
  kAlpn,           ///< No application protocol in common.
  kNoCertificate,  ///< The client has to show a certificate and did not.
  kCertificate,    ///< The peer's certificate does not verify.
  kAlert,          ///< The peer refused with an alert.
  kPeerClosed,     ///< The peer left in the middle of the handshake.
  kTimeout,        ///< It took too long.
  kProtocol,       ///< Anything else against the protocol.
  kCount
};
/// For labels: "not_tls", "version", "cipher", ...; "" for kNone.
std::string_view tls_failure_word(TlsFailure failure);

class TlsSession {
 public:
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  /// The handshake is complete. Before, of what is below only sni() and failure() are known.
  bool established() const { return established_; }
  TlsFailure failure() const { return failure_; }
  /// Static text ("no shared cipher", "certificate verify failed: expired"); "" without a failure.
  const char* failure_reason() const { return reason_; }

  std::string_view version() const;  ///< "TLSv1.3"
  std::string_view cipher() const;   ///< "TLS_AES_128_GCM_SHA256"
  /// nullopt: nothing was agreed on, which means HTTP/1.1.
  std::optional<Alpn> alpn() const;
  /// The name that was asked for (server: as the client sent it); "" if none was.
  std::string_view sni() const;
  bool resumed() const;

  /// The peer showed a certificate and it was verified, now or in the session that was resumed.
  bool peer_verified() const { return peer_verified_; }
  /// The peer's chain as DER, leaf first; views into the session. Empty unless peer_verified().
  std::vector<std::string_view> peer_chain() const;
  /// "CN=client,O=Example" (RFC 2253); "" unless peer_verified().
  std::string peer_subject() const;
  /// The leaf's names: "DNS:a.example", "URI:spiffe://...", "IP:10.0.0.1", "email:x@y".
  std::vector<std::string> peer_names() const;
  /// Values of Client-Cert and Client-Cert-Chain (RFC 9440); "" unless peer_verified(). The chain
  /// is what the client sent after the leaf, and "" if that is nothing.
  std::string client_cert_field() const;
  std::string client_cert_chain_field() const;

 private:
  friend class Socket;
  friend class TlsServerContext;
  friend class TlsClientContext;
  friend struct TlsCallbacks;
  friend struct TlsTransport;
  class Call;

  /// Bytes that were read from the kernel and that BoringSSL has not taken yet.
  struct Ahead {
    std::unique_ptr<char[]> bytes;
    uint32_t at = 0;
    uint32_t end = 0;
  };

  /// Takes over `ssl`. `context`: what its callbacks refer to.
  TlsSession(SSL* ssl, std::shared_ptr<const void> context);

  // For Socket, which is an argument of each call because a connection changes sockets.
  void keep_ahead(std::string_view received);
  Handshake handshake(Socket& socket);
  IoResult recv(Socket& socket, std::span<char> room);
  IoResult send(Socket& socket, std::span<const iovec> pieces, bool more_follows);
  /// False: the kernel does not take the alert now.
  bool send_close_notify(Socket& socket);
  /// There is something to read that no event will announce.
  bool has_pending() const;

  Handshake end_handshake();
  void note_failure();
  IoResult end_of_read(const Call& call, int ssl_error);
  /// Plain bytes that BoringSSL took, or why it took none.
  IoResult seal(std::string_view bytes);

  SSL* ssl_;
  std::shared_ptr<const void> context_;
  std::unique_ptr<TlsClientSide> client_;  ///< Null on a server.
  const TlsTrust* trust_ = nullptr;        ///< Null: the peer's certificate is not verified.
  Call* call_ = nullptr;                   ///< Under way: what BoringSSL's transport works with.
  Ahead ahead_;
  const char* reason_ = "";
  const char* verify_reason_ = "";
  IoResult read_end_;    ///< What recv() answers from now on, unless kOk.
  uint32_t sealed_ = 0;  ///< Plain bytes of a record that the kernel did not take whole.
  uint32_t credit_ = 0;  ///< Bytes that went out since and that the caller will offer again.
  TlsFailure failure_ = TlsFailure::kNone;
  bool established_ = false;
  bool peer_verified_ = false;
  bool close_notify_sent_ = false;
};

}  // namespace weir::net
