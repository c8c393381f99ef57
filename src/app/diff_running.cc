// SPDX-License-Identifier: Apache-2.0
#include "app/diff_running.h"

#include <nlohmann/json.hpp>

#include "admin/override_json.h"
#include "app/compile.h"
#include "config/diff.h"

namespace weir::app {

admin::DiffOutcome diff_running(const Config& running, const std::string& path,
                                const std::vector<admin::OverrideRow>& set, bool json) {
  const auto format = json ? config::ReportFormat::kJson : config::ReportFormat::kText;
  const config::LoadResult file = check_file(path, TlsFiles::kIgnore);
  if (!file) return {false, config::render(file.error(), format)};
  const auto changes = config::diff(running, file->config);
  if (json) {
    const nlohmann::ordered_json page{
        {"overrides", admin::override_array<nlohmann::ordered_json>(set)},
        {"changes",
         nlohmann::ordered_json::parse(config::render(changes, format), nullptr, false)}};
    return {true,
            page.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"};
  }
  std::string text;
  for (const admin::OverrideRow& row : set) text += "set by hand: " + override_line(row) + "\n";
  if (!changes.empty()) {
    text += "a reload of " + path + " would change:\n" + config::render(changes, format);
  }
  return {true, std::move(text)};
}

}  // namespace weir::app
