// SPDX-License-Identifier: Apache-2.0
#include "route/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::route {
namespace {

// Two thirds hold the program, the rest is the cache of automaton states. A hundred times what the
// patterns of real gateways need, and 1,000 hostile ones stay below 1 GiB.
constexpr std::int64_t kMaxMemory = std::int64_t{1} << 20;
constexpr int kRangeLength = 32;
constexpr std::size_t kMaxGroups = 10;  // \0 to \9

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_max_mem(kMaxMemory);
  options.set_log_errors(false);
  // Bytes, not characters: header values may hold any byte, and '.' must match each of them.
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  return options;
}

}  // namespace

std::expected<Pattern, std::string> Pattern::compile(std::string_view text) {
  auto regex =
      std::make_unique<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options());
  if (!regex->ok()) return std::unexpected(regex->error());
  return Pattern(std::move(regex));
}

Pattern::Pattern(std::unique_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {
  if (!regex_->PossibleMatchRange(&lowest_, &highest_, kRangeLength)) {
    lowest_.clear();
    highest_.clear();
  }
}

Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

std::string_view Pattern::text() const { return regex_->pattern(); }

bool Pattern::matches(std::string_view subject) const {
  if (subject < lowest_ || (!highest_.empty() && subject > highest_)) return false;
  return regex_->Match(re2::StringPiece(subject.data(), subject.size()), 0, subject.size(),
                       re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

bool Pattern::find(std::string_view subject, std::span<std::string_view> groups) const {
  std::array<re2::StringPiece, kMaxGroups> found;
  const std::size_t count = std::min(groups.size(), found.size());
  if (!regex_->Match(re2::StringPiece(subject.data(), subject.size()), 0, subject.size(),
                     re2::RE2::UNANCHORED, found.data(), static_cast<int>(count))) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

std::string Pattern::check_substitution(std::string_view substitution) const {
  std::string error;
  regex_->CheckRewriteString(re2::StringPiece(substitution.data(), substitution.size()), &error);
  return error;
}

}  // namespace weir::route
