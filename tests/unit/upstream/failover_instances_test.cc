// SPDX-License-Identifier: Apache-2.0
#include "upstream/failover_instances.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::upstream {
namespace {

Config config_of(const std::vector<std::string>& cells) {
  Config config;
  config.cells.emplace();
  for (const std::string& name : cells) {
    CellConfig cell;
    cell.name = name;
    config.cells->members.push_back(cell);
  }
  return config;
}

FailoverGroupConfig group_of(const std::string& name, const std::vector<std::string>& clusters) {
  FailoverGroupConfig group;
  group.name = name;
  for (const std::string& cluster : clusters) {
    FailoverMemberConfig member;
    member.cluster = cluster;
    group.members.push_back(member);
  }
  return group;
}

TEST(FailoverInstancesTest, AGroupWithoutCellsIsItself) {
  Config config = config_of({"c1", "c2"});
  config.failover_groups = {group_of("g", {"a", "b"})};
  const auto all = failover_instances(config);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].config.name, "g");
  EXPECT_TRUE(all[0].own.empty());
}

TEST(FailoverInstancesTest, OneWithCellsIsAGroupForEach) {
  Config config = config_of({"c1", "c2"});
  config.failover_groups = {group_of("g", {"a"}), group_of("h", {"far", "app-{cell}"}),
                            group_of("i", {"b"})};
  const auto all = failover_instances(config);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].config.name, "h@c1");
  EXPECT_EQ(all[1].config.members[0].cluster, "far");
  EXPECT_EQ(all[1].config.members[1].cluster, "app-c1");
  EXPECT_EQ(all[1].own, std::vector<std::uint32_t>{1});
  EXPECT_EQ(all[2].config.members[1].cluster, "app-c2");
  EXPECT_EQ(all[2].group, 1u);
  EXPECT_EQ(all[3].group, 2u);
}

}  // namespace
}  // namespace weir::upstream
