// SPDX-License-Identifier: Apache-2.0
// From a file to a Config, or to everything that is wrong with it: the door to config/. Reads the
// main file and the files that it names, parses, checks across sections, and runs the validators of
// other layers; nothing is compiled, resolved or opened beyond that, and a Config with an error is
// never returned. Any thread; takes seconds for 100,000 routes, so not one that serves.
#pragma once

#include <weir/config.h>

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/environment.h"
#include "config/reader.h"

namespace weir::config {

// A check that belongs to another layer (does this regex compile?). Reports with
// diagnostics.error(route.match.path.location, "routes.blue.match.path.regex", {message, hint}).
// Runs even when errors were found before, so it may see members at their defaults.
// What a validator compiles may point into the vectors of `config`: they are moved into the result,
// so their elements stay where they are. Run only when the file is YAML at all.
using Validator = std::function<void(const Config& config, Diagnostics& diagnostics)>;

struct LoadOptions {
  Environment environment = process_environment();
  // For the files that the main one names; paths come joined to its folder.
  FileReader read_file;  // empty: the file system
  std::span<const Validator> validators = {};
};

struct Loaded {
  Config config;
  std::vector<Diagnostic> warnings;
};

using LoadResult = std::expected<Loaded, std::vector<Diagnostic>>;

LoadResult load_file(const std::string& path, const LoadOptions& options = {});
// `name` stands for the file in findings; files that the text names are looked for beside it.
LoadResult load_text(std::string_view text, const std::string& name,
                     const LoadOptions& options = {});

// What `weir check` prints: every finding, then one line with the result. JSON: one object
// {"ok", "errors", "warnings", "findings"}.
std::string check_report(const LoadResult& result, const std::string& path, ReportFormat format);

}  // namespace weir::config
