// SPDX-License-Identifier: Apache-2.0
// What an accepted request head says. What is refused is in smuggling_test.cc.
#include <gtest/gtest.h>

#include "message_outcome.h"

namespace weir::http {
namespace {

class RequestHeadTest : public testing::Test {
 protected:
  /// `text` must outlive the head, so tests pass literals or members.
  Result<void> parse(std::string_view text, const HeadLimits& limits = {}) {
    return parse_request_head(text, limits, memory_.arena, head_);
  }
  ErrorCode refusal(std::string_view text, const HeadLimits& limits = {}) {
    Result<void> done = parse(text, limits);
    return done ? ErrorCode::kCount : done.error().code;
  }

  Memory memory_;
  RequestHead head_;
};

TEST_F(RequestHeadTest, GivesAllPartsAsViewsOfTheText) {
  std::string_view text =
      "POST /a/b?x=1 HTTP/1.1\r\nHost: shop.example:8080\r\nContent-Length: 12\r\nX-A:  b \r\n\r\n";
  ASSERT_TRUE(parse(text));
  EXPECT_EQ(head_.method, Method::kPost);
  EXPECT_EQ(head_.method_text, "POST");
  EXPECT_EQ(head_.version, Version::kHttp11);
  EXPECT_EQ(head_.target, "/a/b?x=1");
  EXPECT_EQ(head_.scheme, "http");
  EXPECT_EQ(head_.authority, "shop.example:8080");
  EXPECT_EQ(head_.host, "shop.example");
  EXPECT_EQ(head_.path, "/a/b");
  EXPECT_EQ(head_.query, "x=1");
  EXPECT_TRUE(head_.has_query);
  EXPECT_EQ(head_.body.kind, BodyFraming::Kind::kLength);
  EXPECT_EQ(head_.body.length, 12U);
  ASSERT_EQ(head_.headers.size(), 3U);
  EXPECT_EQ(head_.headers[0].id, HeaderId::kHost);
  EXPECT_EQ(head_.headers[2].name, "X-A");
  EXPECT_EQ(head_.headers[2].value, "b");
  EXPECT_EQ(head_.path.data(), text.data() + 5);
}

TEST_F(RequestHeadTest, LeavesRoomForWhatWeirAdds) {
  ASSERT_TRUE(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(head_.headers.capacity(), 1 + kHeaderHeadroom);
}

TEST_F(RequestHeadTest, KnowsTheMethods) {
  const std::pair<std::string_view, Method> cases[] = {
      {"GET", Method::kGet},         {"HEAD", Method::kHead},     {"POST", Method::kPost},
      {"PUT", Method::kPut},         {"DELETE", Method::kDelete}, {"PATCH", Method::kPatch},
      {"OPTIONS", Method::kOptions}, {"TRACE", Method::kTrace},   {"PROPFIND", Method::kOther}};
  for (auto [text, method] : cases) {
    std::string request = std::string(text) + " / HTTP/1.1\r\nHost: a\r\n\r\n";
    ASSERT_TRUE(parse(request)) << text;
    EXPECT_EQ(head_.method, method);
    EXPECT_EQ(head_.method_text, text);
  }
}

TEST_F(RequestHeadTest, ConnectTakesAuthorityForm) {
  ASSERT_TRUE(parse("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n"));
  EXPECT_EQ(head_.method, Method::kConnect);
  EXPECT_EQ(head_.authority, "b.example:443");
  EXPECT_EQ(refusal("CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n"), ErrorCode::kBadTarget);
}

TEST_F(RequestHeadTest, PersistenceFollowsVersionAndConnection) {
  struct Case {
    std::string_view version, connection;
    bool keep_alive;
  };
  const Case cases[] = {{"1.1", "", true},
                        {"1.1", "Connection: close\r\n", false},
                        {"1.1", "Connection: x, CLOSE\r\n", false},
                        {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
                        {"1.1", "Connection: closed\r\n", true},
                        {"1.0", "", false},
                        {"1.0", "Connection: Keep-Alive\r\n", true},
                        {"1.0", "Connection: keep-alive, close\r\n", false}};
  for (const Case& c : cases) {
    std::string text = "GET / HTTP/" + std::string(c.version) + "\r\nHost: a\r\n" +
                       std::string(c.connection) + "\r\n";
    ASSERT_TRUE(parse(text));
    EXPECT_EQ(head_.keep_alive, c.keep_alive) << text;
  }
}

TEST_F(RequestHeadTest, UpgradeNeedsBothFields) {
  ASSERT_TRUE(
      parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
  EXPECT_TRUE(head_.upgrade);
  ASSERT_TRUE(parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"));
  EXPECT_FALSE(head_.upgrade);
  ASSERT_TRUE(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n"));
  EXPECT_FALSE(head_.upgrade);
}

TEST_F(RequestHeadTest, UpgradeOfHttp10IsIgnored) {
  ASSERT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
  EXPECT_FALSE(head_.upgrade);
}

TEST_F(RequestHeadTest, ExpectationCountsInHttp11Only) {
  ASSERT_TRUE(parse("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_TRUE(head_.expect_continue);
  ASSERT_TRUE(parse("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_FALSE(head_.expect_continue);
  ASSERT_TRUE(parse("POST / HTTP/1.0\r\nHost: a\r\nExpect: wonders\r\n\r\n"));
  EXPECT_EQ(head_.headers.find(HeaderId::kExpect), nullptr);
}

TEST_F(RequestHeadTest, AbsoluteFormSaysNothingAboutTheSchemeUsed) {
  ASSERT_TRUE(parse("GET https://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(head_.scheme, "http");
  EXPECT_EQ(head_.authority, "b.example");
}

TEST_F(RequestHeadTest, HoldsTheLimits) {
  HeadLimits limits;
  limits.max_headers = 2;
  std::string_view two = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
  std::string_view three = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n";
  EXPECT_TRUE(parse(two, limits));
  EXPECT_EQ(refusal(three, limits), ErrorCode::kTooManyHeaders);
  limits.max_uri_bytes = 4;
  EXPECT_TRUE(parse("GET /abc HTTP/1.1\r\nHost: a\r\n\r\n", limits));
  EXPECT_EQ(refusal("GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n", limits), ErrorCode::kUriTooLong);
}

TEST_F(RequestHeadTest, SkipsOneEmptyLineFirst) {
  ASSERT_TRUE(parse("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(head_.path, "/x");
}

TEST_F(RequestHeadTest, SaysNothingOfTheHeadBefore) {
  ASSERT_TRUE(parse("POST /?q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"));
  ASSERT_TRUE(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(head_.body.kind, BodyFraming::Kind::kNone);
  EXPECT_FALSE(head_.has_query);
}

}  // namespace
}  // namespace weir::http
