// SPDX-License-Identifier: Apache-2.0
#include "route/methods.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::route {
namespace {

constexpr std::array<std::pair<std::string_view, Method>, 9> kKnown = {{
    {"GET", Method::kGet},
    {"HEAD", Method::kHead},
    {"POST", Method::kPost},
    {"PUT", Method::kPut},
    {"DELETE", Method::kDelete},
    {"PATCH", Method::kPatch},
    {"OPTIONS", Method::kOptions},
    {"CONNECT", Method::kConnect},
    {"TRACE", Method::kTrace},
}};

}  // namespace

Method method_of(std::string_view name) {
  for (const auto& [text, method] : kKnown) {
    if (text == name) return method;
  }
  return Method::kOther;
}

std::string_view method_name(Method method) {
  for (const auto& [text, known] : kKnown) {
    if (known == method) return text;
  }
  return {};
}

MethodSet::MethodSet(const std::vector<std::string>& names) {
  if (names.empty()) return;
  bits_ = 0;
  for (const std::string& name : names) {
    const Method method = method_of(name);
    if (method != Method::kOther) {
      bits_ = static_cast<std::uint16_t>(bits_ | bit(method));
    } else if (std::ranges::find(others_, name) == others_.end()) {
      others_.push_back(name);
    }
  }
  std::ranges::sort(others_);
}

bool MethodSet::contains_other(std::string_view text) const {
  return std::ranges::find(others_, text) != others_.end();
}

bool MethodSet::covers(const MethodSet& other) const {
  if (any()) return true;
  return (other.bits_ & ~bits_) == 0 &&
         std::ranges::all_of(other.others_,
                             [this](const auto& name) { return contains_other(name); });
}

void MethodSet::merge(const MethodSet& other) {
  bits_ = static_cast<std::uint16_t>(bits_ | other.bits_);
  for (const std::string& name : other.others_) {
    if (!contains_other(name)) others_.push_back(name);
  }
}

std::string MethodSet::text() const {
  if (any()) return {};
  std::string out;
  const auto append = [&out](std::string_view name) {
    if (!out.empty()) out += ", ";
    out += name;
  };
  for (const auto& [name, method] : kKnown) {
    if ((bits_ & bit(method)) != 0) append(name);
  }
  for (const std::string& name : others_) append(name);
  return out;
}

}  // namespace weir::route
