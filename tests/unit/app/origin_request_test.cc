// SPDX-License-Identifier: Apache-2.0
#include "app/origin_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace weir::app {
namespace {

using ::testing::HasSubstr;

OriginOrder order_of(std::string_view path, std::string_view query = {}) {
  RequestHead head;
  head.path = path;
  head.query = query;
  return read_order(head);
}

TEST(OriginOrder, IsAPlainAnswerByDefault) {
  const OriginOrder order = order_of("/anything", "x=1&y");
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.delay, Millis(0));
  EXPECT_EQ(order.size, std::nullopt);
  EXPECT_FALSE(order.reset || order.chunked || order.trailers || order.close || order.json);
  EXPECT_EQ(order.problem, "");
}

TEST(OriginOrder, ReadsAllFromTheQuery) {
  const OriginOrder order =
      order_of("/", "delay=250ms&status=503&size=1MiB&reset=1&chunked=1&trailers=1&close=1");
  EXPECT_EQ(order.delay, Millis(250));
  EXPECT_EQ(order.status, 503);
  EXPECT_EQ(order.size, 1024U * 1024);
  EXPECT_TRUE(order.reset && order.chunked && order.trailers && order.close);
}

TEST(OriginOrder, ReadsPairsOfSegmentsFromThePath) {
  EXPECT_EQ(order_of("/blue/status/404").status, 404);
  EXPECT_EQ(order_of("/delay/2s/x").delay, Millis(2000));
  EXPECT_EQ(order_of("/size/10").size, 10U);
  EXPECT_EQ(order_of("/status").status, 200);
}

TEST(OriginOrder, SizeIsBytesWithoutAUnit) { EXPECT_EQ(order_of("/", "size=17").size, 17U); }

TEST(OriginOrder, FlagsCanBeTurnedOff) {
  EXPECT_FALSE(order_of("/", "close=0").close);
  EXPECT_FALSE(order_of("/", "reset=false").reset);
}

TEST(OriginOrder, SaysWhatItDoesNotUnderstandWith400) {
  for (const char* query : {"status=abc", "status=99", "status=600", "delay=fast", "size=-1"}) {
    const OriginOrder order = order_of("/", query);
    EXPECT_EQ(order.status, 400) << query;
    EXPECT_NE(order.problem, "") << query;
  }
}

TEST(OriginTell, TellsNameTargetAndHeaders) {
  std::array<Header, 1> memory;
  RequestHead head;
  head.method_text = "GET";
  head.target = "/a?b=\"c";
  head.headers = HeaderList(memory.data(), memory.size());
  head.headers.push({"Host", "x.example", HeaderId::kHost});
  const OriginFacts facts{"blue", 3, 4};
  const std::string text = tell(head, facts, false);
  EXPECT_THAT(text, HasSubstr("origin blue, connection 3, request 4"));
  EXPECT_THAT(text, HasSubstr("GET /a?b=\"c\n"));
  EXPECT_THAT(text, HasSubstr("Host: x.example\n"));
  const std::string json = tell(head, facts, true);
  EXPECT_THAT(json, HasSubstr("\"origin\": \"blue\""));
  EXPECT_THAT(json, HasSubstr("/a?b=\\\"c"));
}

}  // namespace
}  // namespace weir::app
