// SPDX-License-Identifier: Apache-2.0
#include "http/traceparent.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "http/chars.h"

namespace weir::http {
namespace {

// "00-" trace id "-" parent id "-" flags
constexpr size_t kTraceAt = 3;
constexpr size_t kParentAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kLength = 55;

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == text.npos; }

// Eight digits at once, first digit in the lowest byte: each request makes twelve such words.
uint64_t hex_word(uint32_t n) {
  uint64_t w = n;
  w = (w & 0xffff0000) << 16 | (w & 0xffff);
  w = (w & 0x0000ff000000ff00) << 8 | (w & 0x000000ff000000ff);
  w = (w & 0x00f000f000f000f0) << 4 | (w & 0x000f000f000f000f);
  const uint64_t letters = (w + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return std::byteswap(w + 0x3030303030303030 + letters * ('a' - '0' - 10));
}

void put_hex(char* out, uint64_t n) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t words[2] = {hex_word(static_cast<uint32_t>(n >> 32)),
                             hex_word(static_cast<uint32_t>(n))};
  std::memcpy(out, words, sizeof words);
}

}  // namespace

bool is_valid_traceparent(std::string_view value) {
  if (value.size() < kLength) return false;
  std::string_view version = value.substr(0, 2);
  std::string_view trace = value.substr(kTraceAt, 32);
  std::string_view parent = value.substr(kParentAt, 16);
  std::string_view flags = value.substr(kFlagsAt, 2);
  bool dashes = value[2] == '-' && value[kParentAt - 1] == '-' && value[kFlagsAt - 1] == '-';
  bool hex =
      is_lower_hex(version) && is_lower_hex(trace) && is_lower_hex(parent) && is_lower_hex(flags);
  if (!dashes || !hex || version == "ff" || is_zero(trace) || is_zero(parent)) return false;
  // A version to come may add fields, after a dash.
  return value.size() == kLength || (version != "00" && value[kLength] == '-');
}

std::string_view new_traceparent(const TraceBits& random, bool sampled, base::Arena& arena) {
  char* out = static_cast<char*>(arena.allocate(kLength));
  bool no_trace = random.trace_high == 0 && random.trace_low == 0;
  out[0] = out[1] = '0';
  out[2] = out[kParentAt - 1] = out[kFlagsAt - 1] = '-';
  put_hex(out + kTraceAt, random.trace_high);
  put_hex(out + kTraceAt + 16, no_trace ? 1 : random.trace_low);
  put_hex(out + kParentAt, random.parent == 0 ? 1 : random.parent);
  out[kFlagsAt] = '0';
  out[kFlagsAt + 1] = sampled ? '1' : '0';
  return {out, kLength};
}

bool is_valid_request_id(std::string_view value) {
  return !value.empty() && value.size() <= 128 &&
         std::all_of(value.begin(), value.end(), [](char c) { return is_char(c, kRequestIdChar); });
}

std::string_view new_request_id(uint64_t high, uint64_t low, base::Arena& arena) {
  char* out = static_cast<char*>(arena.allocate(32));
  put_hex(out, high);
  put_hex(out + 16, low);
  return {out, 32};
}

}  // namespace weir::http
