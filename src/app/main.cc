// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/op_log.h"
#include "app/options.h"
#include "app/origin.h"
#include "app/server.h"

namespace {

int run(const weir::app::Options& options) {
  using weir::app::Command;
  switch (options.command) {
    case Command::kRun:
      if (options.verbose) weir::app::set_log_level(weir::app::LogLevel::kDebug);
      return weir::app::Server(options.config).run();
    case Command::kCheck:
      return weir::app::run_check(options);
    case Command::kDiff:
      return options.running ? weir::app::run_diff_running(options) : weir::app::run_diff(options);
    case Command::kExplain:
      return weir::app::run_explain(options);
    case Command::kSet:
      return weir::app::run_set(options);
    case Command::kOverrides:
      return weir::app::run_overrides(options);
    case Command::kReload:
      return weir::app::run_reload(options);
    case Command::kStatus:
      return weir::app::run_status(options);
    case Command::kDrain:
      return weir::app::run_drain(options);
    case Command::kTop:
      return weir::app::run_top(options);
    case Command::kOrigin:
      return weir::app::run_origin(options);
    case Command::kVersion:
      std::puts("weir " WEIR_VERSION);
      break;
  }
  return weir::app::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = weir::app::parse_options(std::vector<std::string>(argv + 1, argv + argc));
  if (options) return run(*options);
  const auto& usage = options.error();
  std::fputs(usage.text.c_str(), usage.exit_code == weir::app::kExitOk ? stdout : stderr);
  return usage.exit_code;
}
