// SPDX-License-Identifier: Apache-2.0
#include "app/granted_memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "app/cpus.h"
#include "app/files.h"

namespace weir::app {
namespace {

// cgroup v1 says "no limit" with the largest page-aligned number.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

// The tightest limit on the way from the process's group to the root counts.
std::optional<uint64_t> tightest(std::string group, const std::string& base,
                                 const std::string& file) {
  std::optional<uint64_t> best;
  while (true) {
    const auto text = read_small_file(base + group + file);
    const auto here = text ? memory_of_limit(*text) : std::nullopt;
    if (here) best = std::min(best.value_or(*here), *here);
    if (group.empty() || group == "/") return best;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

uint64_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  return static_cast<uint64_t>(std::max(pages, 0L)) * static_cast<uint64_t>(std::max(page, 0L));
}

}  // namespace

std::optional<uint64_t> memory_of_limit(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data() || value >= kNoLimit) return std::nullopt;
  return value;
}

uint64_t granted_memory(const std::string& root) {
  const std::string groups = read_small_file(root + "/proc/self/cgroup").value_or("");
  const std::string base = root + "/sys/fs/cgroup";
  const auto v2 = tightest(cgroup_path(groups, ""), base, "/memory.max");
  const auto v1 =
      tightest(cgroup_path(groups, "memory"), base + "/memory", "/memory.limit_in_bytes");
  const uint64_t machine = machine_memory();
  return std::min({v2.value_or(machine), v1.value_or(machine), machine});
}

}  // namespace weir::app
