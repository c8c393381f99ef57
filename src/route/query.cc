// SPDX-License-Identifier: Apache-2.0
#include "route/query.h"

#include <cstddef>

#include "http/chars.h"

namespace weir::route {
namespace {

// Takes one decoded character off the front. Requires: not empty.
char take(std::string_view& raw) {
  const char c = raw[0];
  if (c == '%' && raw.size() >= 3 && http::is_char(raw[1], http::kHexChar) &&
      http::is_char(raw[2], http::kHexChar)) {
    const unsigned value = http::hex_value(raw[1]) * 16 + http::hex_value(raw[2]);
    raw.remove_prefix(3);
    return static_cast<char>(value);
  }
  raw.remove_prefix(1);
  return c == '+' ? ' ' : c;
}

// Whether `raw` begins with `text`; what follows is left in `raw`.
bool take_text(std::string_view& raw, std::string_view text) {
  for (const char c : text) {
    if (raw.empty() || take(raw) != c) return false;
  }
  return true;
}

}  // namespace

bool next_parameter(std::string_view& query, QueryParameter& parameter) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (piece.empty()) continue;
    const std::size_t equals = piece.find('=');
    parameter.name = piece.substr(0, equals);
    parameter.value =
        equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
    return true;
  }
  return false;
}

bool decoded_equals(std::string_view raw, std::string_view text) {
  return take_text(raw, text) && raw.empty();
}

bool decoded_starts_with(std::string_view raw, std::string_view text) {
  return take_text(raw, text);
}

std::string_view decode(std::string_view raw, base::Arena& arena) {
  if (raw.find_first_of("%+") == std::string_view::npos) return raw;
  char* const out = static_cast<char*>(arena.allocate(raw.size()));
  std::size_t size = 0;
  while (!raw.empty()) out[size++] = take(raw);
  return {out, size};
}

}  // namespace weir::route
