// SPDX-License-Identifier: Apache-2.0
#include "app/cpus.h"

#include <sched.h>

#include <algorithm>
#include <charconv>

#include "app/files.h"

namespace weir::app {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::optional<int64_t> number(std::string_view text) {
  text = trimmed(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint32_t> cpus_of(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  // Rounded up: with 1.5 CPUs, one worker could not use the half.
  return static_cast<uint32_t>(std::min<int64_t>((*quota + *period - 1) / *period, 65'536));
}

// The tightest limit on the way from the process's group to the root counts.
template <typename Read>
std::optional<uint32_t> tightest(std::string group, Read read) {
  std::optional<uint32_t> best;
  while (true) {
    if (const auto here = read(group)) best = std::min(best.value_or(UINT32_MAX), *here);
    if (group.empty() || group == "/") return best;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

std::optional<uint32_t> cgroup_cpus(const std::string& root) {
  const std::string groups = read_small_file(root + "/proc/self/cgroup").value_or("");
  const std::string base = root + "/sys/fs/cgroup";
  const auto v2 = tightest(cgroup_path(groups, ""), [&](const std::string& group) {
    const auto text = read_small_file(base + group + "/cpu.max");
    return text ? cpus_of_cpu_max(*text) : std::nullopt;
  });
  if (v2) return v2;
  return tightest(cgroup_path(groups, "cpu"), [&](const std::string& group) {
    const std::string at = base + "/cpu" + group;
    const auto quota = read_small_file(at + "/cpu.cfs_quota_us");
    const auto period = read_small_file(at + "/cpu.cfs_period_us");
    return quota && period ? cpus_of_cfs(*quota, *period) : std::nullopt;
  });
}

uint32_t affinity_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<uint32_t>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

std::optional<uint32_t> cpus_of_cpu_max(std::string_view text) {
  text = trimmed(text);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return cpus_of(number(text.substr(0, space)), number(text.substr(space + 1)));
}

std::optional<uint32_t> cpus_of_cfs(std::string_view quota, std::string_view period) {
  return cpus_of(number(quota), number(period));
}

std::string cgroup_path(std::string_view proc_self_cgroup, std::string_view controller) {
  while (!proc_self_cgroup.empty()) {
    const size_t end = std::min(proc_self_cgroup.find('\n'), proc_self_cgroup.size());
    const std::string_view line = proc_self_cgroup.substr(0, end);
    proc_self_cgroup.remove_prefix(std::min(end + 1, proc_self_cgroup.size()));
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers =
        "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool found = controller.empty() ? controllers == ",,"
                                          : controllers.find("," + std::string(controller) + ",") !=
                                                std::string::npos;
    if (found) return std::string(line.substr(second + 1));
  }
  return {};
}

uint32_t granted_cpus(const std::string& root) {
  const uint32_t mask = affinity_cpus();
  return std::max(1U, std::min(mask, cgroup_cpus(root).value_or(mask)));
}

}  // namespace weir::app
