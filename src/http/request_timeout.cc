// SPDX-License-Identifier: Apache-2.0
#include "http/request_timeout.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "http/header_id.h"

namespace weir::http {
namespace {

constexpr std::size_t kMostDigits = 9;

struct Number {
  std::int64_t value = 0;
  std::size_t digits = 0;
};

// None: no digit, or too many.
std::optional<Number> leading_number(std::string_view text) {
  Number out;
  while (out.digits < text.size() && text[out.digits] >= '0' && text[out.digits] <= '9') {
    if (out.digits == kMostDigits) return std::nullopt;
    out.value = out.value * 10 + (text[out.digits++] - '0');
  }
  if (out.digits == 0) return std::nullopt;
  return out;
}

struct Digits {
  explicit Digits(std::int64_t value) {
    end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  }
  std::string_view view() const { return {text.data(), end}; }
  std::array<char, 20> text;
  char* end;
};

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

// The preference that begins at `at`: `wait`, blanks, `=`, blanks, digits or "digits".
std::optional<PreferWait> wait_at(std::string_view prefer, std::size_t at) {
  constexpr std::string_view kWait = "wait";
  if (!iequals(prefer.substr(at, kWait.size()), kWait)) return std::nullopt;
  at = skip_blanks(prefer, at + kWait.size());
  if (at == prefer.size() || prefer[at] != '=') return std::nullopt;
  at = skip_blanks(prefer, at + 1);
  const bool is_quoted = at < prefer.size() && prefer[at] == '"';
  if (is_quoted) ++at;
  const auto number = leading_number(prefer.substr(at));
  if (!number) return std::nullopt;
  std::size_t end = at + number->digits;
  const PreferWait found{std::chrono::seconds(number->value), at, end};
  if (is_quoted && (end == prefer.size() || prefer[end++] != '"')) return std::nullopt;
  end = skip_blanks(prefer, end);
  if (end != prefer.size() && prefer[end] != ',' && prefer[end] != ';') return std::nullopt;
  return found;
}

}  // namespace

std::optional<Duration> parse_request_timeout(std::string_view text) {
  const auto number = leading_number(text);
  if (!number) return std::nullopt;
  const std::string_view unit = text.substr(number->digits);
  if (unit == "ms") return std::chrono::milliseconds(number->value);
  if (unit.empty() || unit == "s") return std::chrono::seconds(number->value);
  return std::nullopt;
}

std::string_view request_timeout_text(Duration left, base::Arena& arena) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  return arena.concat({Digits(std::max<std::int64_t>(ms, 0)).view(), "ms"});
}

std::optional<PreferWait> find_prefer_wait(std::string_view prefer) {
  std::size_t at = 0;
  while (at < prefer.size()) {
    if (const auto found = wait_at(prefer, skip_blanks(prefer, at))) return found;
    bool quoted = false;
    while (at < prefer.size() && (quoted || prefer[at] != ',')) quoted ^= prefer[at++] == '"';
    ++at;
  }
  return std::nullopt;
}

std::string_view with_prefer_wait(std::string_view prefer, const PreferWait& found, Duration left,
                                  base::Arena& arena) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  return arena.concat({prefer.substr(0, found.begin),
                       Digits(std::max<std::int64_t>(seconds, 1)).view(),
                       prefer.substr(found.end)});
}

}  // namespace weir::http
