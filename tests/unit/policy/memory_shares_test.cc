// SPDX-License-Identifier: Apache-2.0
#include "policy/memory_shares.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::policy {
namespace {

LimitKey key_of(std::string_view tenant) { return key_of_name(KeySecret{1, 2}, tenant); }

TEST(MemoryShares, ATenantHasOnePlace) {
  MemoryShares shares;
  MemoryShares::Place& one = shares.enter(key_of("acme"));
  EXPECT_EQ(&shares.enter(key_of("acme")), &one);
  EXPECT_NE(&shares.enter(key_of("globex")), &one);
}

TEST(MemoryShares, NobodyIsInnocentBeforeTheFirstLook) {
  EXPECT_EQ(MemoryShares().even_share(), 0);
}

TEST(MemoryShares, TheEvenShareIsHalfOfTheBudgetDealtToThoseHereAndOneMore) {
  MemoryShares shares;
  shares.measure(1200);
  EXPECT_EQ(shares.even_share(), 600);
  std::vector<MemoryShares::Place*> places;
  for (int i = 0; i < 5; ++i) places.push_back(&shares.enter(key_of("t" + std::to_string(i))));
  shares.enter(key_of("t0"));  // the same once more
  shares.measure(1200);
  EXPECT_EQ(shares.even_share(), 100);
  for (MemoryShares::Place* place : places) shares.leave(*place);
  shares.measure(1200);
  EXPECT_EQ(shares.even_share(), 300) << "t0 is still there";
}

TEST(MemoryShares, WhoAsksForRoomIsHeardForATenthOfASecond) {
  MemoryShares shares;
  const TimePoint now{std::chrono::hours(1)};
  EXPECT_FALSE(shares.room_asked(now));
  shares.ask_for_room(now);
  EXPECT_TRUE(shares.room_asked(now));
  EXPECT_TRUE(shares.room_asked(now + std::chrono::milliseconds(99)));
  EXPECT_FALSE(shares.room_asked(now + std::chrono::milliseconds(100)));
}

}  // namespace
}  // namespace weir::policy
