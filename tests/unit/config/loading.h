// SPDX-License-Identifier: Apache-2.0
// What the tests of config/ share: load a text without touching the environment or the file system,
// and say what went wrong where a load was meant to succeed.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "config/dump.h"
#include "config/load.h"

namespace weir::config::test {

using Variables = std::map<std::string, std::string, std::less<>>;
using Files = std::map<std::string, std::string, std::less<>>;

inline LoadOptions sealed(Variables variables = {}, Files files = {}) {
  LoadOptions options;
  options.environment = [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  options.read_file = [files](const std::string& path) -> std::expected<std::string, std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::unexpected("No such file or directory");
    return found->second;
  };
  return options;
}

inline LoadResult load(std::string_view text, const LoadOptions& options = sealed()) {
  return load_text(text, "test.yaml", options);
}

// The configuration of a text that is meant to load.
inline Config good(std::string_view text, const LoadOptions& options = sealed()) {
  LoadResult result = load(text, options);
  EXPECT_TRUE(result) << check_report(result, "test.yaml", ReportFormat::kText);
  return result ? std::move(result->config) : Config();
}

// The findings of a text that is meant to fail.
inline std::vector<Diagnostic> bad(std::string_view text, const LoadOptions& options = sealed()) {
  LoadResult result = load(text, options);
  EXPECT_FALSE(result);
  return result ? std::vector<Diagnostic>() : std::move(result.error());
}

// The warnings of a text that is meant to load, as "key: message".
inline std::vector<std::string> warnings(std::string_view text,
                                         const LoadOptions& options = sealed()) {
  const LoadResult result = load(text, options);
  EXPECT_TRUE(result) << check_report(result, "test.yaml", ReportFormat::kText);
  std::vector<std::string> out;
  if (!result) return out;
  for (const Diagnostic& d : result->warnings) out.push_back(d.key + ": " + d.message);
  return out;
}

inline std::string yaml_of(const Config& config) {
  return dump(config, DumpFormat::kYaml, Secrets::kShow);
}

// One listener, one cluster `c`, and what is given.
inline std::string around(std::string_view text) {
  return "listeners: {e: {address: 127.0.0.1:80}}\n"
         "clusters: {c: {endpoints: [{address: 127.0.0.1:1}]}}\n" +
         std::string(text);
}

// A route `r` to cluster `c` with further keys, such as "timeout: 3s".
inline RouteConfig route_with(std::string_view keys) {
  const Config config =
      good(around("routes: [{name: r, target: {cluster: c}, " + std::string(keys) + "}]"));
  return config.routes.empty() ? RouteConfig() : config.routes.front();
}

}  // namespace weir::config::test
