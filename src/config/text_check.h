// SPDX-License-Identifier: Apache-2.0
// Looks at a configuration as bytes, before any parser does: UTF-8 without control characters.
// Not YAML. A parser that meets UTF-16 or a stray NUL says something nobody understands.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/diagnostics.h"

namespace weir::config {

struct BadByte {
  std::uint32_t line;
  std::uint32_t column;
  Finding finding;
};

// The first byte that no configuration may have.
std::optional<BadByte> find_bad_byte(std::string_view text);

// `line` counts from 0, as yaml-cpp does; empty when there is no such line.
std::string_view line_at(std::string_view text, int line);

}  // namespace weir::config
