// SPDX-License-Identifier: Apache-2.0
#include "net/tls_server_context.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/tls_certificate.h"
#include "net/tls_ticket_keys.h"
#include "net/tls_trust.h"

namespace weir::net {

struct TlsServerContext::Parts {
  struct Certificate {
    bssl::UniquePtr<SSL_CTX> context;
    bool is_rsa = false;
    uint16_t algorithm = 0;
  };
  /// Those for one name; null where there is none of the kind.
  struct Pair {
    const Certificate* other = nullptr;  ///< Not RSA: cheaper, so preferred.
    const Certificate* rsa = nullptr;
  };

  const Pair& find(std::string_view name) const;
  void add(const std::vector<TlsCertificate>& loaded, TlsVersion min_version);

  std::vector<Certificate> certificates;
  std::vector<TlsCertificateFacts> facts;
  std::map<std::string, Pair, std::less<>> by_name;  ///< Lower-case; "*.example.com" as it stands.
  Pair fallback;
  std::string terms;  ///< Under which a session may be resumed, but for the name.
  std::string alpn;   ///< As in the handshake, in the order of preference.
  std::shared_ptr<TlsTicketKeys> ticket_keys;  ///< Null: no tickets.
  std::shared_ptr<const TlsTrust> client_ca;   ///< Null: clients show no certificate.
};

namespace {

// Whether a list of 16-bit values with its length in front, as extensions have them, holds `value`.
bool lists(CBS extension, uint16_t value) {
  CBS list;
  uint16_t each = 0;
  if (CBS_get_u16_length_prefixed(&extension, &list) == 0) return false;
  while (CBS_get_u16(&list, &each) != 0) {
    if (each == value) return true;
  }
  return false;
}

std::optional<CBS> extension(const SSL_CLIENT_HELLO* hello, uint16_t type) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (SSL_early_callback_ctx_extension_get(hello, type, &data, &size) == 0) return std::nullopt;
  CBS out;
  CBS_init(&out, data, size);
  return out;
}

// In TLS 1.2 the suite names the kind of certificate as well; in 1.3 it does not.
bool offers_ecdsa_suite(const SSL_CLIENT_HELLO* hello) {
  CBS suites;
  uint16_t id = 0;
  CBS_init(&suites, hello->cipher_suites, hello->cipher_suites_len);
  while (CBS_get_u16(&suites, &id) != 0) {
    const SSL_CIPHER* suite = SSL_get_cipher_by_value(id);
    if (suite == nullptr) continue;
    const int auth = SSL_CIPHER_get_auth_nid(suite);
    if (auth == NID_auth_ecdsa || auth == NID_auth_any) return true;
  }
  return false;
}

bool can_verify(const SSL_CLIENT_HELLO* hello, uint16_t algorithm) {
  const auto algorithms = extension(hello, TLSEXT_TYPE_signature_algorithms);
  return algorithms && lists(*algorithms, algorithm) && offers_ecdsa_suite(hello);
}

std::string lower(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// Sessions are resumed only where these are the same, and the name: a ticket that was given when
// another CA vouched for the client, or none was asked to, is not taken.
std::string session_terms(const ListenerTlsConfig& config, const TlsTrust* client_ca) {
  std::string terms = "client auth " + std::to_string(static_cast<int>(config.client_auth));
  if (client_ca != nullptr) terms += client_ca->digest();
  return terms + " to ";
}

// RFC 6066, 3: nor is one that was given to who asked for another name.
void set_session_context(SSL* ssl, const std::string& terms) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(terms.data()), terms.size(), digest);
  SSL_set_session_id_context(ssl, digest, sizeof digest);
}

// Builds what the certificates share; findings as they come.
class Builder {
 public:
  Builder(const ListenerTlsConfig& config, TlsBuild& build, TlsFindings& findings)
      : config_(config), build_(build), findings_(findings) {}

  std::shared_ptr<const TlsTrust> client_ca() {
    if (config_.client_auth == ClientAuth::kNone) return nullptr;
    if (config_.client_ca.empty()) {
      error(config_.location, "tls.client_ca", "client_auth needs a client_ca");
      return nullptr;
    }
    const TlsBuild::Trusted& trusted = build_.trust(config_.client_ca);
    if (trusted.trust == nullptr) error(config_.location, "tls.client_ca", trusted.error);
    return trusted.trust;
  }

  std::shared_ptr<TlsTicketKeys> ticket_keys() {
    const SessionTicketsConfig& tickets = config_.session_tickets;
    if (!tickets.enabled) return nullptr;
    if (tickets.key_files.empty()) return build_.process_keys();
    std::vector<std::string> files;
    for (const std::string& file : tickets.key_files) files.push_back(build_.locate(file));
    auto keys = TlsTicketKeys::load(files);
    if (keys) return std::move(*keys);
    error(tickets.location, "tls.session_tickets.key_files", keys.error());
    return nullptr;
  }

  std::vector<TlsCertificate> certificates() {
    std::vector<TlsCertificate> out;
    for (size_t i = 0; i < config_.certificates.size(); ++i) {
      auto each = TlsCertificate::load(config_.certificates[i], setting(i), build_, findings_);
      if (each) out.push_back(std::move(*each));
    }
    return out;
  }

  std::string setting(size_t i) const {
    return "tls.certificates[" + config_.certificates[i].cert + "]";
  }
  void error(const SourceLocation& at, const char* key, std::string message) {
    findings_.push_back({true, at, key, std::move(message), ""});
  }

 private:
  const ListenerTlsConfig& config_;
  TlsBuild& build_;
  TlsFindings& findings_;
};

void ask_for_certificates(SSL_CTX* ctx, ClientAuth auth, const TlsTrust& trust) {
  int mode = SSL_VERIFY_PEER;
  if (auth == ClientAuth::kRequired) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_custom_verify(ctx, mode, TlsCallbacks::verify);
  SSL_CTX_set0_client_CAs(ctx, trust.subjects().release());
}

void set_tickets(SSL_CTX* ctx, bool enabled) {
  const uint32_t lifetime =
      static_cast<uint32_t>(std::chrono::seconds(TlsTicketKeys::kLifetime).count());
  SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | (enabled ? 0 : SSL_OP_NO_TICKET));
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_tlsext_ticket_key_cb(ctx, TlsCallbacks::ticket_key);
  SSL_CTX_set_timeout(ctx, lifetime);
  SSL_CTX_set_session_psk_dhe_timeout(ctx, lifetime);
}

}  // namespace

const TlsServerContext::Parts::Pair& TlsServerContext::Parts::find(std::string_view name) const {
  if (name.empty()) return fallback;
  const std::string key = lower(name);
  auto found = by_name.find(key);
  if (found == by_name.end()) {
    const size_t dot = key.find('.');
    if (dot == std::string::npos) return fallback;
    found = by_name.find("*" + key.substr(dot));
  }
  return found != by_name.end() ? found->second : fallback;
}

void TlsServerContext::Parts::add(const std::vector<TlsCertificate>& loaded,
                                  TlsVersion min_version) {
  for (const TlsCertificate& each : loaded) {
    certificates.push_back({make_tls_context(min_version), each.is_rsa, each.algorithm});
    facts.push_back(each.facts);
  }
  const auto take = [](Pair& pair, const Certificate& certificate) {
    const Certificate*& place = certificate.is_rsa ? pair.rsa : pair.other;
    if (place == nullptr) place = &certificate;
  };
  for (size_t i = 0; i < loaded.size(); ++i) {
    for (const std::string& name : facts[i].names) take(by_name[name], certificates[i]);
  }
  take(fallback, certificates.front());
  // The other kind of the first certificate, if one of its names has one.
  for (const std::string& name : facts.front().names) {
    const Pair& pair = by_name[name];
    if (fallback.rsa == nullptr) fallback.rsa = pair.rsa;
    if (fallback.other == nullptr) fallback.other = pair.other;
  }
}

TlsServerContext::TlsServerContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

TlsServerContext::~TlsServerContext() = default;

std::shared_ptr<const TlsServerContext> TlsServerContext::build(const ListenerTlsConfig& config,
                                                                TlsBuild& build,
                                                                TlsFindings& findings) {
  const size_t before = findings.size();
  Builder builder(config, build, findings);
  auto parts = std::make_unique<Parts>();
  parts->alpn = alpn_wire(config.alpn);
  parts->client_ca = builder.client_ca();
  parts->ticket_keys = builder.ticket_keys();
  const std::vector<TlsCertificate> loaded = builder.certificates();
  if (loaded.empty() && findings.size() == before) {
    builder.error(config.location, "tls.certificates", "a TLS listener needs a certificate");
  }
  if (has_errors({findings.begin() + static_cast<std::ptrdiff_t>(before), findings.end()})) {
    return nullptr;
  }

  parts->add(loaded, config.min_version);
  parts->terms = session_terms(config, parts->client_ca.get());
  for (size_t i = 0; i < loaded.size(); ++i) {
    SSL_CTX* ctx = parts->certificates[i].context.get();
    if (!loaded[i].install(ctx)) {
      findings.push_back(loaded[i].unusable(config.certificates[i].location, builder.setting(i)));
      return nullptr;
    }
    set_tickets(ctx, parts->ticket_keys != nullptr);
    SSL_CTX_set_alpn_select_cb(ctx, TlsCallbacks::select_alpn, parts.get());
    SSL_CTX_set_select_certificate_cb(ctx, TlsCallbacks::select_certificate);
    if (parts->client_ca) ask_for_certificates(ctx, config.client_auth, *parts->client_ca);
  }
  return std::shared_ptr<const TlsServerContext>(new TlsServerContext(std::move(parts)));
}

std::unique_ptr<TlsSession> TlsServerContext::new_session() const {
  SSL* ssl = SSL_new(parts_->certificates.front().context.get());
  CHECK(ssl != nullptr);
  SSL_set_accept_state(ssl);
  std::unique_ptr<TlsSession> session(new TlsSession(ssl, shared_from_this()));
  session->trust_ = parts_->client_ca.get();
  return session;
}

std::span<const TlsCertificateFacts> TlsServerContext::certificates() const {
  return parts_->facts;
}

enum ssl_select_cert_result_t TlsCallbacks::select_certificate(const SSL_CLIENT_HELLO* hello) {
  const auto* session = static_cast<const TlsSession*>(SSL_get_app_data(hello->ssl));
  const auto* context = static_cast<const TlsServerContext*>(session->context_.get());
  const auto& pair = context->parts_->find(session->sni());
  const auto* choice = pair.other;
  if (choice == nullptr || (pair.rsa != nullptr && !can_verify(hello, choice->algorithm))) {
    choice = pair.rsa;
  }
  SSL_set_SSL_CTX(hello->ssl, choice->context.get());
  set_session_context(hello->ssl, context->parts_->terms + lower(session->sni()));
  return ssl_select_cert_success;
}

// The server's order counts (RFC 7301, 3.2 leaves it to the server).
int TlsCallbacks::select_alpn(SSL*, const uint8_t** out, uint8_t* out_size, const uint8_t* offered,
                              unsigned offered_size, void* arg) {
  const std::string& wanted = static_cast<const TlsServerContext::Parts*>(arg)->alpn;
  const int result = SSL_select_next_proto(
      const_cast<uint8_t**>(out), out_size, reinterpret_cast<const uint8_t*>(wanted.data()),
      static_cast<unsigned>(wanted.size()), offered, offered_size);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsCallbacks::ticket_key(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher,
                             HMAC_CTX* hmac, int seal) {
  const auto* session = static_cast<const TlsSession*>(SSL_get_app_data(ssl));
  const auto* context = static_cast<const TlsServerContext*>(session->context_.get());
  if (context->parts_->ticket_keys == nullptr) return 0;
  return context->parts_->ticket_keys->prepare(name, iv, cipher, hmac, seal != 0);
}

}  // namespace weir::net
