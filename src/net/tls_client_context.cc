// SPDX-License-Identifier: Apache-2.0
#include "net/tls_client_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "net/tls_certificate.h"
#include "net/tls_client_side.h"
#include "net/tls_trust.h"

namespace weir::net {

struct TlsClientContext::Parts {
  bssl::UniquePtr<SSL_CTX> context;
  std::string name;                       ///< Sent and verified; empty: the endpoint's.
  std::shared_ptr<const TlsTrust> trust;  ///< Null: nothing is verified.
  std::string terms;                      ///< Under which a session may be resumed.
};

namespace {

std::vector<Alpn> protocols(UpstreamProtocol protocol) {
  switch (protocol) {
    case UpstreamProtocol::kHttp1:
      return {Alpn::kHttp11};
    case UpstreamProtocol::kHttp2:
      return {Alpn::kH2};
    case UpstreamProtocol::kAuto:
      break;
  }
  return {Alpn::kH2, Alpn::kHttp11};
}

bool is_address(const std::string& name) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

// "a.example:8443" is a.example, "[::1]:8443" is ::1.
std::string without_port(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  const size_t colon = host.find(':');
  // A bare IPv6 address has several.
  if (colon != host.rfind(':')) return std::string(host);
  return std::string(host.substr(0, colon));
}

std::string digest_of(const CRYPTO_BUFFER* certificate) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(CRYPTO_BUFFER_data(certificate), CRYPTO_BUFFER_len(certificate), digest);
  return {reinterpret_cast<const char*>(digest), sizeof digest};
}

}  // namespace

TlsSessionCache::TlsSessionCache() = default;
TlsSessionCache::TlsSessionCache(TlsSessionCache&&) noexcept = default;
TlsSessionCache& TlsSessionCache::operator=(TlsSessionCache&&) noexcept = default;
TlsSessionCache::~TlsSessionCache() = default;

TlsClientContext::TlsClientContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

TlsClientContext::~TlsClientContext() = default;

std::shared_ptr<const TlsClientContext> TlsClientContext::build(const ClusterTlsConfig& config,
                                                                UpstreamProtocol protocol,
                                                                TlsBuild& build,
                                                                TlsFindings& findings) {
  auto parts = std::make_unique<Parts>();
  parts->context = make_tls_context(TlsVersion::kTls12);
  parts->name = config.sni;
  SSL_CTX* ctx = parts->context.get();
  bool failed = false;
  if (config.verify) {
    const TlsBuild::Trusted& trusted = build.trust(config.ca);
    if (trusted.trust == nullptr) {
      findings.push_back({true, config.location, "tls.ca", trusted.error,
                          config.ca.empty() ? "install ca-certificates, or name a PEM file" : ""});
      failed = true;
    } else {
      parts->trust = trusted.trust;
      parts->terms = "verified " + trusted.trust->digest();
    }
  }
  // Without a callback BoringSSL would refuse every certificate.
  SSL_CTX_set_custom_verify(ctx, config.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                            TlsCallbacks::verify);
  if (config.client_cert) {
    const auto certificate =
        TlsCertificate::load(*config.client_cert, "tls.client_cert", build, findings);
    failed = failed || !certificate;
    if (certificate && !certificate->install(ctx)) {
      findings.push_back(certificate->unusable(config.client_cert->location, "tls.client_cert"));
      failed = true;
    }
    if (certificate) parts->terms += " as " + digest_of(certificate->chain.front().der.get());
  }
  if (failed) return nullptr;
  const std::string alpn = alpn_wire(protocols(protocol));
  parts->terms += " speaks " + alpn;
  SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const uint8_t*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, TlsCallbacks::new_session);
  return std::shared_ptr<const TlsClientContext>(new TlsClientContext(std::move(parts)));
}

std::unique_ptr<TlsSession> TlsClientContext::new_session(std::string_view host,
                                                          TlsSessionCache& cache) const {
  SSL* ssl = SSL_new(parts_->context.get());
  CHECK(ssl != nullptr);
  SSL_set_connect_state(ssl);
  std::unique_ptr<TlsSession> session(new TlsSession(ssl, shared_from_this()));
  session->trust_ = parts_->trust.get();
  if (cache.slot_ == nullptr) cache.slot_ = std::make_shared<TlsSessionSlot>();
  auto side = std::make_unique<TlsClientSide>();
  side->verify_name = parts_->name.empty() ? without_port(host) : parts_->name;
  side->terms = parts_->terms + " with " + side->verify_name;
  side->slot = cache.slot_;
  // SNI knows names only (RFC 6066, 3).
  if (!is_address(side->verify_name)) SSL_set_tlsext_host_name(ssl, side->verify_name.c_str());
  TlsSessionSlot& slot = *cache.slot_;
  if (slot.session != nullptr && slot.terms == side->terms &&
      (parts_->trust == nullptr || std::chrono::system_clock::now() < slot.not_after)) {
    SSL_set_session(ssl, slot.session.get());
    // A ticket of TLS 1.3 is used once (RFC 8446, C.4); the connection brings another.
    if (SSL_SESSION_should_be_single_use(slot.session.get()) != 0) slot.session.reset();
  }
  ERR_clear_error();
  session->client_ = std::move(side);
  return session;
}

// Takes the session over: 1.
int TlsCallbacks::new_session(SSL* ssl, SSL_SESSION* session) {
  const TlsClientSide& side = *static_cast<const TlsSession*>(SSL_get_app_data(ssl))->client_;
  side.slot->session.reset(session);
  side.slot->terms = side.terms;
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_SESSION_get0_peer_certificates(session);
  side.slot->not_after = WallTime{};
  if (chain != nullptr && sk_CRYPTO_BUFFER_num(chain) > 0) {
    const bssl::UniquePtr<X509> leaf(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, 0)));
    if (leaf != nullptr) side.slot->not_after = not_after(leaf.get());
  }
  return 1;
}

}  // namespace weir::net
