// SPDX-License-Identifier: Apache-2.0
// The table under buckets: it finds what was put in, through every growth; forgets idle keys alone;
// and stays within its bytes.
#include "policy/key_table.h"

#include <gtest/gtest.h>

#include <unordered_set>
#include <vector>

#include "base/rng.h"

namespace weir::policy {
namespace {

// Values are moments: idle once they have passed.
constexpr KeyTable::Rules kRules{
    [](std::uint64_t value, std::uint64_t now) { return value <= now; },
    [](std::uint64_t overflow, std::uint64_t now) { return overflow > now ? overflow : now; }};

LimitKey key_of(std::uint64_t number) {
  base::Rng rng(number * 2 + 1);
  return {rng.next(), rng.next()};
}

/// Puts the key's word at `value`; whether it got a word of its own.
bool put(KeyTable& table, std::uint64_t number, std::uint64_t value, std::uint64_t now = 1) {
  bool own = false;
  table.with_word(key_of(number), now, [&](KeyTable::Ref& ref) {
    own = !ref.overflow();
    return ref.replace(value);
  });
  return own;
}

std::uint64_t get(const KeyTable& table, std::uint64_t number) {
  const KeyTable::Ref ref = table.find(key_of(number));
  return ref ? ref.value() : 0;
}

TEST(KeyTable, AnAbsentKeyIsNotFound) {
  const KeyTable table(1'000, kRules);
  EXPECT_FALSE(table.find(key_of(1)));
}

TEST(KeyTable, FindsEveryKeyThroughEveryGrowth) {
  constexpr std::uint64_t kKeys = 50'000;
  KeyTable table(kKeys, kRules);
  for (std::uint64_t i = 0; i < kKeys; ++i) ASSERT_TRUE(put(table, i, 1'000 + i));
  for (std::uint64_t i = 0; i < kKeys; ++i) ASSERT_EQ(get(table, i), 1'000 + i);
  EXPECT_EQ(table.keys(), kKeys);
  EXPECT_EQ(table.evicted(), 0U);
}

TEST(KeyTable, TakesMemoryAsKeysComeAndAtMost72BytesEach) {
  KeyTable table(200'000, kRules);
  EXPECT_EQ(table.pages(), 1U);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    ASSERT_TRUE(put(table, i, 1'000));
    if (i > 1'000 && i % 1'000 == 0) {
      ASSERT_LE(table.pages() * 4096, 72 * i) << i;
    }
  }
  EXPECT_LE(table.memory_bytes(), 72U * 200'000);
}

TEST(KeyTable, FewKeysHaveASmallDirectory) {
  KeyTable table(1'000'000, kRules);
  EXPECT_LT(table.memory_bytes() - table.pages() * 4096, 64U);
  for (std::uint64_t i = 0; i < 5'000; ++i) ASSERT_TRUE(put(table, i, 1'000));
  EXPECT_LT(table.memory_bytes() - table.pages() * 4096, 4096U);
}

TEST(KeyTable, NeverGrowsBeyondItsCapacity) {
  KeyTable table(1'000, kRules);
  for (std::uint64_t i = 0; i < 100'000; ++i) put(table, i, 1'000);
  EXPECT_EQ(table.pages(), table.max_pages());
  EXPECT_LE(table.pages() * 4096, 72U * 1'000);
}

TEST(KeyTable, KeysInUseStayWhenItIsFullAndNewOnesShareTheOverflow) {
  KeyTable table(1'000, kRules);
  std::vector<std::uint64_t> held;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    if (put(table, i, 1'000 + i, 1)) {
      held.push_back(i);
    } else {
      ++refused;
      ASSERT_EQ(table.overflow().value(), 1'000 + i);
      table.overflow().replace(2);
    }
  }
  EXPECT_GE(held.size(), 1'000U);
  EXPECT_GT(refused, 0U);
  for (const std::uint64_t i : held) ASSERT_EQ(get(table, i), 1'000 + i);
}

TEST(KeyTable, IdleKeysMakeRoom) {
  KeyTable table(1'000, kRules);
  std::uint64_t number = 0;
  while (put(table, number, 1'000, 1)) ++number;
  const std::uint64_t late = number;
  EXPECT_FALSE(put(table, late, 3'000, 500));
  table.overflow().replace(1);
  EXPECT_TRUE(put(table, late, 3'000, 2'000));
  EXPECT_EQ(get(table, late), 3'000U);
  EXPECT_GT(table.evicted(), 0U);
}

TEST(KeyTable, ATableOfPassersByStaysSmall) {
  KeyTable table(1'000'000, kRules);
  for (std::uint64_t i = 1; i < 200'000; ++i) put(table, i, i + 50, i);
  EXPECT_LE(table.pages(), 16U);
}

TEST(KeyTable, ASmallTableKeepsIdleKeysForWhenTheyComeAgain) {
  KeyTable table(1'000'000, kRules);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 1'000; ++i) put(table, i, 5, 10);
  }
  EXPECT_EQ(table.keys(), 1'000U);
  EXPECT_EQ(table.evicted(), 0U);
}

TEST(KeyTable, ANewKeyBeginsWhereTheOverflowStands) {
  KeyTable table(100, kRules);
  table.overflow().replace(7'000);
  std::uint64_t seen = 0;
  table.with_word(key_of(1), 5, [&](KeyTable::Ref& ref) {
    seen = ref.value();
    return true;
  });
  EXPECT_EQ(seen, 7'000U);
}

TEST(KeyTable, AWordSeenBeforeItsSlotChangedHandsCannotBeReplaced) {
  KeyTable table(100, kRules);
  put(table, 1, 1'000);
  KeyTable::Ref stale = table.find(key_of(1));
  ASSERT_TRUE(stale);
  // Long past 1,000, others fill the only page; each has the same value as the key had.
  for (std::uint64_t i = 2; i < 2'000; ++i) {
    table.with_word(key_of(i), 1'000, [](KeyTable::Ref& ref) { return ref.replace(1'000); });
  }
  ASSERT_FALSE(table.find(key_of(1)));
  EXPECT_FALSE(stale.replace(2'000));
  EXPECT_TRUE(stale.lost());
}

TEST(KeyTable, AChangedValueIsSeenAnew) {
  KeyTable table(100, kRules);
  put(table, 1, 1'000);
  KeyTable::Ref mine = table.find(key_of(1));
  put(table, 1, 1'500);
  EXPECT_FALSE(mine.replace(2'000));
  EXPECT_FALSE(mine.lost());
  EXPECT_EQ(mine.value(), 1'500U);
  EXPECT_TRUE(mine.replace(2'000));
  EXPECT_EQ(get(table, 1), 2'000U);
}

TEST(KeyTable, WithKnownInsertsNothing) {
  KeyTable table(100, kRules);
  EXPECT_FALSE(table.with_known(key_of(1), [](KeyTable::Ref&) { return true; }));
  EXPECT_EQ(table.keys(), 0U);
  put(table, 1, 9);
  EXPECT_TRUE(table.with_known(key_of(1), [](KeyTable::Ref& ref) { return ref.replace(10); }));
  EXPECT_EQ(get(table, 1), 10U);
}

}  // namespace
}  // namespace weir::policy
