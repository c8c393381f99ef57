// SPDX-License-Identifier: Apache-2.0
#include "net/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

namespace weir::net {
namespace {

struct Row {
  int code;
  TlsFailure failure;
  const char* reason;
};

constexpr auto kReasons = std::to_array<Row>({
    {SSL_R_HTTP_REQUEST, TlsFailure::kNotTls, "plain HTTP on a TLS port"},
    {SSL_R_HTTPS_PROXY_REQUEST, TlsFailure::kNotTls, "plain HTTP CONNECT on a TLS port"},
    {SSL_R_WRONG_VERSION_NUMBER, TlsFailure::kNotTls, "not TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, TlsFailure::kVersion, "no TLS version in common"},
    {SSL_R_UNKNOWN_PROTOCOL, TlsFailure::kVersion, "no TLS version in common"},
    {SSL_R_INAPPROPRIATE_FALLBACK, TlsFailure::kVersion, "needless fallback to an older version"},
    {SSL_R_NO_SHARED_CIPHER, TlsFailure::kCipher, "no shared cipher"},
    {SSL_R_NO_SHARED_GROUP, TlsFailure::kCipher, "no shared key exchange group"},
    {SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS, TlsFailure::kCipher, "no shared signature algorithm"},
    {SSL_R_WRONG_CIPHER_RETURNED, TlsFailure::kCipher, "no shared cipher"},
    {SSL_R_NO_APPLICATION_PROTOCOL, TlsFailure::kAlpn, "no application protocol in common"},
    {SSL_R_INVALID_ALPN_PROTOCOL, TlsFailure::kAlpn, "application protocol that was not offered"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TlsFailure::kNoCertificate, "no client certificate"},
    {SSL_R_CANNOT_PARSE_LEAF_CERT, TlsFailure::kCertificate, "certificate cannot be parsed"},
    {SSL_R_KEY_USAGE_BIT_INCORRECT, TlsFailure::kCertificate,
     "certificate verify failed: key usage"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, TlsFailure::kAlert, "peer alert: handshake failure"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TlsFailure::kAlert, "peer alert: protocol version"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, TlsFailure::kAlert, "peer alert: unknown CA"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TlsFailure::kAlert, "peer alert: bad certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TlsFailure::kAlert, "peer alert: certificate expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, TlsFailure::kAlert, "peer alert: certificate revoked"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, TlsFailure::kAlert, "peer alert: certificate unknown"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, TlsFailure::kAlert,
     "peer alert: unsupported certificate"},
    {SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED, TlsFailure::kAlert,
     "peer alert: certificate required"},
    {SSL_R_TLSV1_ALERT_UNRECOGNIZED_NAME, TlsFailure::kAlert, "peer alert: unrecognized name"},
    {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, TlsFailure::kAlert,
     "peer alert: no application protocol"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, TlsFailure::kAlert, "peer alert: access denied"},
    {SSL_R_TLSV1_ALERT_INTERNAL_ERROR, TlsFailure::kAlert, "peer alert: internal error"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, TlsFailure::kAlert, "peer alert: decrypt error"},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, TlsFailure::kAlert,
     "peer alert: insufficient security"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, TlsFailure::kProtocol, "bad record MAC"},
});

// BoringSSL gives every alert of the peer the code 1000 + alert (RFC 8446, 6).
constexpr int kFirstAlert = SSL_R_SSLV3_ALERT_CLOSE_NOTIFY;

struct VerifyRow {
  long code;
  const char* reason;
};

constexpr auto kVerifyReasons = std::to_array<VerifyRow>({
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate verify failed: expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate verify failed: not yet valid"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "certificate verify failed: wrong name"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate verify failed: wrong address"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate verify failed: unknown CA"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate verify failed: unknown CA"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate verify failed: unknown CA"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate verify failed: unknown CA"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate verify failed: self-signed"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate verify failed: bad signature"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate verify failed: not meant for this use"},
    {X509_V_ERR_INVALID_CA, "certificate verify failed: issuer is no CA"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "certificate verify failed: chain too long"},
});

}  // namespace

std::string_view tls_failure_word(TlsFailure failure) {
  static constexpr std::array<std::string_view, static_cast<size_t>(TlsFailure::kCount)> kWords{
      "",      "not_tls", "version", "cipher",  "alpn", "no_certificate", "certificate",
      "alert", "closed",  "timeout", "protocol"};
  return kWords[static_cast<size_t>(failure)];
}

TlsDiagnosis diagnose(uint32_t packed, const char* verify_reason) {
  if (*verify_reason != '\0') return {TlsFailure::kCertificate, verify_reason};
  if (ERR_GET_LIB(packed) != ERR_LIB_SSL) return {TlsFailure::kProtocol, "TLS protocol error"};
  const int code = ERR_GET_REASON(packed);
  const auto row =
      std::find_if(kReasons.begin(), kReasons.end(), [&](const Row& r) { return r.code == code; });
  if (row != kReasons.end()) return {row->failure, row->reason};
  if (code >= kFirstAlert) return {TlsFailure::kAlert, "peer alert"};
  const char* text = ERR_reason_error_string(packed);
  return {TlsFailure::kProtocol, text != nullptr ? text : "TLS protocol error"};
}

const char* verify_failure_text(long result) {
  const auto row = std::find_if(kVerifyReasons.begin(), kVerifyReasons.end(),
                                [&](const VerifyRow& r) { return r.code == result; });
  return row != kVerifyReasons.end() ? row->reason : "certificate verify failed";
}

}  // namespace weir::net
