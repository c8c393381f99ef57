// SPDX-License-Identifier: Apache-2.0
// Small files read whole. Blocking: not for a loop's thread, but for /proc and /sys.
#pragma once

#include <optional>
#include <string>

namespace weir::app {

/// Nothing if it cannot be opened or read. At most 1 MiB is read.
std::optional<std::string> read_small_file(const std::string& path);

}  // namespace weir::app
