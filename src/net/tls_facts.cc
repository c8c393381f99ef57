// SPDX-License-Identifier: Apache-2.0
// What a session agreed on and whom it talks to.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/digest.h"
#include "net/tls_client_side.h"
#include "net/tls_pem.h"
#include "net/tls_session.h"

namespace weir::net {
namespace {

std::string_view or_empty(const char* text) { return text != nullptr ? text : ""; }

bssl::UniquePtr<X509> leaf_of(const SSL* ssl) {
  bssl::UniquePtr<X509> leaf(
      X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(SSL_get0_peer_certificates(ssl), 0)));
  ERR_clear_error();
  return leaf;
}

}  // namespace

std::string_view TlsSession::version() const { return or_empty(SSL_get_version(ssl_)); }

std::string_view TlsSession::cipher() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  return cipher != nullptr ? or_empty(SSL_CIPHER_standard_name(cipher)) : "";
}

std::optional<Alpn> TlsSession::alpn() const {
  const uint8_t* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  const std::string_view agreed(reinterpret_cast<const char*>(name), size);
  if (agreed == "h2") return Alpn::kH2;
  if (agreed == "http/1.1") return Alpn::kHttp11;
  return std::nullopt;
}

std::string_view TlsSession::sni() const {
  return or_empty(SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name));
}

bool TlsSession::resumed() const { return established_ && SSL_session_reused(ssl_) != 0; }

std::vector<std::string_view> TlsSession::peer_chain() const {
  std::vector<std::string_view> out;
  if (!peer_verified_) return out;
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl_);
  for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    const CRYPTO_BUFFER* each = sk_CRYPTO_BUFFER_value(chain, i);
    out.emplace_back(reinterpret_cast<const char*>(CRYPTO_BUFFER_data(each)),
                     CRYPTO_BUFFER_len(each));
  }
  return out;
}

std::string TlsSession::peer_subject() const {
  if (!peer_verified_) return "";
  const bssl::UniquePtr<X509> leaf = leaf_of(ssl_);
  return leaf != nullptr ? subject_of(leaf.get()) : "";
}

std::vector<std::string> TlsSession::peer_names() const {
  if (!peer_verified_) return {};
  const bssl::UniquePtr<X509> leaf = leaf_of(ssl_);
  return leaf != nullptr ? alternative_names(leaf.get()) : std::vector<std::string>{};
}

std::string TlsSession::client_cert_field() const {
  const std::vector<std::string_view> chain = peer_chain();
  return chain.empty() ? "" : ":" + base64(chain.front()) + ":";
}

std::string TlsSession::client_cert_chain_field() const {
  const std::vector<std::string_view> chain = peer_chain();
  std::string out;
  for (size_t i = 1; i < chain.size(); ++i) {
    if (i > 1) out += ", ";
    out += ":" + base64(chain[i]) + ":";
  }
  return out;
}

}  // namespace weir::net
