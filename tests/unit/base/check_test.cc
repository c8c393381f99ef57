// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(CheckDeathTest, NamesFileAndCondition) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "check_test.cc:.*broken invariant: 1 \\+ 1 == 3");
}

TEST(Check, EvaluatesOnceAndGoesOn) {
  int calls = 0;
  CHECK(++calls == 1);
  EXPECT_EQ(calls, 1);
}

TEST(Check, DebugChecksCostNothingInRelease) {
  int calls = 0;
  DCHECK(++calls == 1);
#ifdef NDEBUG
  EXPECT_EQ(calls, 0);
#else
  EXPECT_EQ(calls, 1);
#endif
}

}  // namespace
}  // namespace weir::base
