// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::bench {

CpuWatch::CpuWatch(const std::string& pids, int core) : core_(core) {
  std::istringstream in(pids);
  for (std::string pid; std::getline(in, pid, ',');) pids_.push_back(pid);
}

CpuSample CpuWatch::read() const {
  CpuSample sample;
  std::error_code ignored;  // a thread may end between the listing and the reading
  for (const std::string& pid : pids_) {
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + pid + "/task", ignored)) {
      uint64_t on_cpu = 0;
      std::ifstream(task.path() / "schedstat") >> on_cpu;
      sample.process_ns += on_cpu;
    }
  }
  std::ifstream stat("/proc/stat");
  const std::string wanted = "cpu" + std::to_string(core_);
  for (std::string line; std::getline(stat, line);) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    if (name != wanted) continue;
    uint64_t ticks = 0;
    // user nice system idle iowait irq softirq steal; guest time is already in user.
    for (int i = 0; i < 8 && fields >> ticks; ++i) {
      sample.core_total += ticks;
      if (i != 3 && i != 4) sample.core_busy += ticks;
    }
  }
  return sample;
}

}  // namespace weir::bench
