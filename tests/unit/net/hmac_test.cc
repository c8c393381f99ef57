// SPDX-License-Identifier: Apache-2.0
#include "net/hmac.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::net {
namespace {

std::string hex(const std::array<std::uint8_t, 32>& mac) {
  std::string out;
  for (const std::uint8_t byte : mac) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
TEST(Hmac, IsThatOfTheRfc) {
  EXPECT_EQ(hex(HmacKey(std::string(20, '\x0b')).mac("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(HmacKey("Jefe").mac("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(HmacKey(std::string(131, '\xaa'))
                    .mac("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, KeyIsUsedOverAndOver) {
  const HmacKey key("secret");
  const auto first = key.mac("a");
  EXPECT_NE(first, key.mac("b"));
  EXPECT_EQ(first, key.mac("a"));
}

}  // namespace
}  // namespace weir::net
