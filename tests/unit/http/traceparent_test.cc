// SPDX-License-Identifier: Apache-2.0
#include "http/traceparent.h"

#include <gtest/gtest.h>

#include <string>

#include "message_outcome.h"

namespace weir::http {
namespace {

const std::string kValid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, TakesTheFormOfTheStandard) {
  EXPECT_TRUE(is_valid_traceparent(kValid));
  EXPECT_TRUE(is_valid_traceparent("cc" + kValid.substr(2)));
  EXPECT_TRUE(is_valid_traceparent("cc" + kValid.substr(2) + "-later"));
}

TEST(Traceparent, RefusesEverythingElse) {
  const std::string bad[] = {
      "",
      kValid.substr(1),
      kValid + "-x",
      kValid + "x",
      "ff" + kValid.substr(2),
      "cc" + kValid.substr(2) + "x",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
  };
  for (const std::string& value : bad) EXPECT_FALSE(is_valid_traceparent(value)) << value;
}

TEST(Traceparent, NewOnesAreValidWhateverTheDice) {
  Memory memory;
  TraceBits bits{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736, 0x00f067aa0ba902b7};
  EXPECT_EQ(new_traceparent(bits, true, memory.arena), kValid);
  EXPECT_TRUE(is_valid_traceparent(new_traceparent({}, false, memory.arena)));
  EXPECT_TRUE(new_traceparent(bits, false, memory.arena).ends_with("-00"));
}

TEST(RequestId, TakesHarmlessTokens) {
  EXPECT_TRUE(is_valid_request_id("f47ac10b-58cc-4372-a567-0e02b2c3d479"));
  EXPECT_TRUE(is_valid_request_id("Root=1-67891233-abcdef012345678912345678"));
  EXPECT_TRUE(is_valid_request_id(std::string(128, 'a')));
  EXPECT_FALSE(is_valid_request_id(""));
  EXPECT_FALSE(is_valid_request_id(std::string(129, 'a')));
  for (std::string_view bad : {"a b", "a\"b", "a\\b", "a,b", "a;b", "\xc3\xa9", "a%0a"}) {
    EXPECT_FALSE(is_valid_request_id(bad)) << bad;
  }
}

TEST(RequestId, NewOnesAreHexAndValid) {
  Memory memory;
  std::string_view id = new_request_id(0x0123456789abcdef, 1, memory.arena);
  EXPECT_EQ(id, "0123456789abcdef0000000000000001");
  EXPECT_TRUE(is_valid_request_id(id));
}

}  // namespace
}  // namespace weir::http
