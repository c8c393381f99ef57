// SPDX-License-Identifier: Apache-2.0
#include "config/emitter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "config/environment.h"

namespace weir::config {

namespace {

// Double quotes mean the same in YAML and JSON for everything that is escaped here.
std::string quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool is_plain_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-./%@+*").find(c) != std::string_view::npos;
}

// Words that YAML readers take for something other than text.
bool is_reserved(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{"null", "true", "false", "yes", "no",
                                                   "on",   "y",    "n",     "~"};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end() ||
         lower.find_first_not_of("0123456789.+-ex_") == std::string::npos;
}

// Stricter than YAML: whatever could be read in another way is quoted.
std::string yaml_text(std::string_view text) {
  const bool colon_inside = text.find(": ") == std::string_view::npos && !text.ends_with(':');
  const bool plain =
      !text.empty() && colon_inside && !is_reserved(text) &&
      std::string_view("-*%@+.").find(text.front()) == std::string_view::npos &&
      std::all_of(text.begin(), text.end(), [](char c) { return is_plain_char(c) || c == ':'; });
  return plain ? std::string(text) : quote(text);
}

}  // namespace

std::size_t Emitter::indent() const {
  // A YAML map in a list is indented once for both.
  return levels_.empty() ? 0 : (levels_.size() - 1) * 2;
}

void Emitter::new_line(std::size_t depth) {
  if (style_ == Style::kLine) return;
  if (!out_.empty()) out_ += '\n';
  out_.append(depth, ' ');
}

void Emitter::place_item(Level& level) {
  if (style_ == Style::kYaml) {
    if (level.inline_first && level.empty) {
      level.empty = false;
      return;
    }
    level.empty = false;
    new_line(indent());
    return;
  }
  if (!level.empty) out_ += style_ == Style::kLine ? ", " : ",";
  level.empty = false;
  new_line(levels_.size() * 2);
}

void Emitter::place_value() {
  if (levels_.empty() || levels_.back().is_map) return;
  place_item(levels_.back());
  if (style_ == Style::kYaml) out_ += "-";
}

void Emitter::key(std::string_view name) {
  place_item(levels_.back());
  out_ += style_ == Style::kJson ? quote(name) : yaml_text(name);
  out_ += style_ == Style::kYaml ? ":" : ": ";
}

void Emitter::begin(bool is_map) {
  place_value();
  const bool in_list = !levels_.empty() && !levels_.back().is_map;
  levels_.push_back(Level{is_map});
  if (style_ != Style::kYaml) {
    out_ += is_map ? '{' : '[';
    return;
  }
  if (in_list && is_map) {
    levels_.back().inline_first = true;
    out_ += ' ';
  }
}

void Emitter::end(char closing) {
  const Level level = levels_.back();
  levels_.pop_back();
  if (style_ == Style::kYaml) {
    if (!level.empty) return;
    if (!out_.empty() && !level.inline_first) out_ += ' ';
    out_ += closing == '}' ? "{}" : "[]";
    return;
  }
  if (!level.empty) new_line(levels_.size() * 2);
  out_ += closing;
}

void Emitter::scalar(const Scalar& value) {
  place_value();
  if (style_ == Style::kYaml && !out_.empty()) out_ += ' ';
  if (value.kind != Scalar::Kind::kText) {
    out_ += value.text;
  } else if (style_ == Style::kJson) {
    out_ += quote(value.text);
  } else if (style_ == Style::kYaml) {
    out_ += yaml_text(escape_variables(value.text));
  } else {
    out_ += yaml_text(value.text);
  }
}

std::string Emitter::take() {
  if (style_ != Style::kLine) out_ += '\n';
  levels_.clear();
  return std::exchange(out_, {});
}

}  // namespace weir::config
