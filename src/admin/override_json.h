// SPDX-License-Identifier: Apache-2.0
// Overrides inside of other pages: those of clusters, cells and breakers show what was set of each.
// Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "admin/overrides.h"

namespace weir::admin {

nlohmann::ordered_json override_array(const std::vector<OverrideRow>& rows);
/// Adds `override`, or `weight_override`, if there is one.
void add_override(nlohmann::ordered_json& to, const std::vector<OverrideRow>& rows,
                  OverrideKind kind, std::string_view name);

}  // namespace weir::admin
