// SPDX-License-Identifier: Apache-2.0
#include "net/tls_trust.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <utility>

#include "net/tls_failure.h"
#include "net/tls_pem.h"

namespace weir::net {
namespace {

bool expect_name(X509_VERIFY_PARAM* param, const std::string& name) {
  if (X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()) == 1;
}

constexpr TlsTrust::Verdict kUnreadable{false, SSL_AD_BAD_CERTIFICATE,
                                        "certificate cannot be parsed"};

}  // namespace

std::expected<std::shared_ptr<const TlsTrust>, std::string> TlsTrust::load(
    const std::string& file) {
  const auto text = read_pem_file(file);
  if (!text) return std::unexpected(text.error());
  const auto certificates = parse_certificates(*text, file);
  if (!certificates) return std::unexpected(certificates.error());
  std::shared_ptr<TlsTrust> trust(new TlsTrust);
  trust->store_.reset(X509_STORE_new());
  for (const auto& certificate : *certificates) {
    X509_STORE_add_cert(trust->store_.get(), certificate.x509.get());
  }
  X509_STORE_set_flags(trust->store_.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  ERR_clear_error();  // The same certificate twice is none.
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text->data()), text->size(), digest);
  trust->digest_.assign(reinterpret_cast<const char*>(digest), sizeof digest);
  return trust;
}

TlsTrust::Verdict TlsTrust::verify(const STACK_OF(CRYPTO_BUFFER) * chain,
                                   const std::string& server_name) const {
  bssl::UniquePtr<X509> leaf;
  bssl::UniquePtr<STACK_OF(X509)> others(sk_X509_new_null());
  for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    bssl::UniquePtr<X509> each(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i)));
    if (each == nullptr) return kUnreadable;
    if (i == 0) {
      leaf = std::move(each);
    } else if (!bssl::PushToStack(others.get(), std::move(each))) {
      return kUnreadable;
    }
  }
  bssl::UniquePtr<X509_STORE_CTX> check(X509_STORE_CTX_new());
  if (leaf == nullptr ||
      X509_STORE_CTX_init(check.get(), store_.get(), leaf.get(), others.get()) != 1) {
    return kUnreadable;
  }
  const bool of_server = !server_name.empty();
  X509_STORE_CTX_set_default(check.get(), of_server ? "ssl_server" : "ssl_client");
  if (of_server && !expect_name(X509_STORE_CTX_get0_param(check.get()), server_name)) {
    return {false, SSL_AD_INTERNAL_ERROR, "certificate verify failed: bad name to look for"};
  }
  if (X509_verify_cert(check.get()) == 1) return {true, 0, ""};
  const long result = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  return {false, static_cast<uint8_t>(SSL_alert_from_verify_result(result)),
          verify_failure_text(result)};
}

bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> TlsTrust::subjects() const {
  bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> out(sk_CRYPTO_BUFFER_new_null());
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(store_.get());
  for (size_t i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate == nullptr) continue;
    uint8_t* der = nullptr;
    const int size = i2d_X509_NAME(X509_get_subject_name(certificate), &der);
    if (size <= 0) continue;
    const bssl::UniquePtr<uint8_t> owned(der);
    bssl::PushToStack(out.get(), bssl::UniquePtr<CRYPTO_BUFFER>(
                                     CRYPTO_BUFFER_new(der, static_cast<size_t>(size), nullptr)));
  }
  return out;
}

WallTime not_after(const X509* certificate) {
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate)) != 1) {
    return WallTime{};
  }
  return WallTime{std::chrono::hours{24} * int64_t{days} + std::chrono::seconds{seconds}};
}

bool certificate_expired(CRYPTO_BUFFER* certificate) {
  const bssl::UniquePtr<X509> parsed(X509_parse_from_buffer(certificate));
  ERR_clear_error();
  return parsed == nullptr || not_after(parsed.get()) < std::chrono::system_clock::now();
}

}  // namespace weir::net
