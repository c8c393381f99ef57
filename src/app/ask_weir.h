// SPDX-License-Identifier: Apache-2.0
// One request to the running weir that the command line names: what the client commands share.
// Prints what goes wrong on standard error. Blocking.
#pragma once

#include <optional>
#include <string>

#include "app/admin_client.h"
#include "app/options.h"

namespace weir::app {

/// Nullopt: nobody answers, and `code` is the exit code for it.
std::optional<AdminAnswer> ask_weir(const Options& options, const char* method,
                                    const std::string& target, int& code);
/// Prints `error`, and is the exit code of a weir that cannot be reached.
int complain(const std::string& error);

}  // namespace weir::app
