// SPDX-License-Identifier: Apache-2.0
// Rules of RFC 9113 on a client's frames beyond those that nghttp2 keeps: closed streams, stream
// ids, PRIORITY, windows, and streams over the limit.
#include <gtest/gtest.h>

#include "h2_peer.h"
#include "http/h2_frame_reader.h"
#include "http/h2_resets.h"

namespace weir::http {
namespace {

const H2FieldList kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};

struct Server : H2Peer {
  explicit Server(const H2Options& options = {}) : H2Peer(H2Session::Role::kServer, options) {
    greeting = pull();
    (void)session.feed(h2_preface() + h2_frame(kSettingsFrame, kAck, 0, {}));
    (void)pull();
  }
  Result<void> feed(const std::string& bytes) { return session.feed(bytes); }
  /// What it says to `bytes`.
  std::string say(const std::string& bytes) {
    (void)session.feed(bytes);
    return h2_describe(pull());
  }
  void answer(H2TestStream& stream) {
    ResponseHead head;
    head.status = 204;
    session.send_response(stream, head);
    session.send_end(stream, {});
    (void)pull();
    session.finish(stream);
    (void)pull();
  }

  std::string greeting;
};

std::string get(uint32_t id) { return h2_headers(id, kGet); }
std::string open(uint32_t id) { return h2_headers(id, kGet, 0); }
std::string data(uint32_t id, uint8_t flags = kEndStream) {
  return h2_frame(kDataFrame, flags, id, "x");
}
std::string trailers(uint32_t id) { return h2_headers(id, {{"x-sum", "1"}}); }
std::string reset(uint32_t id) { return h2_frame(kResetFrame, 0, id, h2_u32(8)); }
std::string priority(uint32_t id, uint32_t on) {
  return h2_frame(kPriorityFrame, 0, id, h2_u32(on) + "\x10");
}

/// The GOAWAY that ends a connection; "" if there is none.
std::string end_of(const std::string& frames) {
  size_t at = frames.find("GOAWAY");
  return at == std::string::npos ? "" : frames.substr(at);
}

TEST(H2Watch, FramesOnStreamsThatTheClientHasClosedEndTheConnection) {
  struct Case {
    std::string what;
    std::string bytes;
  };
  const Case cases[] = {
      {"data after its reset", open(1) + reset(1) + data(1)},
      {"headers after its reset", open(1) + reset(1) + trailers(1)},
      {"data after its end", get(1) + data(1)},
      {"headers after its end", get(1) + trailers(1)},
      {"data after its end by trailers", open(1) + trailers(1) + data(1)},
  };
  for (const Case& c : cases) {
    Server server;
    EXPECT_EQ(end_of(server.say(c.bytes)), "GOAWAY 0 1 5\n") << c.what;
    EXPECT_TRUE(server.session.finished()) << c.what;
  }
}

TEST(H2Watch, FramesOnStreamsThatBothSidesHaveEndedEndTheConnection) {
  for (const std::string& late : {data(1), trailers(1), get(1)}) {
    Server server;
    ASSERT_TRUE(server.feed(get(1)));
    server.answer(*server.streams.at(0));
    Result<void> fed = server.feed(late);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ErrorCode::kBadFraming);
    EXPECT_EQ(h2_describe(server.pull()), "GOAWAY 0 1 5\n");
  }
}

TEST(H2Watch, WindowUpdatesAndResetsOfClosedStreamsMayBeLate) {
  Server server;
  ASSERT_TRUE(server.feed(get(1)));
  server.answer(*server.streams.at(0));
  EXPECT_EQ(server.say(h2_frame(kWindowFrame, 0, 1, h2_u32(1)) + reset(1) + priority(1, 0)), "");
  EXPECT_EQ(server.say(get(3)), "");
  EXPECT_EQ(server.streams.size(), 2U);
}

TEST(H2Watch, WhatWasUnderWayWhenTheServerResetIsIgnored) {
  Server server;
  ASSERT_TRUE(server.feed(open(1)));
  server.session.release(*server.streams.at(0), H2Error::kCancel);
  EXPECT_EQ(server.say(data(1, 0)), "RST_STREAM 1 8\n");  // before the reset has left
  EXPECT_EQ(server.say(data(1, 0) + trailers(1)), "");
  EXPECT_EQ(server.say(get(3)), "");
  EXPECT_EQ(server.streams.at(0)->body, "");
}

TEST(H2Watch, WhatWasUnderWayAfterAnEarlyAnswerIsIgnored) {
  Server server;
  ASSERT_TRUE(server.feed(open(1)));
  server.answer(*server.streams.at(0));
  EXPECT_EQ(server.say(data(1, 0) + data(1)), "");
  // It has said its last by now.
  EXPECT_EQ(server.say(data(1)), "GOAWAY 0 1 5\n");
}

TEST(H2Watch, AClientThatResetsAsWellMustBeSilent) {
  Server server;
  ASSERT_TRUE(server.feed(open(1)));
  server.session.release(*server.streams.at(0), H2Error::kCancel);
  (void)server.pull();
  EXPECT_EQ(server.say(reset(1)), "");
  EXPECT_EQ(server.say(data(1)), "GOAWAY 0 1 5\n");
}

TEST(H2Watch, MalformedAndRefusedStreamsMayGoOnForAWhile) {
  Server server;
  ASSERT_TRUE(server.feed(h2_headers(1, {{":method", "GET"}}, 0)));
  server.refuse = true;
  ASSERT_TRUE(server.feed(open(3)));
  EXPECT_EQ(h2_describe(server.pull()), "RST_STREAM 1 1\nRST_STREAM 3 7\n");
  EXPECT_EQ(server.say(data(1) + data(3)), "");
}

TEST(H2Watch, StreamsThatAGoAwayDoesNotNameAreIgnored) {
  Server server;
  ASSERT_TRUE(server.feed(get(1)));
  server.session.shut_down(true);
  ASSERT_TRUE(server.feed(open(3)));  // under way; the GOAWAY has not left yet
  EXPECT_EQ(h2_describe(server.pull()), "GOAWAY 0 1 0\n");
  EXPECT_EQ(server.say(data(3) + open(5) + data(5)), "");
  server.answer(*server.streams.at(0));
  EXPECT_EQ(server.session.streams(), 0U);
}

TEST(H2Watch, ManyResetsPutTheServerInDoubt) {
  Server server;
  std::string late;
  for (uint32_t id = 1; id < 400; id += 2) {
    ASSERT_TRUE(server.feed(open(id)));
    server.session.release(*server.streams.back(), H2Error::kCancel);
    (void)server.pull();
    late += data(id);
  }
  EXPECT_EQ(server.say(late), "");
}

TEST(H2Watch, LateFramesThatServeOnlyToCostAreCounted) {
  Server server;
  ASSERT_TRUE(server.feed(open(1)));
  server.session.release(*server.streams.at(0), H2Error::kCancel);
  (void)server.pull();
  ASSERT_TRUE(server.feed(data(1, 0) + data(1, 0)));
  EXPECT_EQ(server.session.glitches(), 0U);
  ASSERT_TRUE(server.feed(h2_frame(kDataFrame, 0, 1, "") + h2_headers(1, {{"x-sum", "1"}}, 0)));
  EXPECT_EQ(server.session.glitches(), 2U);
}

TEST(H2Watch, StreamIdsMustGrow) {
  Server server;
  EXPECT_EQ(end_of(server.say(get(5) + get(3))), "GOAWAY 0 5 1\n");
  Server other;
  EXPECT_EQ(end_of(other.say(get(1) + get(7) + data(3))), "GOAWAY 0 7 1\n");
}

TEST(H2Watch, PriorityIsIgnoredExceptOnStream0AndOnItself) {
  Server server;
  EXPECT_EQ(server.say(priority(3, 0) + priority(1, 3) + get(1) + priority(1, 0)), "");
  EXPECT_EQ(server.say(priority(0, 0)), "GOAWAY 0 1 1\n");
  for (uint32_t id : {1U, 7U}) {
    Server other;
    ASSERT_TRUE(other.feed(get(1)));
    EXPECT_EQ(other.say(priority(id, 0x80000000U | id)), "GOAWAY 0 1 1\n");
  }
}

TEST(H2Watch, WhatInterruptsAHeaderBlockIsAProtocolErrorWhateverItIs) {
  for (const std::string& other : {data(1), get(1), priority(0, 0)}) {
    Server server;
    ASSERT_TRUE(server.feed(get(1)));
    server.answer(*server.streams.at(0));
    EXPECT_EQ(server.say(h2_frame(kHeadersFrame, kEndStream, 3, h2_block(kGet)) + other),
              "GOAWAY 0 3 1\n");
  }
}

TEST(H2Watch, RulesHoldWhereverBytesAreCut) {
  const std::string bytes = open(1) + reset(1) + get(3) + data(1);
  for (size_t piece = 1; piece < 12; ++piece) {
    Server server;
    bool failed = false;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      failed = !server.feed(bytes.substr(at, piece));
    }
    EXPECT_TRUE(failed) << piece;
    EXPECT_EQ(end_of(h2_describe(server.pull())), "GOAWAY 0 3 5\n") << piece;
    EXPECT_EQ(server.streams.at(1)->events.substr(0, 12), "request GET ") << piece;
  }
}

TEST(H2Watch, SettingsThatPushAWindowOverItsMaximumEndTheConnection) {
  auto initial = [](uint32_t window) {
    return h2_frame(kSettingsFrame, 0, 0, std::string("\0\4", 2) + h2_u32(window));
  };
  Server server;
  ASSERT_TRUE(server.feed(get(1)));
  // A window of 65535 is raised to the maximum, lowered, and raised again.
  EXPECT_EQ(end_of(server.say(initial(0x7fffffff) + initial(100) + initial(0x7fffffff))), "");
  ASSERT_TRUE(server.feed(initial(1000) + h2_frame(kWindowFrame, 0, 1, h2_u32(1))));
  EXPECT_EQ(end_of(server.say(initial(0x7fffffff - 1))), "");
  EXPECT_EQ(end_of(server.say(initial(0x7fffffff))), "GOAWAY 0 1 3\n");
  EXPECT_TRUE(server.session.finished());
}

TEST(H2Watch, TheLimitOnStreamsIsTold) {
  H2Options options;
  options.max_concurrent_streams = 3;
  Server server(options);
  const std::vector<H2Frame> frames = h2_frames(server.greeting);
  ASSERT_FALSE(frames.empty());
  ASSERT_EQ(frames[0].type, kSettingsFrame);
  const std::string& entries = frames[0].payload;
  EXPECT_NE(entries.find(std::string("\0\3\0\0\0\3", 6)), std::string::npos);
  EXPECT_EQ(entries.size() % 6, 0U);
}

TEST(H2Watch, StreamsOverTheLimitAreRefusedOneByOne) {
  H2Options options;
  options.max_concurrent_streams = 2;
  Server server(options);
  EXPECT_EQ(server.say(get(1) + open(3) + get(5) + open(7)), "RST_STREAM 5 7\nRST_STREAM 7 7\n");
  EXPECT_EQ(server.session.glitches(), 2U);
  EXPECT_EQ(server.say(data(7) + data(3)), "");
  server.answer(*server.streams.at(0));
  EXPECT_EQ(server.say(get(9)), "");
  EXPECT_EQ(server.say(get(11)), "RST_STREAM 11 7\n");
  EXPECT_EQ(server.streams.size(), 3U);
}

TEST(H2Watch, AStreamThatIsOverCountsNoMoreEvenIfItsUserKeepsIt) {
  H2Options options;
  options.max_concurrent_streams = 1;
  Server server(options);
  ASSERT_TRUE(server.feed(get(1)));
  ResponseHead head;
  head.status = 204;
  server.session.send_response(*server.streams.at(0), head);
  server.session.send_end(*server.streams.at(0), {});
  (void)server.pull();
  EXPECT_EQ(server.say(get(3)), "");
  EXPECT_EQ(server.session.streams(), 2U);
  EXPECT_EQ(server.say(get(5)), "RST_STREAM 5 7\n");
}

TEST(H2Watch, AFloodOverTheLimitIsEnded) {
  H2Options options;
  options.max_concurrent_streams = 1;
  options.max_glitches = 100;
  Server server(options);
  std::string frames;
  for (uint32_t id = 1; id < 1000 && !server.session.finished(); id += 2)
    frames += server.say(get(id));
  EXPECT_EQ(server.streams.size(), 1U);
  EXPECT_EQ(server.session.glitches(), 100U);  // requests after the warning count as well
  EXPECT_EQ(end_of(frames), "GOAWAY 0 151 11\nRST_STREAM 151 7\nGOAWAY 0 151 11\n");
}

TEST(H2Watch, RefusalsThatAreNotReadAreBounded) {
  H2Options options;
  options.max_concurrent_streams = 1;
  options.max_glitches = 0;
  Server server(options);
  for (uint32_t id = 1; id < 10000; id += 2) (void)server.feed(get(id));
  EXPECT_LT(server.pull().size(), 20000U);
  EXPECT_TRUE(server.session.finished());
}

TEST(H2Watch, TheWarningComesBeforeTheEndEvenInOneRead) {
  H2Options options;
  options.max_glitches = 100;
  Server server(options);
  server.on_event = [&](H2TestStream&, std::string_view what) {
    if (what.starts_with("reset")) server.session.glitch(200);
  };
  EXPECT_EQ(server.say(open(1) + reset(1)), "GOAWAY 0 1 11\nGOAWAY 0 1 11\n");
}

// ---- The parts.

TEST(H2FrameReader, FindsHeadsInPiecesOfAnySize) {
  const std::string bytes = "skipped" + get(1) + data(0x80000003U) + priority(5, 0x80000007U) +
                            h2_frame(kPriorityFrame, 0, 9, "1234") +
                            h2_frame(kSettingsFrame, kAck, 0, {});
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    H2FrameReader reader(7);
    std::string seen;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      std::string_view part = std::string_view(bytes).substr(at, piece);
      while (!part.empty()) {
        part.remove_prefix(reader.next(part));
        if (!reader.complete()) break;
        const H2FrameHead& head = reader.head();
        seen += std::to_string(head.type) + " " + std::to_string(head.flags) + " " +
                std::to_string(head.stream) + " " + std::to_string(head.depends_on) + "\n";
      }
    }
    EXPECT_EQ(seen, "1 5 1 -1\n0 1 3 -1\n2 0 5 7\n2 0 9 -1\n4 1 0 -1\n") << piece;
  }
}

TEST(H2Resets, KeepsTheLastOnesAndDoubtsWhatIsOlder) {
  H2Resets resets;
  EXPECT_FALSE(resets.may_have(1));
  for (int32_t id = 101; id < 101 + 2 * 64; id += 2) resets.add(id);
  EXPECT_FALSE(resets.may_have(99));
  EXPECT_TRUE(resets.may_have(101));
  EXPECT_FALSE(resets.may_have(102));
  resets.forget(103);
  EXPECT_FALSE(resets.may_have(103));
  resets.add(301);
  EXPECT_TRUE(resets.may_have(99));
  EXPECT_TRUE(resets.may_have(301));
  EXPECT_FALSE(resets.may_have(103));
}

}  // namespace
}  // namespace weir::http
