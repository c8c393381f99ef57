// SPDX-License-Identifier: Apache-2.0
// From a config file to everything that can be made of it without touching the machine: for `weir
// check`, `weir explain`, a start and a reload alike, so that what check accepts, run compiles. The
// files that TLS settings name are read with it, but not by who only asks about routes or keys:
// that must work where the certificates are not.
// Takes a second for 100,000 routes: not for a loop's thread.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "app/tls_contexts.h"
#include "config/diagnostics.h"
#include "config/load.h"
#include "proxy/access_log.h"
#include "proxy/cells.h"
#include "proxy/policies.h"
#include "proxy/releases.h"
#include "proxy/snapshot.h"
#include "route/table.h"

namespace weir::app {

struct Compiled {
  std::shared_ptr<const Config> config;
  std::unique_ptr<const route::Table> routes;
  std::unique_ptr<const proxy::AccessLogFormat> access_log;  ///< Null if it is off.
  std::unique_ptr<proxy::Cells> cells;                       ///< As in proxy::Snapshot.
  std::unique_ptr<proxy::Policies> policies;                 ///< As in proxy::Snapshot.
  std::unique_ptr<proxy::Releases> releases;                 ///< As in proxy::Snapshot.
  proxy::Targets targets;                                    ///< As in proxy::Snapshot.
  TlsContexts tls;                                           ///< Empty if its files were not read.
  std::vector<config::Diagnostic> warnings;
};

using CompileResult = std::expected<Compiled, std::vector<config::Diagnostic>>;

/// `ticket_keys`: of the process. Null: files of TLS settings are left alone. Limits are checked
/// but not compiled: they need a proxy::compile_limits() with the process's registry.
CompileResult compile_file(const std::string& path,
                           const std::shared_ptr<net::TlsTicketKeys>& ticket_keys);

/// The same for those who want the report of config/ only.
enum class TlsFiles : uint8_t { kIgnore, kRead };
config::LoadResult check_file(const std::string& path, TlsFiles tls_files);

}  // namespace weir::app
