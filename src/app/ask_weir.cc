// SPDX-License-Identifier: Apache-2.0
#include "app/ask_weir.h"

#include <cstdio>
#include <utility>

#include "app/exit_code.h"
#include "config/load.h"

namespace weir::app {
namespace {

// The admin socket that the config names, though the rest of it may be wrong: `weir reload -c` must
// reach weir so that weir says so. Prints and fills `code` if there is none to be found.
std::optional<std::string> admin_of(const Options& options, int& code) {
  if (options.config.empty()) return options.admin;
  std::optional<AdminConfig> admin;
  const config::Validator look = [&](const Config& config, config::Diagnostics&) {
    admin = config.admin;
  };
  config::LoadOptions load;
  load.validators = {&look, 1};
  const config::LoadResult result = config::load_file(options.config, load);
  if (admin && admin->address) return admin->address->text;
  code = kExitConfig;
  if (!result) {
    std::fputs(config::render(result.error(), config::ReportFormat::kText).c_str(), stderr);
  } else {
    std::fprintf(stderr, "weir: admin.address is off in %s: there is no socket to ask on\n",
                 options.config.c_str());
  }
  return std::nullopt;
}

}  // namespace

int complain(const std::string& error) {
  std::fprintf(stderr, "weir: %s\n", error.c_str());
  return kExitUnreachable;
}

std::optional<AdminAnswer> ask_weir(const Options& options, const char* method,
                                    const std::string& target, int& code) {
  const auto admin = admin_of(options, code);
  if (!admin) return std::nullopt;
  auto answer = ask_admin(*admin, method, target);
  if (answer) return std::move(*answer);
  code = complain(answer.error());
  return std::nullopt;
}

}  // namespace weir::app
