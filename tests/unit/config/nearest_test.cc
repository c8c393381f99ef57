// SPDX-License-Identifier: Apache-2.0
#include "config/nearest.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(Nearest, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("abc", "abxc"), 1U);
  EXPECT_EQ(edit_distance("abc", "axc"), 1U);
  EXPECT_EQ(edit_distance("abc", "acb"), 1U);
  EXPECT_EQ(edit_distance("weigth", "weight"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, NamesTheClosestWordThatCouldBeMeant) {
  EXPECT_EQ(nearest("adress", {"metrics", "address"}), "address");
  EXPECT_EQ(nearest("tmeout", {"timeouts", "timeout"}), "timeout");
}

TEST(Nearest, SaysNothingWhenNothingIsClose) {
  EXPECT_EQ(nearest("tls", {"address", "profile"}), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(10000, 'a'), {"a"}), "");
}

TEST(Nearest, ListsAlternativesAsASentence) {
  EXPECT_EQ(either_of({"a"}), "`a`");
  EXPECT_EQ(either_of({"a", "b", "c"}), "`a`, `b` or `c`");
  const std::vector<std::string_view> many(15, "x");
  EXPECT_TRUE(either_of(many).ends_with("and 3 more"));
}

}  // namespace
}  // namespace weir::config
