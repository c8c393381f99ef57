// SPDX-License-Identifier: Apache-2.0
// From a config file to everything that can be made of it without touching the machine: for `weir
// check`, `weir explain`, a start and a reload alike, so that what check accepts, run compiles.
// Takes a second for 100,000 routes: not for a loop's thread.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "config/load.h"
#include "proxy/access_log.h"
#include "route/table.h"

namespace weir::app {

struct Compiled {
  std::shared_ptr<const Config> config;
  std::unique_ptr<const route::Table> routes;
  std::unique_ptr<const proxy::AccessLogFormat> access_log;  ///< Null if it is off.
  std::vector<std::vector<uint32_t>> route_clusters;         ///< As in proxy::Snapshot.
  std::vector<config::Diagnostic> warnings;
};

using CompileResult = std::expected<Compiled, std::vector<config::Diagnostic>>;

CompileResult compile_file(const std::string& path);

/// The same for those who want the report of config/ only.
config::LoadResult check_file(const std::string& path);

}  // namespace weir::app
