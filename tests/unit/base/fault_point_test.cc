// SPDX-License-Identifier: Apache-2.0
#include "base/fault_point.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(FaultPointTest, IsNotArmedAtFirst) { EXPECT_FALSE(FaultPoint().armed()); }

TEST(FaultPointTest, KeepsDelayStatusAndShareApart) {
  FaultPoint point;
  for (const Fault& fault : {Fault{300'000, 599, Fault::kAll}, Fault{0, 400, 1}, Fault{1, 0, 77}}) {
    point.set(fault);
    EXPECT_TRUE(point.armed());
    EXPECT_EQ(point.load().delay_ms, fault.delay_ms);
    EXPECT_EQ(point.load().abort, fault.abort);
    EXPECT_EQ(point.load().share, fault.share);
  }
}

TEST(FaultPointTest, AShareOf0DisarmsIt) {
  FaultPoint point;
  point.set({2'000, 503, 10});
  point.set({2'000, 503, 0});
  EXPECT_FALSE(point.armed());
  EXPECT_EQ(point.load().delay_ms, 0U);
}

}  // namespace
}  // namespace weir::base
