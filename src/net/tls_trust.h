// SPDX-License-Identifier: Apache-2.0
// A set of CAs and the check of a peer's chain against it. What is listed is trusted, be it a root,
// an intermediate or one self-signed certificate. Names come from SANs only (RFC 9110, 4.3.4).
// Revocation is not looked at. Private to the tls_*.cc of net/. Any thread, once loaded.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <weir/clock.h>

#include <expected>
#include <memory>
#include <string>

namespace weir::net {

class TlsTrust {
 public:
  /// The certificates of a PEM file. The error is a sentence.
  static std::expected<std::shared_ptr<const TlsTrust>, std::string> load(const std::string& file);

  struct Verdict {
    bool ok = false;
    uint8_t alert = 0;
    const char* reason = "";  ///< Static.
  };
  /// `chain`: leaf first. `server_name`: a DNS name or an address that the leaf must have; empty:
  /// the chain is a client's.
  Verdict verify(const STACK_OF(CRYPTO_BUFFER) * chain, const std::string& server_name) const;

  /// SHA-256 of the file.
  const std::string& digest() const { return digest_; }
  /// The subjects, as a server lists them when it asks for a certificate.
  bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> subjects() const;

 private:
  TlsTrust() = default;

  bssl::UniquePtr<X509_STORE> store_;
  std::string digest_;
};

WallTime not_after(const X509* certificate);
/// Now, by the machine's clock. One that cannot be parsed counts as expired.
bool certificate_expired(CRYPTO_BUFFER* certificate);

}  // namespace weir::net
