// SPDX-License-Identifier: Apache-2.0
// Any bytes -> the config loader: it never crashes, its findings can be rendered, and what it
// accepts can be written and read again to the same configuration.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/diff.h"
#include "config/dump.h"
#include "config/load.h"

namespace weir::config {
namespace {

// No environment and no files beyond a small one: an input must mean the same on every machine.
LoadOptions sealed() {
  LoadOptions options;
  options.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "A") return "127.0.0.1:1";
    return std::nullopt;
  };
  options.read_file = [](const std::string& path) -> std::expected<std::string, std::string> {
    if (path == "e.yaml") return "- {address: 127.0.0.1:1}\n";
    return std::unexpected("No such file or directory");
  };
  return options;
}

void load_and_write(std::string_view text) {
  const LoadOptions options = sealed();
  const LoadResult result = load_text(text, "fuzz.yaml", options);
  check_report(result, "fuzz.yaml", ReportFormat::kText);
  check_report(result, "fuzz.yaml", ReportFormat::kJson);
  if (!result) {
    CHECK(!result.error().empty());
    return;
  }
  const std::string yaml = dump(result->config, DumpFormat::kYaml, Secrets::kShow);
  const LoadResult again = load_text(yaml, "fuzz.yaml", options);
  CHECK(again);
  CHECK(diff(result->config, again->config).empty());
}

}  // namespace
}  // namespace weir::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::config::load_and_write({reinterpret_cast<const char*>(data), size});
  return 0;
}
