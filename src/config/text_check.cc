// SPDX-License-Identifier: Apache-2.0
#include "config/text_check.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace weir::config {

namespace {

struct Sequence {
  std::size_t size;         // bytes, 0 when the first byte starts none
  unsigned char low, high;  // what the second byte may be (RFC 3629, section 4)
};

Sequence sequence_of(unsigned char first) {
  if (first < 0x80) return {1, 0, 0};
  if (first >= 0xc2 && first <= 0xdf) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};
  if (first >= 0xe1 && first <= 0xef) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first >= 0xf1 && first <= 0xf3) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// Bytes of the character at `at`, or 0 when it is not UTF-8.
std::size_t utf8_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Sequence sequence = sequence_of(byte(at));
  if (sequence.size <= 1) return sequence.size;
  if (at + sequence.size > text.size()) return 0;
  if (byte(at + 1) < sequence.low || byte(at + 1) > sequence.high) return 0;
  for (std::size_t i = at + 2; i < at + sequence.size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  return sequence.size;
}

bool is_forbidden_control(unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

BadByte at_offset(std::string_view text, std::size_t at, Finding finding) {
  const std::string_view before = text.substr(0, at);
  const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  return {line, static_cast<std::uint32_t>(at - start) + 1, std::move(finding)};
}

}  // namespace

std::optional<BadByte> find_bad_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (is_forbidden_control(c)) {
      return at_offset(text, at,
                       {"a control character (byte " + std::to_string(c) + ")",
                        "save the file as plain UTF-8 text"});
    }
    const std::size_t size = utf8_size(text, at);
    if (size == 0) {
      return at_offset(text, at, {"not UTF-8", "save the file as plain UTF-8 text"});
    }
    at += size;
  }
  return std::nullopt;
}

std::string_view line_at(std::string_view text, int line) {
  for (int i = 0; i < line; ++i) {
    const std::size_t newline = text.find('\n');
    if (newline == std::string_view::npos) return {};
    text.remove_prefix(newline + 1);
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace weir::config
