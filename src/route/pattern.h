// SPDX-License-Identifier: Apache-2.0
// A regular expression (RE2 syntax: linear time, no backtracking, no look-around). RE2 itself is
// hidden, so that nobody else sees its headers. Its memory is bounded: a pattern that needs more is
// refused when it is compiled, and slows down rather than grows when it is matched.
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace weir::route {

class Pattern {
 public:
  /// The pattern, or what RE2 has against it.
  static std::expected<Pattern, std::string> compile(std::string_view text);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  std::string_view text() const;
  /// The whole of `subject`, not a part of it.
  bool matches(std::string_view subject) const;
  /// Finds the first match within `subject` and fills `groups` (0: the whole match); groups that
  /// took no part are null views. False, and `groups` unspecified, if there is none.
  bool find(std::string_view subject, std::span<std::string_view> groups) const;
  /// What is wrong with `substitution` (\0-\9) for this pattern; empty if nothing is.
  std::string check_substitution(std::string_view substitution) const;

 private:
  explicit Pattern(std::unique_ptr<const re2::RE2> regex);

  std::unique_ptr<const re2::RE2> regex_;
  // Every subject that matches lies between the two: two comparisons spare most runs of the regex.
  std::string lowest_;
  std::string highest_;  // empty: no bound
};

}  // namespace weir::route
