// SPDX-License-Identifier: Apache-2.0
// A short text as one word, without a loop: for hashing and comparing names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::base {

/// At most eight bytes, the first lowest, zeroes above. Loads that overlap write the same bytes
/// twice.
inline std::uint64_t load_short(std::string_view bytes) {
  const char* const data = bytes.data();
  const std::size_t size = bytes.size();
  if (size >= 4) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, data, 4);
    std::memcpy(&high, data + size - 4, 4);
    return low | std::uint64_t{high} << (8 * (size - 4));
  }
  if (size == 0) return 0;
  const auto at = [&](std::size_t i) {
    return std::uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
  };
  return at(0) | at(size / 2) | at(size - 1);
}

}  // namespace weir::base
