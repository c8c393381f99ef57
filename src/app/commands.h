// SPDX-License-Identifier: Apache-2.0
// What each command of the command line does, but for `run` (server.h) and `origin` (origin.h).
// Each prints to standard output, errors to standard error, and returns an exit code.
#pragma once

#include "app/options.h"

namespace weir::app {

// config_commands.cc
int run_check(const Options& options);
int run_diff(const Options& options);

// explain_command.cc
int run_explain(const Options& options);

// client_commands.cc: they talk to a running weir.
int run_reload(const Options& options);
int run_status(const Options& options);
int run_top(const Options& options);

// verb_commands.cc: they too.
int run_set(const Options& options);
int run_overrides(const Options& options);
int run_drain(const Options& options);
int run_diff_running(const Options& options);

}  // namespace weir::app
