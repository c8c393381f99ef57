// SPDX-License-Identifier: Apache-2.0
#include "app/cpus.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace weir::app {
namespace {

TEST(CpuMax, IsQuotaByPeriodRoundedUp) {
  EXPECT_EQ(cpus_of_cpu_max("200000 100000\n"), 2U);
  EXPECT_EQ(cpus_of_cpu_max("150000 100000\n"), 2U);
  EXPECT_EQ(cpus_of_cpu_max("10000 100000"), 1U);
  EXPECT_EQ(cpus_of_cpu_max("50000 10000"), 5U);
}

TEST(CpuMax, IsNoLimitWhenItSaysSoOrNonsense) {
  for (const char* text : {"max 100000\n", "", "\n", "200000", "0 100000", "200000 0", "-1 100000",
                           "a b", "200000 100000x", "99999999999999999999 1"}) {
    EXPECT_EQ(cpus_of_cpu_max(text), std::nullopt) << text;
  }
}

TEST(Cfs, IsTheSameInTwoFiles) {
  EXPECT_EQ(cpus_of_cfs("300000\n", "100000\n"), 3U);
  EXPECT_EQ(cpus_of_cfs("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_cfs("", ""), std::nullopt);
}

TEST(CgroupPath, IsFoundByHierarchy) {
  const char* const both =
      "12:memory:/m\n"
      "4:cpu,cpuacct:/docker/abc\n"
      "1:name=systemd:/s\n"
      "0::/unified/x\n";
  EXPECT_EQ(cgroup_path(both, ""), "/unified/x");
  EXPECT_EQ(cgroup_path(both, "cpu"), "/docker/abc");
  EXPECT_EQ(cgroup_path(both, "cpuset"), "");
  EXPECT_EQ(cgroup_path("0::/\n", ""), "/");
  EXPECT_EQ(cgroup_path("", ""), "");
  EXPECT_EQ(cgroup_path("garbage\n:\n", "cpu"), "");
}

class GrantedCpus : public ::testing::Test {
 protected:
  GrantedCpus() {
    char name[] = "/tmp/weir-cpus-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~GrantedCpus() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(GrantedCpus, TakesTheTightestOnTheWayToTheRoot) {
  write("/proc/self/cgroup", "0::/pod/container\n");
  write("/sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
  write("/sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  EXPECT_EQ(granted_cpus(root_), 1U);
}

TEST_F(GrantedCpus, ReadsVersionOneToo) {
  write("/proc/self/cgroup", "3:cpu,cpuacct:/docker/a\n");
  write("/sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us", "100000\n");
  write("/sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(granted_cpus(root_), 1U);
}

TEST_F(GrantedCpus, IsNeverMoreThanTheAffinityMaskAllows) {
  const uint32_t unlimited = granted_cpus(root_);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "6400000 100000\n");
  EXPECT_EQ(granted_cpus(root_), unlimited);
  EXPECT_GE(unlimited, 1U);
}

}  // namespace
}  // namespace weir::app
