// SPDX-License-Identifier: Apache-2.0
#include "net/tls_pem.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "net/address.h"

namespace weir::net {
namespace {

// Every public CA of the world is 0.3 MiB.
constexpr size_t kMostBytes = 16 * 1024 * 1024;

bssl::UniquePtr<BIO> bio_of(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

struct Pem {
  char* name = nullptr;
  char* header = nullptr;
  uint8_t* data = nullptr;
  long size = 0;

  ~Pem() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
};

bool is_certificate(std::string_view name) {
  return name == PEM_STRING_X509 || name == PEM_STRING_X509_OLD || name == PEM_STRING_X509_TRUSTED;
}

// Nobody is there to type one.
int no_passphrase(char*, int, int, void*) { return 0; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

std::string ip_of(std::string_view octets) {
  if (octets.size() != 4 && octets.size() != 16) return "";
  IpAddress ip;
  ip.is_v6 = octets.size() == 16;
  std::memcpy(ip.bytes.data(), octets.data(), octets.size());
  return ip_to_string(ip);
}

std::string alternative_name(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
      return "DNS:" + std::string(text_of(name.d.dNSName));
    case GEN_URI:
      return "URI:" + std::string(text_of(name.d.uniformResourceIdentifier));
    case GEN_EMAIL:
      return "email:" + std::string(text_of(name.d.rfc822Name));
    case GEN_IPADD:
      return "IP:" + ip_of(text_of(name.d.iPAddress));
    default:
      return "";
  }
}

std::string common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return "";
  return std::string(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

}  // namespace

PemResult<std::string> read_pem_file(const std::string& file) {
  const auto failed = [&file] {
    return std::unexpected("cannot read " + file + ": " + ::strerror(errno));
  };
  const std::unique_ptr<FILE, int (*)(FILE*)> in(std::fopen(file.c_str(), "re"), std::fclose);
  if (in == nullptr) return failed();
  std::string text;
  char buffer[16 * 1024];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, in.get())) {
    text.append(buffer, n);
    if (text.size() > kMostBytes) return std::unexpected(file + " is too large for a PEM file");
  }
  if (std::ferror(in.get()) != 0) return failed();
  return text;
}

PemResult<std::vector<PemCertificate>> parse_certificates(std::string_view text,
                                                          const std::string& file) {
  std::vector<PemCertificate> out;
  const bssl::UniquePtr<BIO> bio = bio_of(text);
  while (true) {
    Pem pem;
    if (PEM_read_bio(bio.get(), &pem.name, &pem.header, &pem.data, &pem.size) != 1) break;
    if (!is_certificate(pem.name)) continue;
    PemCertificate& each = out.emplace_back();
    each.der.reset(CRYPTO_BUFFER_new(pem.data, static_cast<size_t>(pem.size), nullptr));
    each.x509.reset(X509_parse_from_buffer(each.der.get()));
    if (each.x509 == nullptr) {
      ERR_clear_error();
      return std::unexpected("certificate " + std::to_string(out.size()) + " in " + file +
                             " cannot be parsed");
    }
  }
  const bool clean_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!clean_end) return std::unexpected(file + " is not whole: a PEM block in it is broken");
  if (out.empty()) return std::unexpected("there is no PEM certificate in " + file);
  return out;
}

PemResult<bssl::UniquePtr<EVP_PKEY>> parse_private_key(std::string_view text,
                                                       const std::string& file) {
  const bssl::UniquePtr<BIO> bio = bio_of(text);
  bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (text.contains("ENCRYPTED"))
    return std::unexpected("the private key in " + file + " is encrypted");
  return std::unexpected("there is no PEM private key in " + file);
}

std::string subject_of(const X509* certificate) {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  const uint8_t* text = nullptr;
  size_t size = 0;
  if (BIO_mem_contents(bio.get(), &text, &size) != 1) return "";
  return {reinterpret_cast<const char*>(text), size};
}

std::vector<std::string> alternative_names(const X509* certificate) {
  std::vector<std::string> out;
  const bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (size_t i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string name = alternative_name(*sk_GENERAL_NAME_value(names.get(), i));
    // A NUL in a name was an attack once, and is none that anybody wants.
    if (!name.empty() && name.find('\0') == std::string::npos) out.push_back(std::move(name));
  }
  return out;
}

std::vector<std::string> server_names(const X509* certificate) {
  std::vector<std::string> out;
  const std::vector<std::string> all = alternative_names(certificate);
  for (const std::string& name : all) {
    if (name.starts_with("DNS:")) out.push_back(lower(name.substr(4)));
  }
  if (all.empty()) {
    if (std::string name = lower(common_name(certificate)); !name.empty()) out.push_back(name);
  }
  return out;
}

}  // namespace weir::net
