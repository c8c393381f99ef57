// SPDX-License-Identifier: Apache-2.0
// Writes one log line into memory of the caller's and stops at its end: numbers, times, and texts
// escaped so that a hostile value can neither end the line nor leave its quotes. For
// access_log.cc alone. One thread; lives for one line.
#pragma once

#include <weir/clock.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::proxy {

/// How a text's special bytes are written.
enum class LogEscape : uint8_t { kJson, kPlain };

class LogLine {
 public:
  LogLine(char* out, size_t room) : begin_(out), at_(out), end_(out + room) {}

  /// False once something did not fit: then nothing of the output counts.
  bool fits() const { return fits_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

  void raw(std::string_view text) {
    if (char* to = take(text.size())) std::memcpy(to, text.data(), text.size());
  }
  void number(int64_t value) {
    const auto [next, error] = std::to_chars(at_, end_, value);
    if (error != std::errc{}) {
      fits_ = false;
    } else {
      at_ = next;
    }
  }
  void escaped(std::string_view text, LogEscape escape);
  /// "2026-01-02T03:04:05.000006Z"
  void time_rfc3339(WallTime time);
  /// "02/Jan/2026:03:04:05 +0000"
  void time_common(WallTime time);

 private:
  char* take(size_t n) {
    if (!fits_ || static_cast<size_t>(end_ - at_) < n) {
      fits_ = false;
      return nullptr;
    }
    char* const to = at_;
    at_ += n;
    return to;
  }
  // Escapes what stands at in[0] and returns how many bytes of the input that was.
  size_t special(std::string_view in, LogEscape escape);
  void escaped_byte(unsigned char byte, LogEscape escape);

  char* const begin_;
  char* at_;
  char* const end_;
  bool fits_ = true;
};

}  // namespace weir::proxy
