// SPDX-License-Identifier: Apache-2.0
// Frames that serve only to cost: each kind is counted, the count ends the connection, and no block
// of headers makes the session do more work than its bytes deserve.
#include <gtest/gtest.h>

#include "h2_peer.h"

namespace weir::http {
namespace {

const H2FieldList kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};

struct Server : H2Peer {
  explicit Server(const H2Options& options = {}) : H2Peer(H2Session::Role::kServer, options) {
    (void)session.feed(h2_preface());
    (void)pull();
  }
  Result<void> feed(const std::string& bytes) { return session.feed(bytes); }
};

std::string many(const std::string& bytes, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += bytes;
  return out;
}

TEST(H2Abuse, EachKindIsCounted) {
  struct Case {
    std::string what;
    std::string bytes;
    uint32_t glitches;
  };
  const std::string open = h2_headers(1, kGet, 0);
  const Case cases[] = {
      {"a request", h2_headers(1, kGet), 0},
      {"rapid reset", open + h2_frame(kResetFrame, 0, 1, h2_u32(8)), 1},
      {"empty DATA", open + many(h2_frame(kDataFrame, 0, 1, ""), 3), 3},
      {"padding only", open + h2_frame(kDataFrame, kPadded, 1, std::string("\3\0\0\0", 4)), 1},
      {"the last DATA", open + h2_frame(kDataFrame, kEndStream, 1, ""), 0},
      {"SETTINGS", many(h2_frame(kSettingsFrame, 0, 0, ""), 3), 3},
      {"PING", many(h2_frame(kPingFrame, 0, 0, "12345678"), 3), 3},
      {"answers to no PING", many(h2_frame(kPingFrame, kAck, 0, "12345678"), 3), 3},
      {"PRIORITY", many(h2_frame(kPriorityFrame, 0, 1, h2_u32(0) + "\x10"), 3), 3},
      {"PRIORITY_UPDATE", many(h2_frame(kPriorityUpdateFrame, 0, 0, h2_u32(1) + "u=1"), 3), 3},
      {"windows of the connection", many(h2_frame(kWindowFrame, 0, 0, h2_u32(1)), 3), 2},
      {"windows of a stream", open + many(h2_frame(kWindowFrame, 0, 1, h2_u32(1)), 3), 2},
      {"malformed", h2_headers(1, {{":method", "GET"}}), 1},
      {"bad by weir's rules",
       h2_headers(
           1,
           {{":method", "get"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}}),
       1},
      {"CONTINUATION",
       h2_frame(kHeadersFrame, kEndStream, 1, h2_block(kGet)) +
           many(h2_frame(kContinuationFrame, 0, 1, ""), 5) +
           h2_frame(kContinuationFrame, kEndHeaders, 1, ""),
       2},
  };
  for (const Case& c : cases) {
    Server server;
    EXPECT_TRUE(server.feed(c.bytes)) << c.what;
    EXPECT_EQ(server.session.glitches(), c.glitches) << c.what;
    EXPECT_EQ(server.glitch_events, c.glitches) << c.what;
  }
}

TEST(H2Abuse, AtThreeQuartersAGoAwayAtAllTheEnd) {
  H2Options options;
  options.max_glitches = 100;
  Server server(options);
  const std::string ping = h2_frame(kPingFrame, 0, 0, "12345678");
  ASSERT_TRUE(server.feed(h2_headers(1, kGet)));
  ASSERT_TRUE(server.feed(many(ping, 74)));
  EXPECT_EQ(h2_describe(server.pull()).find("GOAWAY"), std::string::npos);
  ASSERT_TRUE(server.feed(ping));
  EXPECT_NE(h2_describe(server.pull()).find("GOAWAY 0 1 11\n"), std::string::npos);
  ASSERT_TRUE(server.feed(many(ping, 24)));
  EXPECT_FALSE(server.streams.at(0)->reset);
  Result<void> fed = server.feed(many(ping, 50));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kHttp2Abuse);
  EXPECT_EQ(server.session.glitches(), 100U);  // it stops there, in the middle of what was read
  EXPECT_FALSE(server.feed(ping));
  std::string rest = server.pull();
  EXPECT_LT(rest.size(), 1000U);
  EXPECT_TRUE(h2_describe(rest).ends_with("GOAWAY 0 1 11\n"));
  EXPECT_TRUE(server.session.finished());
}

TEST(H2Abuse, WithoutAllowanceItOnlyCounts) {
  H2Options options;
  options.max_glitches = 0;
  Server server(options);
  const std::string ping = h2_frame(kPingFrame, 0, 0, "12345678");
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(server.feed(many(ping, 100)));
    (void)server.pull();
  }
  EXPECT_EQ(server.session.glitches(), 2000U);
}

TEST(H2Abuse, AnAnswerForgivesOneAndSoDoesTime) {
  Server server;
  ASSERT_TRUE(server.feed(many(h2_frame(kPingFrame, 0, 0, "12345678"), 5) + h2_headers(1, kGet)));
  EXPECT_EQ(server.session.glitches(), 5U);
  ResponseHead head;
  head.status = 200;
  server.session.send_response(*server.streams.at(0), head);
  server.session.send_end(*server.streams.at(0), {});
  (void)server.pull();
  EXPECT_EQ(server.session.glitches(), 4U);
  server.session.forgive(3);
  EXPECT_EQ(server.session.glitches(), 1U);
  server.session.forgive(3);
  EXPECT_EQ(server.session.glitches(), 0U);
}

TEST(H2Abuse, RapidResetEndsTheConnection) {
  Server server;
  Result<void> fed;
  uint32_t id = 1;
  for (; fed && id < 10000; id += 2) {
    fed = server.feed(h2_headers(id, kGet) + h2_frame(kResetFrame, 0, id, h2_u32(8)));
    (void)server.pull();
  }
  // nghttp2's own limit may be the first to act; either way few streams were opened.
  EXPECT_LE(server.streams.size(), 1001U);
  EXPECT_EQ(server.session.streams(), 0U);
}

TEST(H2Abuse, WindowsOpenedByteByByteAreCounted) {
  Server server;
  // Streams begin with a window of one byte.
  ASSERT_TRUE(server.feed(h2_frame(kSettingsFrame, 0, 0, std::string("\0\4\0\0\0\1", 6)) +
                          h2_headers(1, kGet)));
  const uint32_t before = server.session.glitches();
  ResponseHead head;
  head.status = 200;
  head.body = {BodyFraming::Kind::kChunked, 0};
  const std::string body(1000, 'x');
  server.session.send_response(*server.streams.at(0), head);
  server.session.send_data(*server.streams.at(0), body);
  (void)server.pull();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(server.feed(h2_frame(kWindowFrame, 0, 1, h2_u32(1))));
    (void)server.pull();
  }
  EXPECT_EQ(server.session.glitches() - before, 50U);
}

// Some clients return the credit of every frame at once, for the stream and for the connection,
// whether the stream has ended meanwhile or not; and gRPC times a PING by it.
TEST(H2Abuse, PeersThatAnswerEveryFrameAreNotCounted) {
  Server server;
  const std::string body(16384, 'x');
  for (uint32_t id = 1; id < 200; id += 2) {
    ASSERT_TRUE(server.feed(h2_headers(id, kGet)));
    H2TestStream& stream = *server.streams.back();
    ResponseHead head;
    head.status = 200;
    head.body = {BodyFraming::Kind::kChunked, 0};
    server.session.send_response(stream, head);
    server.session.send_data(stream, body);
    (void)server.pull();
    server.session.send_end(stream, {});
    if (id % 4 == 1) (void)server.pull();  // ends before the answer comes
    ASSERT_TRUE(server.feed(
        h2_frame(kWindowFrame, 0, 0, h2_u32(16384)) + h2_frame(kWindowFrame, 0, id, h2_u32(8192)) +
        h2_frame(kWindowFrame, 0, id, h2_u32(8192)) + h2_frame(kPingFrame, 0, 0, "bdp-ping")));
    (void)server.pull();
    server.session.finish(stream);
  }
  EXPECT_EQ(server.glitch_events, 0U);
}

TEST(H2Abuse, AFloodOfContinuationsIsCut) {
  Server server;
  std::string bytes = h2_frame(kHeadersFrame, kEndStream, 1, h2_block(kGet)) +
                      many(h2_frame(kContinuationFrame, 0, 1, ""), 100);
  Result<void> fed = server.feed(bytes);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kHttp2Abuse);
  EXPECT_TRUE(h2_describe(server.pull()).ends_with("11\n"));
}

TEST(H2Abuse, AnHpackBombIsCutBeforeItUnfolds) {
  // 4 KB in the dynamic table, then references of one byte each.
  H2FieldList first = kGet;
  std::string block = h2_block(kGet);
  const std::string value(4000, 'b');
  std::string literal = h2_field("x", value);
  literal[0] = '\x40';  // with incremental indexing
  block += literal + std::string(10000, '\xbe');
  Server server;
  Result<void> fed = server.feed(h2_frame(kHeadersFrame, kEndHeaders | kEndStream, 1, block));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kHttp2Abuse);
  ASSERT_EQ(server.streams.size(), 1U);
  EXPECT_LT(server.streams[0]->arena.held(), 200000U);
  EXPECT_LT(server.pull().size(), 200U);
}

TEST(H2Abuse, ALargeHeadWithinReasonIsAnsweredAndNotStored) {
  H2Options options;
  options.head.max_bytes = 8192;
  std::string block = h2_block(kGet);
  for (int i = 0; i < 10; ++i) block += h2_field("x" + std::to_string(i), std::string(1500, 'y'));
  Server server(options);
  ASSERT_TRUE(server.feed(h2_frame(kHeadersFrame, kEndHeaders | kEndStream, 1, block)));
  EXPECT_EQ(server.streams.at(0)->events, "bad header_too_large\n");
  EXPECT_LT(server.streams.at(0)->arena.held(), 16384U);
}

TEST(H2Abuse, ResetsProvokedByFramesAreCounted) {
  Server server;
  std::string bytes;
  for (uint32_t id = 1; id < 20; id += 2) {
    bytes += h2_headers(id, kGet, 0) + h2_frame(kWindowFrame, 0, id, h2_u32(0x7fffffff));
  }
  ASSERT_TRUE(server.feed(bytes));
  EXPECT_EQ(server.session.glitches(), 10U);
  EXPECT_EQ(server.session.streams(), 0U);
}

TEST(H2Abuse, AnOriginThatFloodsLosesItsStreams) {
  H2Options options;
  options.max_glitches = 100;
  H2Peer client(H2Session::Role::kClient, options);
  H2TestStream& call = client.make_stream();
  ASSERT_TRUE(client.session.send_request(call, h2_get()));
  (void)client.pull();
  const std::string ping = h2_frame(kPingFrame, 0, 0, "12345678");
  ASSERT_TRUE(client.session.feed(h2_frame(kSettingsFrame, 0, 0, "") + many(ping, 75)));
  EXPECT_EQ(client.events, "settings\ngoaway\n");
  EXPECT_FALSE(client.session.send_request(client.make_stream(), h2_get()));
  Result<void> fed = client.session.feed(many(ping, 30));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kUpstreamHttp2);
  (void)client.pull();
  client.session.deliver();
  EXPECT_TRUE(call.reset);
}

}  // namespace
}  // namespace weir::http
