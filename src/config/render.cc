// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "config/diagnostics.h"

namespace weir::config {

namespace {

const char* severity_word(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

bool is_utf8_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// A line for a terminal: control bytes of a hostile file must not reach it, and a tab would move
// the caret.
std::string printable(std::string_view line) {
  std::string out(line);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t') c = ' ';
    if (byte < 0x20 || byte == 0x7f) c = c == ' ' ? ' ' : '?';
  }
  return out;
}

std::size_t width(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) {
    if (!is_utf8_continuation(c)) ++n;
  }
  return n;
}

void append_source(const Diagnostic& d, fmt::memory_buffer& out) {
  auto to = std::back_inserter(out);
  const std::size_t indent = width(std::string_view(d.source_line).substr(0, d.caret));
  fmt::format_to(to, "{:>5} | {}\n", d.line, printable(d.source_line));
  fmt::format_to(to, "      | {:>{}}\n", "^", indent + 1);
}

void append_text(const Diagnostic& d, fmt::memory_buffer& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{}:", printable(d.file));
  if (d.line != 0) fmt::format_to(to, "{}:{}:", d.line, d.column);
  fmt::format_to(to, " {}: ", severity_word(d.severity));
  if (!d.key.empty()) fmt::format_to(to, "{}: ", printable(d.key));
  fmt::format_to(to, "{}\n", printable(d.message));
  if (!d.source_line.empty()) append_source(d, out);
  if (!d.hint.empty()) fmt::format_to(to, "      = hint: {}\n", printable(d.hint));
}

nlohmann::ordered_json to_json(const Diagnostic& d) {
  return {{"severity", severity_word(d.severity)},
          {"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"key", d.key},
          {"message", d.message},
          {"hint", d.hint}};
}

}  // namespace

std::string render(const std::vector<Diagnostic>& diagnostics, ReportFormat format) {
  if (format == ReportFormat::kJson) {
    auto all = nlohmann::ordered_json::array();
    for (const Diagnostic& d : diagnostics) all.push_back(to_json(d));
    // A finding may quote bytes that are not UTF-8; they are replaced, never thrown at.
    return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  fmt::memory_buffer out;
  for (const Diagnostic& d : diagnostics) append_text(d, out);
  return fmt::to_string(out);
}

}  // namespace weir::config
