// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "app/commands.h"
#include "app/compile.h"
#include "app/exit_code.h"
#include "config/diff.h"
#include "config/load.h"

namespace weir::app {
namespace {

config::ReportFormat format_of(const Options& options) {
  return options.json ? config::ReportFormat::kJson : config::ReportFormat::kText;
}

}  // namespace

int run_check(const Options& options) {
  const config::LoadResult result = check_file(options.config, TlsFiles::kRead);
  std::fputs(config::check_report(result, options.config, format_of(options)).c_str(), stdout);
  return result ? kExitOk : kExitConfig;
}

int run_diff(const Options& options) {
  const config::LoadResult before = check_file(options.old_config, TlsFiles::kIgnore);
  const config::LoadResult after = check_file(options.new_config, TlsFiles::kIgnore);
  for (const config::LoadResult* result : {&before, &after}) {
    if (*result) continue;
    std::fputs(config::render(result->error(), format_of(options)).c_str(), stderr);
  }
  if (!before || !after) return kDiffTrouble;
  const auto changes = config::diff(before->config, after->config);
  if (changes.empty() && !options.json) {
    std::puts("no change");
    return kDiffSame;
  }
  std::fputs(config::render(changes, format_of(options)).c_str(), stdout);
  return changes.empty() ? kDiffSame : kDiffChanges;
}

}  // namespace weir::app
