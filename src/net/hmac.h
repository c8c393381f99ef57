// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 (RFC 2104) with a key that is used over and over: the two blocks that the key fills
// are hashed once, and a MAC allocates nothing. Immutable; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::net {

class HmacKey {
 public:
  explicit HmacKey(std::string_view key);

  std::array<std::uint8_t, 32> mac(std::string_view message) const;

 private:
  using State = std::array<std::byte, 128>;  ///< Holds a SHA256_CTX.
  alignas(16) State inner_{};
  alignas(16) State outer_{};
};

}  // namespace weir::net
