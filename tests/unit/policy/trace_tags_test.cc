// SPDX-License-Identifier: Apache-2.0
#include "policy/trace_tags.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::policy {
namespace {

using std::chrono::seconds;

class TraceTagsTest : public ::testing::Test {
 protected:
  static std::string id(unsigned number) {
    std::string text = std::to_string(number);
    return std::string(32 - text.size(), '0') + text;
  }
  TraceTags::Found find(unsigned number) { return tags_.find(id(number), room_, now_); }

  TimePoint now_ = TimePoint(seconds(1'000));
  TraceTags tags_{8, seconds(60)};
  std::array<char, CellTag::kMaxBytes> room_{};
};

TEST_F(TraceTagsTest, ATraceYieldsItsTagWhileItsRequestLastsAndForTheTtlAfter) {
  auto hold = tags_.remember(id(1), {"c1:1:9:k1:00", "acme"}, now_);
  now_ += std::chrono::hours(5);
  EXPECT_EQ(find(1).tag, "c1:1:9:k1:00");
  hold.release(now_);
  now_ += seconds(59);
  EXPECT_EQ(find(1).outcome, TraceOutcome::kAttached);
  now_ += seconds(1);
  EXPECT_EQ(find(1).outcome, TraceOutcome::kUnknown);
}

TEST_F(TraceTagsTest, ATraceNobodyCameWithIsUnknown) {
  EXPECT_EQ(find(7).outcome, TraceOutcome::kUnknown);
  EXPECT_EQ(tags_.find("short", room_, now_).outcome, TraceOutcome::kUnknown);
}

TEST_F(TraceTagsTest, TwoTagsOfOneTraceYieldNeither) {
  const auto first = tags_.remember(id(1), {"c1", "acme"}, now_);
  const auto same = tags_.remember(id(1), {"c1", "acme"}, now_);
  EXPECT_EQ(find(1).tag, "c1");
  auto other = tags_.remember(id(1), {"c2", "acme"}, now_);
  EXPECT_EQ(find(1).outcome, TraceOutcome::kAmbiguous);
  other.release(now_);
  EXPECT_EQ(find(1).outcome, TraceOutcome::kAmbiguous) << "the first may still make calls";
}

TEST_F(TraceTagsTest, TwoTenantsOfOneTraceYieldNeithersTag) {
  const auto first = tags_.remember(id(1), {"c1:1:900:k1:aa", "acme"}, now_);
  const auto second = tags_.remember(id(1), {"c1:1:900:k1:bb", "initech"}, now_);
  EXPECT_EQ(find(1).outcome, TraceOutcome::kAmbiguous);
}

TEST_F(TraceTagsTest, TagsOfOneCellThatWereSignedApartAreNoContradiction) {
  const auto first = tags_.remember(id(1), {"c1:1:900:k1:aa", "acme"}, now_);
  const auto second = tags_.remember(id(1), {"c1:1:901:k1:bb", "acme"}, now_);
  EXPECT_EQ(find(1).tag, "c1:1:901:k1:bb");
}

TEST_F(TraceTagsTest, WhatHasEndedMakesRoomTheOldestFirst) {
  for (unsigned i = 0; i < 8; ++i) {
    tags_.remember(id(i), {"c1", "acme"}, now_).release(now_ + seconds(i));
  }
  now_ += seconds(10);
  const auto hold = tags_.remember(id(8), {"c2", "acme"}, now_);
  EXPECT_TRUE(hold);
  EXPECT_EQ(find(0).outcome, TraceOutcome::kUnknown);
  EXPECT_EQ(find(1).tag, "c1");
  EXPECT_EQ(find(8).tag, "c2");
}

TEST_F(TraceTagsTest, WhatIsInFlightStays) {
  std::vector<TraceTags::Hold> holds;
  for (unsigned i = 0; i < 8; ++i) holds.push_back(tags_.remember(id(i), {"c1", "acme"}, now_));
  now_ += std::chrono::hours(1);
  EXPECT_FALSE(tags_.remember(id(8), {"c2", "acme"}, now_));
  EXPECT_EQ(find(8).outcome, TraceOutcome::kUnknown);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(find(i).tag, "c1");
}

TEST_F(TraceTagsTest, AForgottenTraceComesBackWithAnotherTag) {
  tags_.remember(id(1), {"c1", "acme"}, now_).release(now_);
  now_ += seconds(61);
  const auto hold = tags_.remember(id(1), {"c2", "acme"}, now_);
  EXPECT_EQ(find(1).tag, "c2");
}

}  // namespace
}  // namespace weir::policy
