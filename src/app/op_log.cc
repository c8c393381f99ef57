// SPDX-License-Identifier: Apache-2.0
#include "app/op_log.h"

#include <unistd.h>

#include <atomic>

namespace weir::app {
namespace {

std::atomic<LogLevel> least_level{LogLevel::kInfo};

constexpr std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

constexpr bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
      return true;
    }
  }
  return false;
}

// One event stays one line, whatever a file name or an error text holds.
void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    if (c == '\n') {
      line += "\\n";
    } else {
      line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
    }
  }
  line += '"';
}

}  // namespace

void set_log_level(LogLevel level) { least_level.store(level, std::memory_order_relaxed); }

std::string op_log_line(LogLevel level, std::string_view message,
                        std::initializer_list<LogValue> values) {
  std::string line = "level=";
  line += name_of(level);
  line += " msg=";
  append_quoted(line, message);
  for (const LogValue& item : values) {
    line += ' ';
    line += item.key;
    line += '=';
    if (needs_quotes(item.value)) {
      append_quoted(line, item.value);
    } else {
      line += item.value;
    }
  }
  line += '\n';
  return line;
}

void op_log(LogLevel level, std::string_view message, std::initializer_list<LogValue> values) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  write_stderr(op_log_line(level, message, values));
}

void write_stderr(std::string_view line) {
  // Nobody is left to be told if this fails.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace weir::app
