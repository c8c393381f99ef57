// SPDX-License-Identifier: Apache-2.0
#include "support/mint.h"

#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weir::test {
namespace {

bssl::UniquePtr<EVP_PKEY> ec_key() {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  EC_KEY_generate_key(ec.get());
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  EVP_PKEY_set1_EC_KEY(key.get(), ec.get());
  return key;
}

// One for all: making it takes as long as all other tests together.
bssl::UniquePtr<EVP_PKEY> rsa_key() {
  static const bssl::UniquePtr<EVP_PKEY> made = [] {
    bssl::UniquePtr<BIGNUM> e(BN_new());
    BN_set_word(e.get(), RSA_F4);
    bssl::UniquePtr<RSA> rsa(RSA_new());
    RSA_generate_key_ex(rsa.get(), 2048, e.get(), nullptr);
    bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
    EVP_PKEY_set1_RSA(key.get(), rsa.get());
    return key;
  }();
  return bssl::UpRef(made);
}

template <typename Write>
std::string pem_of(Write write) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  write(bio.get());
  const uint8_t* text = nullptr;
  size_t size = 0;
  BIO_mem_contents(bio.get(), &text, &size);
  return {reinterpret_cast<const char*>(text), size};
}

std::string pem_of(X509* certificate) {
  return pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

void set_name(X509_NAME* name, const std::string& cn) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const uint8_t*>(cn.c_str()), -1, -1, 0);
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value.c_str()));
  if (extension == nullptr) std::abort();
  X509_add_ext(certificate, extension.get(), -1);
}

bssl::UniquePtr<X509> unsigned_certificate(const std::string& cn, EVP_PKEY* key) {
  static long serial = 1;
  bssl::UniquePtr<X509> out(X509_new());
  X509_set_version(out.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial++);
  set_name(X509_get_subject_name(out.get()), cn);
  X509_set_pubkey(out.get(), key);
  return out;
}

void set_times(X509* certificate, std::chrono::seconds from, std::chrono::seconds to) {
  X509_gmtime_adj(X509_getm_notBefore(certificate), from.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), to.count());
}

}  // namespace

struct Authority::Own {
  bssl::UniquePtr<EVP_PKEY> key;
  bssl::UniquePtr<X509> certificate;
};

Authority::Authority(const std::string& cn) : own_(std::make_unique<Own>()) {
  own_->key = ec_key();
  own_->certificate = unsigned_certificate(cn, own_->key.get());
  X509* certificate = own_->certificate.get();
  set_name(X509_get_issuer_name(certificate), cn);
  set_times(certificate, std::chrono::hours(-1), std::chrono::hours(24 * 365));
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate, own_->key.get(), EVP_sha256());
  pem_ = pem_of(certificate);
}

Authority::~Authority() = default;

Minted Authority::issue(const Leaf& leaf) const {
  const bssl::UniquePtr<EVP_PKEY> key = leaf.rsa ? rsa_key() : ec_key();
  const bssl::UniquePtr<X509> made = unsigned_certificate(leaf.cn, key.get());
  X509* certificate = made.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(own_->certificate.get()));
  set_times(certificate, leaf.from, leaf.to);
  std::string names;
  for (const std::string& name : leaf.names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) add_extension(certificate, NID_subject_alt_name, names);
  add_extension(certificate, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate, NID_ext_key_usage, leaf.for_client ? "clientAuth" : "serverAuth");
  X509_sign(certificate, own_->key.get(), EVP_sha256());
  return {pem_of(certificate), pem_of([&](BIO* bio) {
            PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(const std::string& name, const std::string& content) const {
  const std::string file = path_ + "/" + name;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
  return file;
}

}  // namespace weir::test
