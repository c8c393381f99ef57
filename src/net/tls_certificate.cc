// SPDX-License-Identifier: Apache-2.0
#include "net/tls_certificate.h"

#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/nid.h>

#include <utility>

#include "base/check.h"
#include "net/tls_client_side.h"
#include "net/tls_session.h"
#include "net/tls_trust.h"

namespace weir::net {
namespace {

constexpr std::chrono::days kSoon{30};

// Forward secrecy and AEAD only; AES-128 first, because it is faster and as good. TLS 1.3 suites
// are BoringSSL's own choice.
constexpr const char* kSuites =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

std::string day_of(WallTime time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text;
}

uint16_t algorithm_of(const EVP_PKEY* key) {
  if (EVP_PKEY_id(key) == EVP_PKEY_ED25519) return SSL_SIGN_ED25519;
  if (EVP_PKEY_id(key) != EVP_PKEY_EC) return 0;
  switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)))) {
    case NID_X9_62_prime256v1:
      return SSL_SIGN_ECDSA_SECP256R1_SHA256;
    case NID_secp384r1:
      return SSL_SIGN_ECDSA_SECP384R1_SHA384;
    case NID_secp521r1:
      return SSL_SIGN_ECDSA_SECP521R1_SHA512;
    default:
      return 0;
  }
}

// One setting's findings.
class Report {
 public:
  Report(const CertificateConfig& config, std::string key, TlsFindings& findings)
      : config_(config), key_(std::move(key)), findings_(findings) {}

  std::nullopt_t error(const char* what, std::string message, std::string hint) {
    findings_.push_back({true, config_.location, key_ + what, std::move(message), std::move(hint)});
    return std::nullopt;
  }
  void warn(std::string message) {
    findings_.push_back({false, config_.location, key_ + ".cert", std::move(message),
                         "put a renewed one in its place and reload"});
  }

 private:
  const CertificateConfig& config_;
  const std::string key_;
  TlsFindings& findings_;
};

void warn_of_expiry(const TlsCertificateFacts& facts, WallTime now, Report& report) {
  const std::string what = "the certificate in " + facts.file + " (" + facts.subject + ") ";
  if (facts.not_after < now) {
    report.warn(what + "expired on " + day_of(facts.not_after));
  } else if (facts.not_after - now < kSoon) {
    report.warn(what + "expires on " + day_of(facts.not_after));
  }
}

}  // namespace

std::optional<TlsCertificate> TlsCertificate::load(const CertificateConfig& config,
                                                   const std::string& key, const TlsBuild& build,
                                                   TlsFindings& findings) {
  Report report(config, key, findings);
  const std::string cert_file = build.locate(config.cert);
  const std::string key_file = build.locate(config.key);
  const auto cert_text = read_pem_file(cert_file);
  if (!cert_text) {
    return report.error(".cert", cert_text.error(), "give a PEM file that weir may read");
  }
  auto chain = parse_certificates(*cert_text, cert_file);
  if (!chain) return report.error(".cert", chain.error(), "give the chain as PEM, leaf first");
  auto key_text = read_pem_file(key_file);
  if (!key_text) {
    return report.error(".key", key_text.error(), "give a PEM file that weir may read");
  }
  auto private_key = parse_private_key(*key_text, key_file);
  OPENSSL_cleanse(key_text->data(), key_text->size());
  if (!private_key) {
    return report.error(".key", private_key.error(), "give a PEM key without a passphrase");
  }

  TlsCertificate out;
  out.chain = std::move(*chain);
  out.key = std::move(*private_key);
  const X509* leaf = out.chain.front().x509.get();
  if (X509_check_private_key(const_cast<X509*>(leaf), out.key.get()) != 1) {
    ERR_clear_error();
    return report.error(".key", "the key in " + key_file + " does not match " + cert_file,
                        "give the key that the first certificate in the file was made for");
  }
  out.is_rsa = EVP_PKEY_id(out.key.get()) == EVP_PKEY_RSA;
  out.algorithm = algorithm_of(out.key.get());
  if (!out.is_rsa && out.algorithm == 0) {
    return report.error(".key", "the key in " + key_file + " is of a kind that weir cannot use",
                        "use ECDSA (P-256, P-384, P-521), Ed25519 or RSA");
  }
  out.facts = {config.cert, subject_of(leaf), server_names(leaf), net::not_after(leaf)};
  warn_of_expiry(out.facts, build.now(), report);
  return out;
}

bool TlsCertificate::install(SSL_CTX* context) const {
  std::vector<CRYPTO_BUFFER*> ders;
  for (const PemCertificate& each : chain) ders.push_back(each.der.get());
  const int done = SSL_CTX_set_chain_and_key(context, ders.data(), ders.size(), key.get(), nullptr);
  ERR_clear_error();
  return done == 1;
}

TlsFinding TlsCertificate::unusable(const SourceLocation& location,
                                    const std::string& setting) const {
  return {true, location, setting + ".cert", "the certificate in " + facts.file + " cannot be used",
          "its key usage must allow digital signatures"};
}

bssl::UniquePtr<SSL_CTX> make_tls_context(TlsVersion least) {
  // Certificates stay the bytes they came as: no X509 object for each connection.
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_with_buffers_method()));
  CHECK(context != nullptr);
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, least == TlsVersion::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
  CHECK(SSL_CTX_set_strict_cipher_list(ctx, kSuites) == 1);
  const int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};
  CHECK(SSL_CTX_set1_curves(ctx, groups, std::size(groups)) == 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  return context;
}

std::string alpn_wire(const std::vector<Alpn>& protocols) {
  std::string out;
  for (const Alpn each : protocols) out += each == Alpn::kH2 ? "\x02h2" : "\x08http/1.1";
  return out;
}

enum ssl_verify_result_t TlsCallbacks::verify(SSL* ssl, uint8_t* out_alert) {
  auto* session = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  if (session->trust_ == nullptr) return ssl_verify_ok;
  const TlsTrust::Verdict verdict = session->trust_->verify(
      SSL_get0_peer_certificates(ssl),
      session->client_ != nullptr ? session->client_->verify_name : std::string());
  if (verdict.ok) return ssl_verify_ok;
  *out_alert = verdict.alert;
  session->verify_reason_ = verdict.reason;
  return ssl_verify_invalid;
}

}  // namespace weir::net
