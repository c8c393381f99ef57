// SPDX-License-Identifier: Apache-2.0
// A 64-bit hash that is the same on every node and in every release: consistent hashing depends on
// it. Not keyed: never use it for tables whose keys a client chooses.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::base {

inline uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

inline uint64_t hash64(std::string_view text, uint64_t seed = 0) {
  uint64_t h = mix64(seed ^ (text.size() * 0x9e3779b97f4a7c15ull));
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    h = mix64(h ^ word) + 0x9e3779b97f4a7c15ull;
    text.remove_prefix(8);
  }
  uint64_t tail = 0;
  if (!text.empty()) std::memcpy(&tail, text.data(), text.size());
  return mix64(h ^ tail);
}

}  // namespace weir::base
