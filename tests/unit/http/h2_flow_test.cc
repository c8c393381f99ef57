// SPDX-License-Identifier: Apache-2.0
// Windows, priorities, and how a connection ends.
#include <gtest/gtest.h>

#include "h2_peer.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

const H2FieldList kPost = {
    {":method", "POST"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};

H2FieldList with_priority(std::string_view value) {
  H2FieldList fields = kPost;
  fields.push_back({"priority", std::string(value)});
  return fields;
}

/// A server that a hand-made client has opened streams on.
struct Server : H2Peer {
  explicit Server(const H2Options& options = {}) : H2Peer(H2Session::Role::kServer, options) {
    (void)session.feed(h2_preface());
    (void)pull();
  }
  void open(uint32_t id, const H2FieldList& fields = kPost, uint8_t flags = 0) {
    EXPECT_TRUE(session.feed(h2_headers(id, fields, flags)));
  }
  void answer(size_t index, std::string_view body, bool end = true) {
    ResponseHead head;
    head.status = 200;
    head.body = {Kind::kChunked, 0};
    session.send_response(*streams.at(index), head);
    session.send_data(*streams.at(index), body);
    if (end) session.send_end(*streams.at(index), {});
  }
};

std::string data(uint32_t id, size_t size) {
  std::string out;
  for (; size > 16384; size -= 16384) out += h2_frame(kDataFrame, 0, id, std::string(16384, 'x'));
  return out + h2_frame(kDataFrame, 0, id, std::string(size, 'x'));
}

// ---- Credit of the peer's.

TEST(H2Flow, AConnectionsCreditReturnsOnReceiptAStreamsWhenConsumed) {
  H2Options options;
  options.stream_window = 65536;
  options.connection_window = 65535;
  Server server(options);
  server.open(1);
  server.streams.at(0)->consume_at_once = false;
  ASSERT_TRUE(server.session.feed(data(1, 40000)));
  EXPECT_EQ(h2_describe(server.pull()), "WINDOW_UPDATE 0 32768\n");
  server.session.consume(*server.streams.at(0), 40000);
  EXPECT_EQ(h2_describe(server.pull()), "WINDOW_UPDATE 1 40000\n");
}

TEST(H2Flow, AStalledUploadHoldsItsOwnStreamOnly) {
  H2Options options;
  options.connection_window = 65535;
  Server server(options);
  (void)server.session.feed(h2_frame(kSettingsFrame, kAck, 0, {}));
  for (uint32_t i = 0; i < 16; ++i) {
    server.open(2 * i + 1);
    server.streams.back()->consume_at_once = false;
    ASSERT_TRUE(server.session.feed(data(2 * i + 1, 60000)));
    (void)server.pull();
  }
  server.open(33);
  ASSERT_TRUE(server.session.feed(data(33, 60000)));
  EXPECT_EQ(server.streams.back()->body.size(), 60000U);
}

TEST(H2Flow, ASenderBeyondItsWindowIsCut) {
  Server server;
  (void)server.session.feed(h2_frame(kSettingsFrame, kAck, 0, {}));
  server.open(1);
  server.streams.at(0)->consume_at_once = false;
  (void)server.session.feed(data(1, 65536));
  EXPECT_FALSE(server.streams.at(0)->reset);
  (void)server.session.feed(data(1, 1));
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 1 3\n");
}

// ---- Our own.

TEST(H2Flow, AClosedStreamWindowHoldsThatStreamOnly) {
  Server server;
  // The connection's window is wide, the streams' are 65535.
  (void)server.session.feed(h2_frame(kWindowFrame, 0, 0, h2_u32(1 << 20)));
  server.open(1);
  server.open(3);
  const std::string large(100000, 'x');
  server.answer(0, large);
  server.answer(1, "small");
  std::string out = h2_describe(server.pull());
  EXPECT_NE(out.find("DATA 3 5 END_STREAM\n"), out.npos);
  EXPECT_EQ(server.streams[0]->queued(), 100000U - 65535U);
  EXPECT_FALSE(server.session.wants_write());
  (void)server.session.feed(h2_frame(kWindowFrame, 0, 1, h2_u32(100000)));
  EXPECT_TRUE(server.session.wants_write());
  EXPECT_TRUE(h2_describe(server.pull()).ends_with("END_STREAM\n"));
}

TEST(H2Flow, UrgentStreamsGoFirst) {
  Server server;
  server.open(1, with_priority("u=5"));
  server.open(3, with_priority("u=1"));
  server.open(5);
  // RFC 9218, 7.1: the client has changed its mind about the third.
  (void)server.session.feed(h2_frame(kPriorityUpdateFrame, 0, 0, h2_u32(5) + "u=0"));
  for (size_t i = 0; i < 3; ++i) server.answer(i, "x");
  EXPECT_EQ(h2_describe(server.pull()),
            "HEADERS 1\nHEADERS 3\nHEADERS 5\n"
            "DATA 5 1 END_STREAM\nDATA 3 1 END_STREAM\nDATA 1 1 END_STREAM\n");
}

TEST(H2Flow, IncrementalStreamsTakeTurnsOthersDoNot) {
  for (bool incremental : {true, false}) {
    Server server;
    const std::string body(32768, 'x');
    for (uint32_t id : {1, 3}) server.open(id, with_priority(incremental ? "u=3, i" : "u=3"));
    for (size_t i = 0; i < 2; ++i) server.answer(i, body);
    std::string out = h2_describe(server.pull());
    out = out.substr(out.find("DATA"));
    EXPECT_EQ(out.starts_with("DATA 1 16384\nDATA 3 16384\n"), incremental) << out;
  }
}

TEST(H2Flow, StreamsBeyondTheLimitAreRefused) {
  H2Options options;
  options.max_concurrent_streams = 1;
  Server server(options);
  server.open(1);
  server.open(3);
  EXPECT_EQ(server.streams.size(), 1U);
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 3 7\n");
}

TEST(H2Flow, AUserMayRefuseAStream) {
  Server server;
  server.refuse = true;
  server.open(1);
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 1 7\n");
  EXPECT_EQ(server.session.glitches(), 1U);
}

TEST(H2Flow, AnAnswerBeforeTheEndOfTheRequestAsksForNoMore) {
  Server server;
  server.open(1);
  server.answer(0, "no");
  EXPECT_EQ(h2_describe(server.pull()), "HEADERS 1\nDATA 1 2 END_STREAM\n");
  server.session.finish(*server.streams.at(0));
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 1 0\n");
}

TEST(H2Flow, AReleasedStreamSendsNothingMore) {
  Server server;
  server.open(1);
  server.answer(0, "half", false);
  server.session.release(*server.streams.at(0), H2Error::kCancel);
  EXPECT_EQ(server.streams.at(0)->id(), 0);
  server.session.send_data(*server.streams.at(0), "late");
  server.session.send_end(*server.streams.at(0), {});
  EXPECT_FALSE(server.streams.at(0)->pending());
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 1 8\n");
  // What was under way when it was reset is dropped, its credit returned.
  EXPECT_TRUE(server.session.feed(data(1, 1000)));
  EXPECT_EQ(server.streams.at(0)->body, "");
}

// ---- The client's limits.

TEST(H2Flow, AClientOpensNoMoreStreamsThanItsPeerAllows) {
  H2Options options;
  options.max_concurrent_streams = 2;
  H2Pair pair(options);
  EXPECT_EQ(pair.client.session.max_streams(), 2U);
  for (int i = 0; i < 3; ++i) {
    H2TestStream& call = pair.client.make_stream();
    EXPECT_TRUE(pair.client.session.send_request(call, h2_get()));
    pair.client.session.send_end(call, {});
  }
  pair.run();
  EXPECT_EQ(pair.server.streams.size(), 2U);
  // One that waits can be taken back without a word to the origin.
  pair.client.session.release(*pair.client.streams[2], H2Error::kCancel);
  pair.client.session.release(*pair.client.streams[0], H2Error::kCancel);
  EXPECT_EQ(h2_describe(pair.client.pull()), "RST_STREAM 1 8\n");
}

TEST(H2Flow, RefusedStreamsMayBeSentAgain) {
  H2Peer client(H2Session::Role::kClient);
  H2TestStream& call = client.make_stream();
  ASSERT_TRUE(client.session.send_request(call, h2_get()));
  (void)client.pull();
  (void)client.session.feed(h2_frame(kSettingsFrame, 0, 0, {}) +
                            h2_frame(kResetFrame, 0, 1, h2_u32(7)));
  EXPECT_EQ(call.events, "reset 7\n");
}

TEST(H2Flow, GoAwayRefusesWhatItDoesNotName) {
  H2Peer client(H2Session::Role::kClient);
  for (int i = 0; i < 3; ++i) {
    H2TestStream& call = client.make_stream();
    ASSERT_TRUE(client.session.send_request(call, h2_get()));
    client.session.send_end(call, {});
    if (i == 1) (void)client.pull();  // the third is not framed yet
  }
  (void)client.session.feed(h2_frame(kSettingsFrame, 0, 0, {}) +
                            h2_frame(kGoAwayFrame, 0, 0, h2_u32(1) + h2_u32(0)));
  EXPECT_EQ(client.events, "settings\ngoaway\n");
  EXPECT_EQ(client.streams[0]->events, "");
  EXPECT_EQ(client.streams[1]->events, "reset 7\n");
  EXPECT_EQ(client.streams[2]->events, "reset 7\n");
  EXPECT_FALSE(client.session.send_request(client.make_stream(), h2_get()));
  EXPECT_FALSE(client.session.finished());
  (void)client.session.feed(h2_headers(1, {{":status", "200"}}));
  EXPECT_EQ(client.streams[0]->events, "response 200 length\nend 0\n");
  (void)client.pull();
  EXPECT_TRUE(client.session.finished());
}

// ---- The end.

TEST(H2Flow, AServerGoesInTwoSteps) {
  Server server;
  server.open(1, kPost, kEndStream);
  server.session.shut_down(false);
  EXPECT_EQ(h2_describe(server.pull()), "GOAWAY 0 2147483647 0\n");
  server.open(3, kPost, kEndStream);  // was under way
  server.session.shut_down(true);
  EXPECT_EQ(h2_describe(server.pull()), "GOAWAY 0 3 0\n");
  server.open(5, kPost, kEndStream);
  EXPECT_EQ(server.streams.size(), 2U);
  EXPECT_FALSE(server.session.finished());
  server.answer(0, "a");
  server.answer(1, "b");
  (void)server.pull();
  EXPECT_TRUE(server.session.finished());
}

TEST(H2Flow, AClientThatGoesIsServedToTheEnd) {
  Server server;
  server.open(1, kPost, kEndStream);
  (void)server.session.feed(h2_frame(kGoAwayFrame, 0, 0, h2_u32(0) + h2_u32(0)));
  EXPECT_EQ(server.events, "settings\ngoaway\n");
  server.answer(0, "a");
  (void)server.pull();
  EXPECT_TRUE(server.session.finished());
}

TEST(H2Flow, AfterTerminateLittleIsLeftToSay) {
  Server server;
  (void)server.session.feed(h2_frame(kWindowFrame, 0, 0, h2_u32(1 << 20)));
  server.open(1);
  const std::string large(60000, 'x');
  server.answer(0, large);
  server.session.terminate(H2Error::kEnhanceYourCalm);
  EXPECT_EQ(h2_describe(server.pull()), "GOAWAY 0 1 11\n");
  EXPECT_TRUE(server.session.finished());
  EXPECT_TRUE(server.session.feed(h2_headers(3, kPost)));
  EXPECT_EQ(server.streams.size(), 1U);
}

TEST(H2Flow, BrokenConnectionsEndWithGoAwayAndTheirStreamsHearIt) {
  struct Case {
    std::string bytes;
    uint32_t code;
  };
  const Case cases[] = {
      {h2_frame(kPingFrame, 0, 1, "12345678"), 1},
      {h2_frame(kPingFrame, 0, 0, "1234"), 6},
      {h2_frame(kWindowFrame, 0, 0, h2_u32(0)), 1},
      {h2_frame(kDataFrame, 0, 99, "idle"), 1},
      {h2_frame(kContinuationFrame, 0, 1, ""), 1},
      {h2_frame(kHeadersFrame, kEndHeaders, 5, "\xff\xff\xff\xff\xff"), 9},
      {h2_headers(2, kPost), 1},
      {h2_frame(kSettingsFrame, 0, 0, "12345"), 6},
      {h2_frame(kPushFrame, 0, 1, "1234"), 1},
  };
  for (const Case& c : cases) {
    Server server;
    server.open(1);
    (void)server.session.feed(c.bytes);
    std::string out = server.pull();
    std::vector<H2Frame> frames = h2_frames(out);
    ASSERT_FALSE(frames.empty()) << h2_describe(c.bytes);
    EXPECT_EQ(frames.back().type, kGoAwayFrame) << h2_describe(c.bytes);
    EXPECT_EQ(frames.back().word(4), c.code) << h2_describe(c.bytes);
    EXPECT_TRUE(server.session.finished());
    server.session.deliver();
    EXPECT_TRUE(server.streams.at(0)->reset) << h2_describe(c.bytes);
    EXPECT_EQ(server.session.streams(), 0U);
  }
}

TEST(H2Flow, ABadPrefaceIsAnError) {
  H2Peer server(H2Session::Role::kServer);
  Result<void> fed = server.session.feed("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kBadFraming);
  EXPECT_NE(h2_describe(server.pull()).find("GOAWAY 0 0 1\n"), std::string::npos);
}

TEST(H2Flow, APingIsAnsweredAndOursIsAwaited) {
  H2Pair pair;
  pair.client.session.ping();
  EXPECT_EQ(h2_describe(pair.client.pull()), "PING 0\n");
  (void)pair.client.session.feed(h2_frame(kPingFrame, kAck, 0, std::string("weir\0\0\0\0", 8)));
  EXPECT_EQ(pair.client.session.glitches(), 0U);
  (void)pair.server.session.feed(h2_frame(kPingFrame, 0, 0, "12345678"));
  std::vector<H2Frame> frames = h2_frames(pair.server.pull());
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload, "12345678");
  EXPECT_EQ(frames[0].flags, kAck);
}

}  // namespace
}  // namespace weir::http
