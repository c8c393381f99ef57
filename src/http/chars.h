// SPDX-License-Identifier: Apache-2.0
// Character classes of RFC 9110 and RFC 3986 as one table: a look-up, no branches, no locale.
#pragma once

#include <array>
#include <cstdint>

namespace weir::http {

enum CharClass : uint8_t {
  kTokenChar = 1,       ///< RFC 9110, 5.6.2 tchar
  kUnreservedChar = 2,  ///< RFC 3986, 2.3
  kPathChar = 4,        ///< pchar or "/", without "%"
  kHexChar = 8,
  kFieldChar = 16,  ///< field-vchar, SP, HTAB (obs-text included)
  kHostChar = 32,   ///< letters, digits, "-", "_", "~" and "."
  kVisibleChar = 64,
  kRequestIdChar = 128,
};

constexpr std::array<uint8_t, 256> make_char_table() {
  constexpr auto in = [](unsigned c, const char* set) {
    for (; *set != 0; ++set) {
      if (static_cast<unsigned char>(*set) == c) return true;
    }
    return false;
  };
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    unsigned bits = 0;
    if (alnum || in(c, "!#$%&'*+-.^_`|~")) bits |= kTokenChar;
    if (alnum || in(c, "-._~")) bits |= kUnreservedChar | kHostChar;
    if (alnum || in(c, "-._~!$&'()*+,;=:@/")) bits |= kPathChar;
    if (hex) bits |= kHexChar;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kFieldChar;
    if (c > 0x20 && c < 0x7f) bits |= kVisibleChar;
    if (alnum || in(c, "-_.:/+=@~")) bits |= kRequestIdChar;
    table[c] = static_cast<uint8_t>(bits);
  }
  return table;
}
inline constexpr std::array<uint8_t, 256> kCharTable = make_char_table();

constexpr bool is_char(char c, CharClass classes) {
  return (kCharTable[static_cast<uint8_t>(c)] & classes) != 0;
}

/// 0 to 15. Requires: a hex digit.
constexpr unsigned hex_value(char c) {
  unsigned u = static_cast<uint8_t>(c);
  return (u & 15) + (u >> 6) * 9;
}

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace weir::http
