// SPDX-License-Identifier: Apache-2.0
// Writes values of a configuration as text while walking them: YAML that loads again, JSON for
// machines, or one line for a change list. No tree is built, because a dump of 100,000 routes would
// take more memory as a tree than the process may have. One thread; the text is taken at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

struct Scalar {
  enum class Kind : std::uint8_t { kText, kNumber, kBool, kNull };
  std::string text;
  Kind kind = Kind::kText;
};

inline Scalar text_scalar(std::string text) { return {std::move(text), Scalar::Kind::kText}; }
inline Scalar null_scalar() { return {"null", Scalar::Kind::kNull}; }

enum class Style : std::uint8_t { kYaml, kJson, kLine };

enum class Secrets : std::uint8_t { kShow, kRedact };

class Emitter {
 public:
  explicit Emitter(Style style, Secrets secrets = Secrets::kShow)
      : style_(style), secrets_(secrets) {}

  void begin_map() { begin(true); }
  void key(std::string_view name);
  void end_map() { end('}'); }
  void begin_list() { begin(false); }
  void end_list() { end(']'); }
  void scalar(const Scalar& value);

  bool redacts() const { return secrets_ == Secrets::kRedact; }
  std::string take();

 private:
  struct Level {
    bool is_map;
    bool empty = true;
    bool inline_first = false;  // YAML: the first key stands behind the dash of its list
  };

  void begin(bool is_map);
  void end(char closing);
  // Writes what stands before a value or key at the current place.
  void place_value();
  void place_item(Level& level);
  void new_line(std::size_t depth);
  std::size_t indent() const;

  Style style_;
  Secrets secrets_;
  std::vector<Level> levels_;
  std::string out_;
};

}  // namespace weir::config
