// SPDX-License-Identifier: Apache-2.0
#include "policy/place_table.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

LimitKey key_of(std::uint64_t number) { return {number * 0x9e3779b97f4a7c15ULL, number << 40}; }

constexpr PlaceBounds kHard{2, 0, 0};
constexpr PlaceBounds kQueued{2, 3, 64 * 1024};

TEST(PlaceTable, GivesOutExactlyItsPlaces) {
  PlaceTable table(100);
  EXPECT_EQ(table.take(key_of(1), kHard, 0).result, Take::kTaken);
  EXPECT_EQ(table.take(key_of(1), kHard, 0).result, Take::kTaken);
  EXPECT_EQ(table.take(key_of(1), kHard, 0).result, Take::kFull);
  EXPECT_EQ(table.take(key_of(2), kHard, 0).result, Take::kTaken);
  EXPECT_FALSE(table.release(key_of(1), false, 2));
  EXPECT_EQ(table.take(key_of(1), kHard, 0).result, Take::kTaken);
}

TEST(PlaceTable, BoundsThoseWhoWaitInNumberAndInBytes) {
  PlaceTable table(100);
  const LimitKey key = key_of(1);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  EXPECT_EQ(table.take(key, kQueued, 40 * 1024).result, Take::kQueued);
  EXPECT_EQ(table.take(key, kQueued, 40 * 1024).result, Take::kQueueFull);
  EXPECT_EQ(table.take(key, kQueued, 0).result, Take::kQueued);
  EXPECT_EQ(table.take(key, kQueued, 1).result, Take::kQueued);
  EXPECT_EQ(table.take(key, kQueued, 0).result, Take::kQueueFull);
  EXPECT_EQ(table.load(key).waiting, 3U);
  EXPECT_EQ(table.load(key).bytes, 44U * 1024);
  table.forget_waiting(key, 40 * 1024);
  EXPECT_EQ(table.load(key).bytes, 4U * 1024);
  EXPECT_EQ(table.take(key, kQueued, 0).result, Take::kQueued);
}

TEST(PlaceTable, AReleaseWithWaitersHandsThePlaceOn) {
  PlaceTable table(100);
  const LimitKey key = key_of(1);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  EXPECT_TRUE(table.release(key, false, 2));
  EXPECT_EQ(table.load(key).places, 2U);
  table.forget_waiting(key, 0);
  EXPECT_FALSE(table.release(key, false, 2));
  EXPECT_FALSE(table.release(key, false, 2));
  EXPECT_EQ(table.load(key).places, 0U);
}

TEST(PlaceTable, NobodyOvertakesThoseWhoWait) {
  PlaceTable table(100);
  const LimitKey key = key_of(1);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  table.give_back(key);
  EXPECT_EQ(table.take(key, kQueued, 0).result, Take::kQueued);
  EXPECT_TRUE(table.claim(key, 2));
  EXPECT_FALSE(table.claim(key, 2));
}

TEST(PlaceTable, ALoweredCapHandsNothingOn) {
  PlaceTable table(100);
  const LimitKey key = key_of(1);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  table.take(key, kQueued, 0);
  EXPECT_FALSE(table.release(key, false, 1));
  EXPECT_TRUE(table.release(key, false, 1));
}

TEST(PlaceTable, KeysThatHoldNothingMakeRoom) {
  PlaceTable table(100);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const PlaceTable::Taken taken = table.take(key_of(i), kHard, 0);
    ASSERT_EQ(taken.result, Take::kTaken);
    ASSERT_FALSE(taken.overflow);
    ASSERT_FALSE(table.release(key_of(i), false, 2));
  }
}

TEST(PlaceTable, KeysBeyondItsRoomShareOneCapAndNeverGetTwoOfTheirOwn) {
  PlaceTable table(100);
  std::uint64_t number = 0;
  while (!table.take(key_of(number), kHard, 0).overflow) ++number;
  const LimitKey late = key_of(number);
  EXPECT_EQ(table.take(late, kHard, 0).result, Take::kTaken);
  EXPECT_EQ(table.take(late, kQueued, 0).result, Take::kFull);
  // Room of its own comes free, but the key still holds two by way of the overflow.
  for (std::uint64_t i = 0; i < number; ++i) ASSERT_FALSE(table.release(key_of(i), false, 2));
  EXPECT_EQ(table.take(late, kHard, 0).result, Take::kFull);
  EXPECT_FALSE(table.release(late, true, 2));
  EXPECT_FALSE(table.release(late, true, 2));
  EXPECT_FALSE(table.take(late, kHard, 0).overflow);
}

}  // namespace
}  // namespace weir::policy
