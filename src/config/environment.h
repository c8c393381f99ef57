// SPDX-License-Identifier: Apache-2.0
// ${NAME} in a value becomes the variable's text, ${NAME:-text} the text when there is no such
// variable, and $${ stands for a literal ${. Replaced after YAML is parsed, so that a variable can
// never add keys. The environment is an argument: tests bring theirs.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostics.h"

namespace weir::config {

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// The variables of this process.
Environment process_environment();

std::expected<std::string, Finding> expand(std::string_view text, const Environment& environment);

// The inverse for text that must stand as it is.
std::string escape_variables(std::string_view text);

}  // namespace weir::config
