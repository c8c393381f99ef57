// SPDX-License-Identifier: Apache-2.0
#include "net/tls_ticket_keys.h"

#include <openssl/cipher.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "net/tls_files.h"
#include "net/tls_pem.h"

namespace weir::net {
namespace {

constexpr size_t kShortFile = 48;
constexpr size_t kLongFile = 80;

// Words of the callback.
constexpr int kFailed = -1, kUnknown = 0, kFine = 1, kFineButRenew = 2;

}  // namespace

std::expected<TlsTicketKeys::Key, std::string> TlsTicketKeys::load_key(const std::string& file) {
  auto bytes = read_pem_file(file);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() != kShortFile && bytes->size() != kLongFile) {
    return std::unexpected("the ticket key " + file + " has " + std::to_string(bytes->size()) +
                           " bytes, not 48 or 80");
  }
  Key key;
  const char* at = bytes->data();
  std::memcpy(key.name.data(), at, key.name.size());
  at += key.name.size();
  if (bytes->size() == kShortFile) {
    key.half = 16;
    std::memcpy(key.aes.data(), at, 16);
    std::memcpy(key.hmac.data(), at + 16, 16);
  } else {
    std::memcpy(key.hmac.data(), at, 32);
    std::memcpy(key.aes.data(), at + 32, 32);
  }
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return key;
}

std::expected<std::shared_ptr<TlsTicketKeys>, std::string> TlsTicketKeys::load(
    const std::vector<std::string>& files) {
  std::shared_ptr<TlsTicketKeys> out(new TlsTicketKeys);
  for (const std::string& file : files) {
    auto key = load_key(file);
    if (!key) return std::unexpected(std::move(key.error()));
    out->keys_.push_back(*key);
  }
  return out;
}

std::shared_ptr<TlsTicketKeys> TlsTicketKeys::of_process(TimePoint now) {
  std::shared_ptr<TlsTicketKeys> out(new TlsTicketKeys);
  out->keys_.push_back(random_key());
  out->rotates_ = true;
  out->made_ = now;
  return out;
}

std::shared_ptr<TlsTicketKeys> make_process_ticket_keys() {
  return TlsTicketKeys::of_process(std::chrono::steady_clock::now());
}

TlsTicketKeys::~TlsTicketKeys() {
  for (Key& key : keys_) OPENSSL_cleanse(&key, sizeof key);
}

TlsTicketKeys::Key TlsTicketKeys::random_key() {
  Key key;
  RAND_bytes(key.name.data(), key.name.size());
  RAND_bytes(key.hmac.data(), key.hmac.size());
  RAND_bytes(key.aes.data(), key.aes.size());
  return key;
}

void TlsTicketKeys::rotate(TimePoint now) {
  const std::lock_guard lock(mutex_);
  rotate_locked(now);
}

void TlsTicketKeys::rotate_locked(TimePoint now) {
  if (!rotates_ || now - made_ < kLifetime) return;
  // After two lifetimes nobody has used it: what it sealed is too old as well.
  const bool keep_old = now - made_ < 2 * kLifetime;
  const Key old = keys_.front();
  keys_.assign(1, random_key());
  if (keep_old) keys_.push_back(old);
  made_ = now;
}

int TlsTicketKeys::prepare(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac,
                           bool seal) {
  const std::lock_guard lock(mutex_);
  rotate_locked(std::chrono::steady_clock::now());
  auto key = keys_.begin();
  if (seal) {
    std::memcpy(name, key->name.data(), key->name.size());
    RAND_bytes(iv, EVP_MAX_IV_LENGTH);
  } else {
    key = std::find_if(keys_.begin(), keys_.end(), [name](const Key& each) {
      return std::memcmp(each.name.data(), name, each.name.size()) == 0;
    });
    if (key == keys_.end()) return kUnknown;
  }
  const EVP_CIPHER* kind = key->half == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
  if (HMAC_Init_ex(hmac, key->hmac.data(), key->half, EVP_sha256(), nullptr) != 1) return kFailed;
  if (EVP_CipherInit_ex(cipher, kind, nullptr, key->aes.data(), iv, seal ? 1 : 0) != 1) {
    return kFailed;
  }
  return seal || key == keys_.begin() ? kFine : kFineButRenew;
}

}  // namespace weir::net
