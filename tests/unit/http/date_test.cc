// SPDX-License-Identifier: Apache-2.0
#include "http/date.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Date, WritesImfFixdate) {
  DateCache cache;
  EXPECT_EQ(cache.at(WallTime(seconds(784111777))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(cache.at(WallTime(seconds(0))), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(cache.at(WallTime(seconds(951782400))), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(cache.at(WallTime(seconds(1735689599))), "Tue, 31 Dec 2024 23:59:59 GMT");
}

TEST(Date, ChangesWithTheSecondOnly) {
  DateCache cache;
  WallTime start(seconds(1'000'000));
  std::string first(cache.at(start));
  EXPECT_EQ(cache.at(start + milliseconds(999)), first);
  EXPECT_NE(cache.at(start + milliseconds(1000)), first);
  EXPECT_EQ(cache.at(start), first);
}

}  // namespace
}  // namespace weir::http
