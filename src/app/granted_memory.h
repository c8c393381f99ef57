// SPDX-License-Identifier: Apache-2.0
// How much memory this process may take: the cgroup's limit, or what the machine has. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::app {

/// memory.max (v2) or memory.limit_in_bytes (v1); nothing for "max" and for what means no limit.
std::optional<uint64_t> memory_of_limit(std::string_view text);
/// In bytes. `root`: before /proc and /sys, for tests.
uint64_t granted_memory(const std::string& root = "");

}  // namespace weir::app
