// SPDX-License-Identifier: Apache-2.0
#include "config/section.h"

#include "config/schema.h"

namespace weir::config {

namespace {

constexpr std::size_t kMaxPlaces = 3;

std::string_view parent_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

// Sections that do have a key of this name; a key in the wrong place is as common as a misspelt
// one.
std::vector<std::string_view> places_of(std::string_view name) {
  static const std::vector<KeyInfo> all = schema();
  std::vector<std::string_view> places;
  for (const KeyInfo& key : all) {
    if (key.name != name || places.size() == kMaxPlaces) continue;
    const std::string_view parent = parent_of(key.path);
    places.push_back(parent.empty() ? "the top level" : parent);
  }
  return places;
}

}  // namespace

Finding unknown_key(std::string_view name, const std::vector<std::string_view>& known) {
  if (known.empty()) return {"unknown key", "nothing is known here: write {}"};
  const std::string_view close = nearest(name, known);
  if (!close.empty()) return {"unknown key", "did you mean `" + std::string(close) + "`?"};
  const std::vector<std::string_view> places = places_of(name);
  if (places.empty()) return {"unknown key", "known here: " + either_of(known)};
  return {"unknown key", "it stands under " + either_of(places)};
}

}  // namespace weir::config
