// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace weir::base {
namespace {

class ArenaTest : public testing::Test {
 protected:
  Account account_;
  BlockPool pool_{1024, 4};
  Arena arena_{pool_, account_};
};

TEST_F(ArenaTest, HoldsNothingUntilAsked) {
  EXPECT_EQ(arena_.held(), 0U);
  EXPECT_EQ(account_.held(), 0);
  EXPECT_EQ(arena_.copy("").size(), 0U);
  EXPECT_EQ(arena_.held(), 0U);
}

TEST_F(ArenaTest, MemoryIsAlignedAndDoesNotOverlap) {
  char* before = nullptr;
  size_t before_size = 0;
  for (size_t n : {1U, 7U, 8U, 9U, 100U, 400U, 500U}) {
    char* memory = static_cast<char*>(arena_.allocate(n));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 8, 0U);
    EXPECT_TRUE(before == nullptr || memory >= before + before_size || memory + n <= before);
    std::memset(memory, 0xab, n);
    before = memory;
    before_size = n;
  }
}

TEST_F(ArenaTest, ChargesWholeBlocksAndGivesThemBack) {
  arena_.allocate(10);
  EXPECT_EQ(account_.held(), 1024);
  EXPECT_EQ(arena_.held(), 1024U);
  arena_.allocate(10);
  EXPECT_EQ(account_.held(), 1024);
  arena_.allocate(1000 - sizeof(Block));
  EXPECT_EQ(account_.held(), 2048);
  arena_.reset();
  EXPECT_EQ(account_.held(), 0);
  EXPECT_EQ(arena_.held(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(ArenaTest, WhatIsLargerThanABlockIsChargedToo) {
  char* memory = static_cast<char*>(arena_.allocate(100'000));
  memory[99'999] = 'x';
  EXPECT_GE(account_.held(), 100'000);
  EXPECT_EQ(pool_.live(), 0U);
  arena_.reset();
  EXPECT_EQ(account_.held(), 0);
}

TEST_F(ArenaTest, CopiesAndJoinsText) {
  std::string source = "hello";
  std::string_view copy = arena_.copy(source);
  source[0] = 'J';
  EXPECT_EQ(copy, "hello");
  EXPECT_EQ(arena_.concat({"a", "", "bc", "d"}), "abcd");
  EXPECT_EQ(arena_.concat({"", ""}), "");
}

TEST_F(ArenaTest, ArraysAreConstructed) {
  struct Item {
    int a = 7;
  };
  Item* items = arena_.array<Item>(20);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(items[i].a, 7);
}

TEST_F(ArenaTest, IsUsableAfterReset) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(arena_.copy("again"), "again");
    EXPECT_EQ(arena_.held(), 1024U);
    arena_.reset();
  }
}

}  // namespace
}  // namespace weir::base
