// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the candidate nearest to a misspelt word. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other
// (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when none is near enough to be meant.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// "`a`, `b` or `c`"; cut after twelve.
std::string either_of(const std::vector<std::string_view>& words);

}  // namespace weir::config
