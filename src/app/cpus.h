// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process may use: the cgroup's quota (v2 cpu.max, v1 cpu.cfs_quota_us), no more
// than the affinity mask. A container with two CPUs on a machine of 64 must not start 64 workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::app {

/// "200000 100000" is 2, "150000 100000" is 2 (a started CPU counts), "max 100000" is none.
std::optional<uint32_t> cpus_of_cpu_max(std::string_view text);
/// The same of cgroup v1's two files; a quota of -1 is none.
std::optional<uint32_t> cpus_of_cfs(std::string_view quota, std::string_view period);
/// The path of this process's group in /proc/self/cgroup: of v2 ("0::/path") if `controller` is
/// empty, else of the v1 hierarchy with that controller. Empty if there is none.
std::string cgroup_path(std::string_view proc_self_cgroup, std::string_view controller);

/// At least 1. `root` stands before every path that is read, for tests.
uint32_t granted_cpus(const std::string& root = "");

}  // namespace weir::app
