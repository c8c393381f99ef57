// SPDX-License-Identifier: Apache-2.0
// A certificate chain with its key, loaded and checked: the key fits, the leaf has not expired.
// Private to the tls_*.cc of net/. Off the loop.
#pragma once

#include <openssl/ssl.h>
#include <weir/config.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/tls_files.h"
#include "net/tls_pem.h"

namespace weir::net {

struct TlsCertificate {
  TlsCertificateFacts facts;
  std::vector<PemCertificate> chain;  ///< Leaf first.
  bssl::UniquePtr<EVP_PKEY> key;
  bool is_rsa = false;
  uint16_t algorithm = 0;  ///< SSL_SIGN_... that the key signs with, unless RSA.

  /// `key`: of the setting ("tls.certificates[a.pem]"). What is wrong goes to `findings`; nullopt
  /// after an error.
  static std::optional<TlsCertificate> load(const CertificateConfig& config, const std::string& key,
                                            const TlsBuild& build, TlsFindings& findings);
  /// False if BoringSSL does not take it; then unusable() says so.
  bool install(SSL_CTX* context) const;
  TlsFinding unusable(const SourceLocation& location, const std::string& setting) const;
};

/// A context with what holds for both sides: versions, suites, groups.
bssl::UniquePtr<SSL_CTX> make_tls_context(TlsVersion least);
/// Names of ALPN as they stand in the handshake: each with its length in front.
std::string alpn_wire(const std::vector<Alpn>& protocols);

/// Calls that BoringSSL makes, for both sides; each finds its session in the SSL object.
struct TlsCallbacks {
  static enum ssl_verify_result_t verify(SSL* ssl, uint8_t* out_alert);
  static enum ssl_select_cert_result_t select_certificate(const SSL_CLIENT_HELLO* hello);
  static int select_alpn(SSL* ssl, const uint8_t** out, uint8_t* out_size, const uint8_t* offered,
                         unsigned offered_size, void* arg);
  static int ticket_key(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher,
                        HMAC_CTX* hmac, int seal);
  static int new_session(SSL* ssl, SSL_SESSION* session);
};

}  // namespace weir::net
