// SPDX-License-Identifier: Apache-2.0
// Where a setting stands in the config's files, for findings about it. A value.
#pragma once

#include <cstdint>

namespace weir {

// Where an object stands in the files: `file` indexes Config::files; line and column count from 1,
// and line 0 means that a default or a program made the object.
struct SourceLocation {
  std::uint32_t file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

}  // namespace weir
