// SPDX-License-Identifier: Apache-2.0
// The operational log: what the process does, one line an event on standard error, in key=value
// form (`level=info msg="config applied" version=2`). Not the access log: this is for a few lines a
// minute, and each is one write(2). Any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::app {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

/// A value that writes itself: texts (quoted where needed) and numbers.
struct LogValue {
  LogValue(std::string_view key_text, std::string_view text) : key(key_text), value(text) {}
  LogValue(std::string_view key_text, const char* text) : key(key_text), value(text) {}
  template <typename Number>
  requires(!std::is_convertible_v<Number, std::string_view>)
      LogValue(std::string_view key_text, Number number)
      : key(key_text), value(std::to_string(number)) {}

  std::string_view key;
  std::string value;
};

/// Lines below `level` are not written. Before the threads start.
void set_log_level(LogLevel level);
void op_log(LogLevel level, std::string_view message, std::initializer_list<LogValue> values = {});

/// The line without writing it.
std::string op_log_line(LogLevel level, std::string_view message,
                        std::initializer_list<LogValue> values);
/// A line of its own form (`ready`), '\n' included; one write.
void write_stderr(std::string_view line);

}  // namespace weir::app
