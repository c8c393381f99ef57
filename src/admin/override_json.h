// SPDX-License-Identifier: Apache-2.0
// Overrides inside of pages: those of clusters, cells and breakers show what was set of each.
// `Json` is nlohmann's, which is too heavy for a header. Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "admin/overrides.h"

namespace weir::admin {

template <typename Json>
Json override_object(const OverrideRow& row) {
  Json json;
  json["kind"] = override_word(row.kind);
  json["name"] = row.name;
  json["value"] = row.value;
  json["configured"] = row.configured;
  json["ends"] = end_word(row.end);
  if (row.end == OverrideEnd::kTime) json["for_ms"] = row.left.count();
  json["age_ms"] = row.age.count();
  json["by"] = row.who;
  json["line"] = override_line(row);
  return json;
}

template <typename Json>
Json override_array(const std::vector<OverrideRow>& rows) {
  Json list = Json::array();
  for (const OverrideRow& row : rows) list.push_back(override_object<Json>(row));
  return list;
}

/// Adds `override`, or `weight_override`, if there is one.
template <typename Json>
void add_override(Json& to, const std::vector<OverrideRow>& rows, OverrideKind kind,
                  std::string_view name) {
  const OverrideRow* const row = find_override(rows, kind, name);
  if (row == nullptr) return;
  to[kind == OverrideKind::kWeight ? "weight_override" : "override"] = override_object<Json>(*row);
}

}  // namespace weir::admin
