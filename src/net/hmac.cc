// SPDX-License-Identifier: Apache-2.0
#include "net/hmac.h"

#include <openssl/sha.h>

#include <cstring>

namespace weir::net {
namespace {

constexpr std::size_t kBlock = SHA256_CBLOCK;

template <class State>
void begin(State& state, const std::array<std::uint8_t, kBlock>& key, std::uint8_t pad) {
  static_assert(sizeof(SHA256_CTX) <= sizeof(State));
  std::array<std::uint8_t, kBlock> block;
  for (std::size_t i = 0; i < kBlock; ++i) block[i] = key[i] ^ pad;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, block.data(), block.size());
  std::memcpy(state.data(), &context, sizeof context);
}

}  // namespace

HmacKey::HmacKey(std::string_view key) {
  std::array<std::uint8_t, kBlock> whole{};
  if (key.size() > kBlock) {
    SHA256(reinterpret_cast<const std::uint8_t*>(key.data()), key.size(), whole.data());
  } else {
    std::memcpy(whole.data(), key.data(), key.size());
  }
  begin(inner_, whole, 0x36);
  begin(outer_, whole, 0x5c);
}

std::array<std::uint8_t, 32> HmacKey::mac(std::string_view message) const {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> out;
  SHA256_CTX context;
  std::memcpy(&context, inner_.data(), sizeof context);
  SHA256_Update(&context, message.data(), message.size());
  SHA256_Final(out.data(), &context);
  std::memcpy(&context, outer_.data(), sizeof context);
  SHA256_Update(&context, out.data(), out.size());
  SHA256_Final(out.data(), &context);
  return out;
}

}  // namespace weir::net
