// SPDX-License-Identifier: Apache-2.0
#include "proxy/access_log_line.h"

namespace weir::proxy {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101ull;
constexpr uint64_t kHighs = 0x8080808080808080ull;

constexpr uint64_t zero_bytes(uint64_t w) { return (w - kOnes) & ~w & kHighs; }

// The high bit of each byte that cannot be copied as it is: controls, DEL, '"', '\\', non-ASCII. A
// borrow may mark the byte after a marked one too, never one before the first, so the lowest mark
// is exact.
constexpr uint64_t special_bytes(uint64_t w) {
  const uint64_t controls = (w - kOnes * 0x20) & ~w & kHighs;
  const uint64_t del_or_more = (w | (w + kOnes)) & kHighs;
  return controls | del_or_more | zero_bytes(w ^ kOnes * '"') | zero_bytes(w ^ kOnes * '\\');
}

constexpr bool is_special(unsigned char c) {
  return c < 0x20 || c >= 0x7f || c == '"' || c == '\\';
}

// Length of the longest start of `in` that needs no escape. Eight bytes a step; most values of a
// log line are one to six steps long.
size_t plain_length(std::string_view in) {
  size_t n = 0;
  for (; in.size() - n >= 8; n += 8) {
    uint64_t w;
    std::memcpy(&w, in.data() + n, 8);
    if constexpr (std::endian::native == std::endian::big) w = __builtin_bswap64(w);
    if (const uint64_t marks = special_bytes(w)) {
      return n + static_cast<size_t>(std::countr_zero(marks)) / 8;
    }
  }
  while (n < in.size() && !is_special(static_cast<unsigned char>(in[n]))) ++n;
  return n;
}

// Bytes of the well-formed UTF-8 sequence (RFC 3629, section 4) that `in` starts with, else 0.
size_t utf8_length(std::string_view in) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(in[i]); };
  const auto is_tail = [&](size_t i) { return i < in.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4 || !is_tail(1)) return 0;
  if (lead < 0xe0) return 2;
  const unsigned second = byte(1);
  if (lead < 0xf0) {
    const bool overlong = lead == 0xe0 && second < 0xa0;
    const bool surrogate = lead == 0xed && second > 0x9f;
    return overlong || surrogate || !is_tail(2) ? 0 : 3;
  }
  const bool overlong = lead == 0xf0 && second < 0x90;
  const bool too_large = lead == 0xf4 && second > 0x8f;
  return overlong || too_large || !is_tail(2) || !is_tail(3) ? 0 : 4;
}

constexpr char kHex[] = "0123456789abcdef";

void two_digits(char* to, unsigned value) {
  to[0] = static_cast<char>('0' + value / 10);
  to[1] = static_cast<char>('0' + value % 10);
}

struct Broken {
  unsigned year, month, day, hour, minute, second, micros;
};

Broken break_down(WallTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const auto of_day = static_cast<uint64_t>(duration_cast<microseconds>(time - day).count());
  const auto seconds_of_day = static_cast<unsigned>(of_day / 1'000'000);
  return {static_cast<unsigned>(static_cast<int>(date.year())) % 10'000,
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          seconds_of_day / 3600,
          seconds_of_day / 60 % 60,
          seconds_of_day % 60,
          static_cast<unsigned>(of_day % 1'000'000)};
}

}  // namespace

void LogLine::escaped(std::string_view text, LogEscape escape) {
  while (!text.empty() && fits_) {
    const size_t plain = plain_length(text);
    raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(special(text, escape));
  }
}

size_t LogLine::special(std::string_view in, LogEscape escape) {
  const auto first = static_cast<unsigned char>(in[0]);
  if (first == '"' || first == '\\') {
    raw(first == '"' ? "\\\"" : "\\\\");
    return 1;
  }
  if (first < 0x80) {
    escaped_byte(first, escape);
    return 1;
  }
  const size_t length = utf8_length(in);
  if (length == 0) {
    // In JSON the backslash itself is escaped: JSON has no form for a byte that is no text.
    if (escape == LogEscape::kJson) raw("\\");
    escaped_byte(first, LogEscape::kPlain);
    return 1;
  }
  // C1 controls (U+0080 to U+009F) are escape sequences to a terminal that shows the log.
  if (first == 0xc2 && static_cast<unsigned char>(in[1]) < 0xa0) {
    if (escape == LogEscape::kPlain) escaped_byte(first, escape);
    escaped_byte(static_cast<unsigned char>(in[1]), escape);
    return 2;
  }
  raw(in.substr(0, length));
  return length;
}

void LogLine::escaped_byte(unsigned char byte, LogEscape escape) {
  raw(escape == LogEscape::kJson ? "\\u00" : "\\x");
  if (char* to = take(2)) {
    to[0] = kHex[byte >> 4];
    to[1] = kHex[byte & 15];
  }
}

void LogLine::time_rfc3339(WallTime time) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000000Z";
  char* const to = take(kForm.size());
  if (to == nullptr) return;
  const Broken b = break_down(time);
  kForm.copy(to, kForm.size());
  two_digits(to, b.year / 100);
  two_digits(to + 2, b.year % 100);
  two_digits(to + 5, b.month);
  two_digits(to + 8, b.day);
  two_digits(to + 11, b.hour);
  two_digits(to + 14, b.minute);
  two_digits(to + 17, b.second);
  two_digits(to + 20, b.micros / 10'000);
  two_digits(to + 22, b.micros / 100 % 100);
  two_digits(to + 24, b.micros % 100);
}

void LogLine::time_common(WallTime time) {
  constexpr std::string_view kForm = "00/Jan/0000:00:00:00 +0000";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char* const to = take(kForm.size());
  if (to == nullptr) return;
  const Broken b = break_down(time);
  kForm.copy(to, kForm.size());
  kMonths.copy(to + 3, 3, size_t{b.month - 1} * 3);
  two_digits(to, b.day);
  two_digits(to + 7, b.year / 100);
  two_digits(to + 9, b.year % 100);
  two_digits(to + 12, b.hour);
  two_digits(to + 15, b.minute);
  two_digits(to + 18, b.second);
}

}  // namespace weir::proxy
