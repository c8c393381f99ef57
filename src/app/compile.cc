// SPDX-License-Identifier: Apache-2.0
#include "app/compile.h"

#include <array>
#include <utility>

#include "config/file.h"

namespace weir::app {
namespace {

std::unique_ptr<const proxy::AccessLogFormat> compile_access_log(const AccessLogConfig& config,
                                                                 config::Diagnostics& diagnostics) {
  auto format = proxy::AccessLogFormat::compile(config);
  if (!format) {
    diagnostics.error(config.location, "access_log.format",
                      {format.error(), "json and common need no template"});
    return nullptr;
  }
  if (config.sink == AccessLogConfig::Sink::kOff) return nullptr;
  return std::make_unique<const proxy::AccessLogFormat>(std::move(*format));
}

// Secrets are left alone where TLS files are.
proxy::Cells::ReadFile read_beside(const Config& config) {
  return [&config](const std::string& path) {
    return config::read_whole_file(config.files.empty() ? path
                                                        : config::beside(config.files[0], path));
  };
}

// Loads and leaves in `out` what the validators compiled on the way: compiling is how they check.
config::LoadResult load(const std::string& path,
                        const std::shared_ptr<net::TlsTicketKeys>& ticket_keys, Compiled& out) {
  const std::array<config::Validator, 6> validators{
      [&](const Config& config, config::Diagnostics& diagnostics) {
        out.routes = route::Table::compile(config.routes, diagnostics);
      },
      [&](const Config& config, config::Diagnostics& diagnostics) {
        out.access_log = compile_access_log(config.access_log, diagnostics);
      },
      [&](const Config& config, config::Diagnostics& diagnostics) {
        if (ticket_keys) out.tls = build_tls(config, ticket_keys, diagnostics);
      },
      [&](const Config& config, config::Diagnostics& diagnostics) {
        out.policies = proxy::compile_policies(config, diagnostics);
      },
      [&](const Config& config, config::Diagnostics& diagnostics) {
        out.cells =
            proxy::Cells::compile(config, ticket_keys ? read_beside(config) : nullptr, diagnostics);
      },
      [&](const Config& config, config::Diagnostics& diagnostics) {
        out.releases = proxy::Releases::compile(config, diagnostics);
      }};
  config::LoadOptions options;
  options.validators = validators;
  return config::load_file(path, options);
}

}  // namespace

CompileResult compile_file(const std::string& path,
                           const std::shared_ptr<net::TlsTicketKeys>& ticket_keys) {
  Compiled out;
  config::LoadResult loaded = load(path, ticket_keys, out);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  out.config = std::make_shared<const Config>(std::move(loaded->config));
  out.targets = proxy::resolve_targets(*out.config);
  out.warnings = std::move(loaded->warnings);
  return out;
}

config::LoadResult check_file(const std::string& path, TlsFiles tls_files) {
  Compiled dropped;
  const bool read = tls_files == TlsFiles::kRead;
  return load(path, read ? net::make_process_ticket_keys() : nullptr, dropped);
}

}  // namespace weir::app
