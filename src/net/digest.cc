// SPDX-License-Identifier: Apache-2.0
#include "net/digest.h"

#include <openssl/base64.h>
#include <openssl/sha.h>

namespace weir::net {
namespace {

const uint8_t* octets(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

}  // namespace

std::array<uint8_t, 20> sha1(std::string_view bytes) {
  std::array<uint8_t, SHA_DIGEST_LENGTH> out;
  SHA1(octets(bytes), bytes.size(), out.data());
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // And the NUL that is written after.
  out.resize(EVP_EncodeBlock(reinterpret_cast<uint8_t*>(out.data()), octets(bytes), bytes.size()));
  return out;
}

std::string websocket_accept(std::string_view key) {
  const auto digest = sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace weir::net
