// SPDX-License-Identifier: Apache-2.0
#include "http/request_timeout.h"

#include <gtest/gtest.h>

#include "base/account.h"
#include "base/block.h"

namespace weir::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RequestTimeout, HasAUnitOrIsSeconds) {
  EXPECT_EQ(parse_request_timeout("250ms"), milliseconds(250));
  EXPECT_EQ(parse_request_timeout("2s"), seconds(2));
  EXPECT_EQ(parse_request_timeout("2"), seconds(2));
  EXPECT_EQ(parse_request_timeout("0"), seconds(0));
  EXPECT_EQ(parse_request_timeout("999999999s"), seconds(999'999'999));
}

TEST(RequestTimeout, MalformedSaysNothing) {
  for (const char* text :
       {"", "s", "-1", "+1", "1.5s", "1 s", " 1", "1m", "1S", "1000000000", "1msx"}) {
    EXPECT_FALSE(parse_request_timeout(text)) << text;
  }
}

TEST(PreferWait, IsFoundAmongOtherPreferences) {
  for (const char* text : {"wait=10", "respond-async, wait=10", "Wait = 10", "wait=\"10\"",
                           "a=\"x, wait=3\", wait=10", "wait=10;p=q", ",,wait=10, wait=99"}) {
    const auto found = find_prefer_wait(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->wait, seconds(10)) << text;
  }
}

TEST(PreferWait, MalformedSaysNothing) {
  for (const char* text : {"", "wait", "wait=", "wait=x", "wait=1x", "waiter=1", "await=1",
                           "wait=\"1", "wait=-1", "wait=1.5", "foo; wait=1", "a=\"wait=1\""}) {
    EXPECT_FALSE(find_prefer_wait(text)) << text;
  }
}

class RequestTimeoutText : public testing::Test {
 protected:
  base::Account account_;
  base::BlockPool pool_{4096, 4};
  base::Arena arena_{pool_, account_};
};

TEST_F(RequestTimeoutText, IsMillisecondsAndNeverNegative) {
  EXPECT_EQ(request_timeout_text(milliseconds(1500), arena_), "1500ms");
  EXPECT_EQ(request_timeout_text(-seconds(1), arena_), "0ms");
}

TEST_F(RequestTimeoutText, APreferenceIsRewrittenInItsPlace) {
  const std::string_view prefer = "respond-async, wait=10;x, return=minimal";
  const auto found = find_prefer_wait(prefer);
  ASSERT_TRUE(found);
  EXPECT_EQ(with_prefer_wait(prefer, *found, milliseconds(3100), arena_),
            "respond-async, wait=4;x, return=minimal");
  EXPECT_EQ(with_prefer_wait(prefer, *found, -seconds(1), arena_),
            "respond-async, wait=1;x, return=minimal");
}

}  // namespace
}  // namespace weir::http
