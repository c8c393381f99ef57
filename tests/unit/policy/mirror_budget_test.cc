// SPDX-License-Identifier: Apache-2.0
#include "policy/mirror_budget.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace weir::policy {
namespace {

TEST(MirrorBudget, ThereAreAsManyPlacesAsItIsTold) {
  MirrorBudget budget;
  EXPECT_TRUE(budget.take_place(2));
  EXPECT_TRUE(budget.take_place(2));
  EXPECT_FALSE(budget.take_place(2));
  budget.give_place();
  EXPECT_TRUE(budget.take_place(2));
  EXPECT_EQ(budget.copies(), 2U);
}

TEST(MirrorBudget, NoneIsNone) {
  MirrorBudget budget;
  EXPECT_FALSE(budget.take_place(0));
  EXPECT_FALSE(budget.take_bytes(1, 0));
  EXPECT_TRUE(budget.take_bytes(0, 0)) << "a request without a body";
}

TEST(MirrorBudget, BytesThatDoNotFitAreNotTaken) {
  MirrorBudget budget;
  EXPECT_TRUE(budget.take_bytes(60, 100));
  EXPECT_FALSE(budget.take_bytes(41, 100));
  EXPECT_EQ(budget.bytes(), 60U);
  EXPECT_TRUE(budget.take_bytes(40, 100));
  budget.give_bytes(60);
  EXPECT_EQ(budget.bytes(), 40U);
}

TEST(MirrorBudget, AMaximumThatWasLoweredIsKeptFromThenOn) {
  MirrorBudget budget;
  EXPECT_TRUE(budget.take_place(2));
  EXPECT_TRUE(budget.take_place(2));
  EXPECT_TRUE(budget.take_bytes(100, 100));
  EXPECT_FALSE(budget.take_place(1));
  EXPECT_FALSE(budget.take_bytes(1, 50));
  budget.give_place();
  EXPECT_FALSE(budget.take_place(1));
  budget.give_place();
  EXPECT_TRUE(budget.take_place(1));
}

TEST(MirrorBudget, NoSumOverflows) {
  MirrorBudget budget;
  EXPECT_TRUE(budget.take_bytes(10, std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(budget.take_bytes(std::numeric_limits<std::uint64_t>::max(),
                                 std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(budget.bytes(), 10U);
}

TEST(MirrorBudget, ManyThreadsTogetherNeverTakeMoreThanThereIs) {
  constexpr std::uint32_t kPlaces = 7;
  MirrorBudget budget;
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&, seed] {
      base::Rng rng(seed);
      for (int i = 0; i < 20'000; ++i) {
        if (!budget.take_place(kPlaces)) continue;
        const std::uint64_t bytes = rng.below(40);
        const bool took = budget.take_bytes(bytes, 100);
        if (budget.copies() > kPlaces || budget.bytes() > 100) over = true;
        if (took) budget.give_bytes(bytes);
        budget.give_place();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_EQ(budget.copies(), 0U);
  EXPECT_EQ(budget.bytes(), 0U);
}

TEST(MirrorDrop, EachHasAWordOfItsOwn) {
  std::set<std::string_view> words;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(MirrorDrop::kCount); ++i) {
    words.insert(mirror_drop_word(static_cast<MirrorDrop>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(MirrorDrop::kCount));
  EXPECT_FALSE(words.contains(""));
}

}  // namespace
}  // namespace weir::policy
