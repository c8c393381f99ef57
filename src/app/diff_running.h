// SPDX-License-Identifier: Apache-2.0
// What `weir diff --running` is answered: what is set by hand, and what a reload would change.
// Reads the file: not for a thread that serves.
#pragma once

#include <weir/config.h>

#include <string>
#include <vector>

#include "admin/process.h"

namespace weir::app {

admin::DiffOutcome diff_running(const Config& running, const std::string& path,
                                const std::vector<admin::OverrideRow>& set, bool json);

}  // namespace weir::app
