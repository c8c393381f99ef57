// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

namespace weir::config {

namespace {

struct Unit {
  std::string_view word;
  std::uint64_t factor;
};

constexpr std::array<Unit, 4> kDurationUnits{
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kSizeUnits{{{"TiB", std::uint64_t{1} << 40},
                                          {"GiB", std::uint64_t{1} << 30},
                                          {"MiB", std::uint64_t{1} << 20},
                                          {"KiB", std::uint64_t{1} << 10},
                                          {"B", 1}}};

// A decimal without sign or exponent: digits scaled by 10^places.
struct Decimal {
  std::uint64_t digits = 0;
  std::uint64_t scale = 1;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr int kMaxDecimals = 6;
constexpr std::size_t kMaxDigits = 15;  // so that digits * factor is checked, not digits themselves

// Takes the number off the front of `text`; what stays is the unit.
std::optional<Decimal> take_decimal(std::string_view& text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  Decimal decimal;
  std::size_t at = 0;
  std::size_t count = 0;
  int decimals = -1;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && decimals < 0)); ++at) {
    if (text[at] == '.') {
      decimals = 0;
      continue;
    }
    if (++count > kMaxDigits || decimals == kMaxDecimals) return std::nullopt;
    decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(text[at] - '0');
    if (decimals >= 0) {
      ++decimals;
      decimal.scale *= 10;
    }
  }
  if (decimals == 0) return std::nullopt;
  text.remove_prefix(at);
  return decimal;
}

// digits * factor / scale, exactly, or nothing.
std::optional<std::uint64_t> scale_exactly(Decimal decimal, std::uint64_t factor) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(decimal.digits, factor, &product)) return std::nullopt;
  if (product % decimal.scale != 0) return std::nullopt;
  return product / decimal.scale;
}

std::string_view trim_left(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

std::optional<std::uint64_t> parse_with_units(std::string_view text, std::span<const Unit> units) {
  const auto decimal = take_decimal(text);
  if (!decimal) return std::nullopt;
  text = trim_left(text);
  for (const Unit& unit : units) {
    if (unit.word == text) return scale_exactly(*decimal, unit.factor);
  }
  return std::nullopt;
}

std::string format_with_units(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.word);
    }
  }
  return "0";
}

bool is_zero(std::string_view text) { return text == "0"; }

// KB, K, kb, M and so on: a thousand to some, 1024 to others.
std::string size_hint(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_decimal(rest);
  rest = trim_left(rest);
  if (number && !rest.empty() && rest.size() <= 3) {
    constexpr std::string_view kLetters = "kKmMgGtT";
    const std::size_t at = kLetters.find(rest.front());
    if (at != std::string_view::npos) {
      const std::string digits(text.substr(0, text.size() - rest.size()));
      return "units are powers of 1024: write " + digits + kLetters[at | 1U] + "iB";
    }
  }
  return "write a number with B, KiB, MiB, GiB or TiB, such as 64KiB";
}

}  // namespace

Parsed<Millis> parse_duration(std::string_view text) {
  if (is_zero(text)) return Millis{0};
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (const auto ms = parse_with_units(text, kDurationUnits); ms && *ms <= kMax) {
    return Millis{static_cast<std::int64_t>(*ms)};
  }
  std::string_view rest = text;
  const bool bare = take_decimal(rest).has_value() && rest.empty();
  return std::unexpected(
      Finding{bare ? "a duration without a unit" : "not a duration",
              bare ? "write " + std::string(text) + "s for seconds, or use ms, m or h"
                   : "write a number with ms, s, m or h, such as 250ms or 60s"});
}

std::string format_duration(Millis value) {
  if (value == std::chrono::minutes{1}) return "60s";  // as everybody writes it
  const std::string text =
      format_with_units(static_cast<std::uint64_t>(value.count()), kDurationUnits);
  return text == "0" ? "0s" : text;
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  if (const auto bytes = parse_with_units(text, kSizeUnits)) return *bytes;
  const auto plain = parse_integer(text);
  if (plain && *plain >= 0) return static_cast<std::uint64_t>(*plain);
  return std::unexpected(Finding{"not a size", size_hint(text)});
}

std::string format_size(std::uint64_t bytes) { return format_with_units(bytes, kSizeUnits); }

Parsed<ByteRate> parse_rate(std::string_view text) {
  if (is_zero(text)) return ByteRate{0};
  if (text.ends_with("/s")) {
    if (const auto bytes = parse_with_units(text.substr(0, text.size() - 2), kSizeUnits)) {
      return ByteRate{*bytes};
    }
  }
  return std::unexpected(
      Finding{"not a rate of bytes", "write bytes per second, such as 240B/s or 1KiB/s"});
}

std::string format_rate(ByteRate rate) {
  const std::string text = format_size(rate.bytes_per_second);
  return (text == "0" ? "0B" : text) + "/s";
}

Parsed<Share> parse_share(std::string_view text) {
  constexpr std::array<Unit, 1> kPercent{{{"%", Share::kWhole / 100}}};
  const auto ppm = parse_with_units(text, kPercent);
  if (ppm && *ppm <= std::numeric_limits<std::uint32_t>::max()) {
    return Share{static_cast<std::uint32_t>(*ppm)};
  }
  return std::unexpected(
      Finding{"not a share", "write percent with at most four decimals, such as 20% or 0.5%"});
}

std::string format_share(Share share) {
  constexpr std::uint32_t kPerPercent = Share::kWhole / 100;
  std::string text = std::to_string(share.ppm / kPerPercent);
  if (const std::uint32_t rest = share.ppm % kPerPercent; rest != 0) {
    std::string decimals = std::to_string(kPerPercent + rest).substr(1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text + "%";
}

Parsed<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, value);
  if (error == std::errc{} && stopped == end) return value;
  if (error == std::errc::result_out_of_range) {
    return std::unexpected(Finding{"a number far out of range", ""});
  }
  return std::unexpected(Finding{"not a whole number", "write digits only, such as 100"});
}

}  // namespace weir::config
