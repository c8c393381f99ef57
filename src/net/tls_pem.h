// SPDX-License-Identifier: Apache-2.0
// PEM files as BoringSSL's objects, or a sentence that names the file and says what is wrong with
// it. Private to the tls_*.cc of net/. Off the loop: files are read.
#pragma once

#include <openssl/pool.h>
#include <openssl/x509.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net {

struct PemCertificate {
  bssl::UniquePtr<X509> x509;
  bssl::UniquePtr<CRYPTO_BUFFER> der;
};

template <typename T>
using PemResult = std::expected<T, std::string>;

PemResult<std::string> read_pem_file(const std::string& file);
/// At least one.
PemResult<std::vector<PemCertificate>> parse_certificates(std::string_view text,
                                                          const std::string& file);
PemResult<bssl::UniquePtr<EVP_PKEY>> parse_private_key(std::string_view text,
                                                       const std::string& file);

/// RFC 2253.
std::string subject_of(const X509* certificate);
/// The SANs with their kind in front: "DNS:a.example", "IP:10.0.0.1", "URI:...", "email:...".
std::vector<std::string> alternative_names(const X509* certificate);
/// What a server with this certificate answers to, lower-case: DNS SANs, or the CN if there is no
/// SAN at all.
std::vector<std::string> server_names(const X509* certificate);

}  // namespace weir::net
