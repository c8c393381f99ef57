// SPDX-License-Identifier: Apache-2.0
// The table under buckets while many threads make it grow: no key is lost, none is there twice, and
// no change of a word goes astray, though pages split and the directory doubles under them.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/rng.h"
#include "policy/key_table.h"

namespace weir::policy {
namespace {

constexpr std::uint64_t kThreads = 4;
constexpr std::uint64_t kKeys = 20'000;

// Nothing is ever idle: what is put in stays.
constexpr KeyTable::Rules kRules{[](std::uint64_t, std::uint64_t) { return false; },
                                 [](std::uint64_t, std::uint64_t) -> std::uint64_t { return 1; }};

LimitKey key_of(std::uint64_t number) {
  base::Rng rng(number * 2 + 1);
  return {rng.next(), rng.next()};
}

void add_one(KeyTable& table, const LimitKey& key) {
  const auto change = [](KeyTable::Ref& ref) {
    while (!ref.lost()) {
      if (ref.replace(ref.value() + 1)) return true;
    }
    return false;
  };
  table.prefetch(key);
  if (KeyTable::Ref ref = table.find(key); ref && change(ref)) return;
  table.with_word(key, 1, change);
}

TEST(KeyTableThreads, EachKeyIsCountedOnceByEachThreadWhileTheTableGrows) {
  KeyTable table(2 * kKeys, kRules);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&table, t] {
      // Each from a place of its own, so that some insert what others only find.
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        add_one(table, key_of((i + t * kKeys / kThreads) % kKeys));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(table.keys(), kKeys);
  EXPECT_GT(table.pages(), kKeys / 168);
  EXPECT_EQ(table.overflow().value(), 0U);
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    const KeyTable::Ref ref = table.find(key_of(i));
    ASSERT_TRUE(ref) << i;
    ASSERT_EQ(ref.value(), 1 + kThreads) << i;
  }
}

}  // namespace
}  // namespace weir::policy
