// SPDX-License-Identifier: Apache-2.0
// What an accepted response head says. What is refused is in smuggling_test.cc.
#include <gtest/gtest.h>

#include "message_outcome.h"

namespace weir::http {
namespace {

class ResponseHeadTest : public testing::Test {
 protected:
  Result<void> parse(std::string_view text, Method method = Method::kGet,
                     const HeadLimits& limits = {}) {
    return parse_response_head(text, limits, memory_.arena, method, head_);
  }

  Memory memory_;
  ResponseHead head_;
};

TEST_F(ResponseHeadTest, GivesAllParts) {
  ASSERT_TRUE(parse("HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 7\r\n\r\n"));
  EXPECT_EQ(head_.status, 404);
  EXPECT_EQ(head_.reason, "Not Found");
  EXPECT_EQ(head_.version, Version::kHttp11);
  EXPECT_TRUE(head_.keep_alive);
  ASSERT_EQ(head_.headers.size(), 2U);
  EXPECT_EQ(head_.headers[0].id, HeaderId::kServer);
  EXPECT_EQ(head_.body.length, 7U);
}

TEST_F(ResponseHeadTest, FramingFollowsStatusMethodAndFields) {
  using Kind = BodyFraming::Kind;
  struct Case {
    std::string_view text;
    Method method;
    Kind kind;
    bool keep_alive;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::kGet, Kind::kLength, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::kHead, Kind::kNone, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::kGet, Kind::kChunked, true},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::kGet, Kind::kUntilClose, false},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::kHead, Kind::kNone, true},
      {"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", Method::kGet, Kind::kNone, true},
      {"HTTP/1.1 204 X\r\n\r\n", Method::kGet, Kind::kNone, true},
      {"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", Method::kGet, Kind::kNone, true},
      {"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", Method::kGet, Kind::kNone, false},
      {"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n", Method::kGet, Kind::kNone, false},
      {"HTTP/1.1 101 X\r\nUpgrade: y\r\n\r\n", Method::kGet, Kind::kNone, true},
      {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Method::kGet, Kind::kLength, false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", Method::kGet,
       Kind::kLength, true},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", Method::kGet,
       Kind::kLength, false}};
  for (const Case& c : cases) {
    ASSERT_TRUE(parse(c.text, c.method)) << c.text;
    EXPECT_EQ(head_.body.kind, c.kind) << c.text;
    EXPECT_EQ(head_.keep_alive, c.keep_alive) << c.text;
  }
}

TEST_F(ResponseHeadTest, TooManyFieldsAreTheOriginsFault) {
  HeadLimits limits;
  limits.max_headers = 1;
  Result<void> done = parse("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", Method::kGet, limits);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUpstreamHeadTooLarge);
  EXPECT_EQ(done.error().origin, Origin::kUpstream);
}

TEST_F(ResponseHeadTest, ReasonMayHoldSpacesAndOpaqueBytes) {
  ASSERT_TRUE(parse("HTTP/1.1 200 Na ja\xe9 ok\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(head_.reason, "Na ja\xe9 ok");
}

TEST_F(ResponseHeadTest, FieldNamesWithUnderscorePass) {
  ASSERT_TRUE(parse("HTTP/1.1 200 OK\r\nx_y: z\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(head_.headers.size(), 2U);
}

}  // namespace
}  // namespace weir::http
