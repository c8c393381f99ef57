// SPDX-License-Identifier: Apache-2.0
// What the HTTP fuzz targets share. A broken property ends the process, which is how libFuzzer
// learns of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../unit/http/message_outcome.h"
#include "base/check.h"

namespace weir::http {

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Sizes and positions come from the input's first byte, so that they are part of the corpus.
inline size_t take_byte(std::string_view& text) {
  if (text.empty()) return 0;
  auto byte = static_cast<uint8_t>(text.front());
  text.remove_prefix(1);
  return byte;
}

}  // namespace weir::http
