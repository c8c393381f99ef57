// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <algorithm>
#include <cstdlib>

#include "config/text_check.h"

namespace weir::config {

namespace {

bool is_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  const auto is_name_char = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), is_name_char);
}

// `reference` is what stands between the braces: NAME or NAME:-text.
std::expected<std::string, Finding> value_of(std::string_view reference,
                                             const Environment& environment) {
  const std::size_t split = reference.find(":-");
  const std::string_view name = reference.substr(0, split);
  if (!is_name(name)) {
    return std::unexpected(Finding{"${ without the name of a variable and }",
                                   "write ${NAME}, or $${ for a literal ${"});
  }
  const std::optional<std::string> value =
      environment ? environment(name) : std::optional<std::string>();
  if (!value && split != std::string_view::npos) return std::string(reference.substr(split + 2));
  if (!value) {
    return std::unexpected(Finding{
        "the environment has no variable " + std::string(name),
        "set it before weir starts, or write ${" + std::string(name) + ":-text} with a default"});
  }
  // The text of a variable has not been through the check that the file has.
  if (find_bad_byte(*value)) {
    return std::unexpected(
        Finding{"the variable " + std::string(name) + " holds control characters", ""});
  }
  return *value;
}

}  // namespace

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

std::expected<std::string, Finding> expand(std::string_view text, const Environment& environment) {
  std::string out;
  for (;;) {
    const std::size_t at = text.find("${");
    if (at == std::string_view::npos) return out.append(text);
    if (at > 0 && text[at - 1] == '$') {
      out.append(text.substr(0, at - 1)).append("${");
      text.remove_prefix(at + 2);
      continue;
    }
    const std::size_t end = text.find('}', at);
    const std::string_view reference =
        end == std::string_view::npos ? std::string_view() : text.substr(at + 2, end - at - 2);
    const auto value = value_of(reference, environment);
    if (!value) return std::unexpected(value.error());
    out.append(text.substr(0, at)).append(*value);
    text.remove_prefix(end + 1);
  }
}

std::string escape_variables(std::string_view text) {
  std::string out;
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${")) {
    out.append(text.substr(0, at)).append("$${");
    text.remove_prefix(at + 2);
  }
  return out.append(text);
}

}  // namespace weir::config
