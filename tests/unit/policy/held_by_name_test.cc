// SPDX-License-Identifier: Apache-2.0
#include "policy/held_by_name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::policy {
namespace {

CountedName counted(std::string_view name) { return CountedName::make(KeySecret{1, 2}, name); }

HeldByName::Sums read(const HeldByName& held) {
  HeldByName::Sums sums;
  held.read(sums);
  return sums;
}

TEST(HeldByName, ExchangesOfOneNameAreOneSum) {
  HeldByName held;
  HeldByName::Place& one = held.enter(counted("resize"));
  HeldByName::Place& two = held.enter(counted("resize"));
  EXPECT_EQ(&one, &two);
  one.bytes.add(4096);
  two.bytes.add(100);
  EXPECT_EQ(read(held), (HeldByName::Sums{{"", 0}, {"resize", 4196}}));
}

TEST(HeldByName, WhoHoldsNothingIsNotNamed) {
  HeldByName held;
  held.enter(counted("resize"));
  EXPECT_EQ(read(held), (HeldByName::Sums{{"", 0}}));
}

TEST(HeldByName, ANameThatCannotBeToldIsAmongTheOthers) {
  HeldByName held;
  held.enter(counted("other")).bytes.add(10);
  held.enter(counted(std::string(HeldByName::kMaxName + 1, 'x'))).bytes.add(20);
  EXPECT_EQ(read(held), (HeldByName::Sums{{"", 30}}));
}

TEST(HeldByName, NoPlaceIsTakenFromWhoIsThere) {
  HeldByName held;
  constexpr int kNames = 5000;  // more than there are places
  for (int i = 0; i < kNames; ++i) held.enter(counted("f" + std::to_string(i))).bytes.add(1);
  const HeldByName::Sums sums = read(held);
  std::int64_t all = 0;
  for (const auto& [name, bytes] : sums) {
    if (!name.empty()) {
      EXPECT_EQ(bytes, 1) << name;
    }
    all += bytes;
  }
  EXPECT_EQ(all, kNames);
  EXPECT_GT(sums.size(), 900U);
}

TEST(HeldByName, APlaceIsFreeAgainWhenItsUsersHaveGone) {
  HeldByName held;
  for (int i = 0; i < 5000; ++i) {
    HeldByName::Place& place = held.enter(counted("f" + std::to_string(i)));
    place.bytes.add(1);
    EXPECT_TRUE(read(held).contains("f" + std::to_string(i)));
    place.bytes.sub(1);
    held.leave(place);
  }
}

TEST(HeldByName, WhatIsNoUtf8IsReadWithQuestionMarks) {
  HeldByName held;
  held.enter(counted("a\xff")).bytes.add(1);
  held.enter(counted("a\xfe")).bytes.add(2);
  EXPECT_EQ(read(held), (HeldByName::Sums{{"", 0}, {"a?", 3}}));
}

TEST(HeldByName, TheLargestAreNamedAndTheRestIsOneSum) {
  const HeldByName::Sums sums{{"", 1}, {"a", 10}, {"b", 30}, {"c", 20}, {"d", 5}};
  EXPECT_EQ(largest(sums, 2), (HeldByName::Sums{{"", 16}, {"b", 30}, {"c", 20}}));
  EXPECT_EQ(largest(sums, 9), sums);
}

}  // namespace
}  // namespace weir::policy
