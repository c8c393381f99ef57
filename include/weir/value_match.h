// SPDX-License-Identifier: Apache-2.0
// What several parts of a config share: where an object stands in the files, and a condition on a
// header or query parameter. Plain values; immutable once loaded; any thread may read.
#pragma once

#include <weir/location.h>

#include <cstdint>
#include <string>

namespace weir {

// A header or query parameter to match.
struct ValueMatch {
  enum class Kind : std::uint8_t { kExact, kPrefix, kRegex, kPresent };

  std::string name;  // headers: lower-case; query: as written
  Kind kind = Kind::kExact;
  std::string value;  // empty for kPresent
  SourceLocation location;
};

}  // namespace weir
