// SPDX-License-Identifier: Apache-2.0
// The keys that session tickets are sealed with: the first seals, all open. Either from files, the
// same on every machine of a fleet and exchanged by reload, or made by the process, which then
// makes another by itself from time to time and goes on opening with the one before.
// Private to the tls_*.cc of net/. Any thread: handshakes of all workers come here.
#pragma once

#include <openssl/base.h>
#include <weir/clock.h>

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::net {

class TlsTicketKeys {
 public:
  /// How long a ticket may be used. A key of the process seals for so long and opens for twice.
  static constexpr std::chrono::hours kLifetime{8};

  /// Files as nginx has them: 48 bytes are a name (16), an AES-128 key (16) and an HMAC key (16);
  /// 80 bytes are a name (16), an HMAC key (32) and an AES-256 key (32). The error is a sentence.
  static std::expected<std::shared_ptr<TlsTicketKeys>, std::string> load(
      const std::vector<std::string>& files);
  static std::shared_ptr<TlsTicketKeys> of_process(TimePoint now);
  ~TlsTicketKeys();

  /// What SSL_CTX_set_tlsext_ticket_key_cb asks for; its words.
  int prepare(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac, bool seal);
  /// For tests: the process's keys as if it were that late.
  void rotate(TimePoint now);

 private:
  struct Key {
    std::array<uint8_t, 16> name;
    std::array<uint8_t, 32> hmac;
    std::array<uint8_t, 32> aes;
    uint8_t half = 32;  ///< Bytes of `hmac` and `aes` in use: 16 or 32.
  };

  TlsTicketKeys() = default;
  static std::expected<Key, std::string> load_key(const std::string& file);
  static Key random_key();
  void rotate_locked(TimePoint now);

  std::mutex mutex_;  ///< A full handshake takes a hundred times as long as what it guards.
  std::vector<Key> keys_;
  bool rotates_ = false;
  TimePoint made_{};  ///< The first key, if it rotates.
};

}  // namespace weir::net
