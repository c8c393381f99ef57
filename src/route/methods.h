// SPDX-License-Identifier: Apache-2.0
// The methods that a route takes: a bit for each method that weir knows, and names for the others.
// Names match byte for byte (RFC 9110, 9.1), and GET does not imply HEAD: what is not listed is not
// taken. Immutable after compile; any thread.
#pragma once

#include <weir/message.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::route {

/// The method of that name; kOther if weir gives it no meaning of its own.
Method method_of(std::string_view name);
/// The reverse; empty for kOther.
std::string_view method_name(Method method);

class MethodSet {
 public:
  static constexpr std::uint16_t kAll = 0xffff;

  /// Every method.
  MethodSet() = default;
  /// Those named; every method if `names` is empty.
  explicit MethodSet(const std::vector<std::string>& names);
  /// The set of no method, to merge() into.
  static MethodSet none() {
    MethodSet set;
    set.bits_ = 0;
    return set;
  }

  bool any() const { return bits_ == kAll; }
  /// Requires: `method` is method_of(text).
  bool contains(Method method, std::string_view text) const {
    if (method != Method::kOther || any()) return (bits_ & bit(method)) != 0;
    return contains_other(text);
  }
  /// Whether every method of `other` is in this set.
  bool covers(const MethodSet& other) const;
  void merge(const MethodSet& other);
  /// "GET, POST, PURGE", as Allow has it; empty for every method.
  std::string text() const;
  /// Bits of the known methods; kAll for every method.
  std::uint16_t bits() const { return bits_; }
  /// Names of methods that are not known, sorted.
  const std::vector<std::string>& others() const { return others_; }
  bool operator==(const MethodSet&) const = default;

  static constexpr std::uint16_t bit(Method method) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(method));
  }

 private:
  bool contains_other(std::string_view text) const;

  std::uint16_t bits_ = kAll;
  std::vector<std::string> others_;
};

}  // namespace weir::route
