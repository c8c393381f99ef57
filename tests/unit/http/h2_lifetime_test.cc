// SPDX-License-Identifier: Apache-2.0
// Streams may be let go in the middle of every event, bytes may come in pieces of every size, and
// none of that changes what the others see. Under ASan this is where a stale pointer would show.
#include <gtest/gtest.h>

#include "h2_peer.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

const H2FieldList kPost = {
    {":method", "POST"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};

/// Requests of all shapes, good and bad, as a client would send them.
std::string conversation() {
  H2FieldList with_length = kPost;
  with_length.push_back({"content-length", "4"});
  H2FieldList bad = kPost;
  bad[3].second = "/%2f";
  return h2_preface() + h2_frame(kSettingsFrame, kAck, 0, {}) + h2_headers(1, kPost) +
         h2_headers(3, with_length, 0) + h2_frame(kDataFrame, kEndStream, 3, "body") +
         h2_headers(5, kPost, 0) + h2_frame(kDataFrame, 0, 5, std::string(30, 'x')) +
         h2_frame(kPingFrame, 0, 0, "12345678") + h2_headers(5, {{"x-sum", "1"}}, kEndStream) +
         h2_headers(7, bad) + h2_headers(9, {{":method", "GET"}}) + h2_headers(11, kPost, 0) +
         h2_frame(kResetFrame, 0, 11, h2_u32(8)) + h2_frame(kHeadersFrame, 0, 13, h2_block(kPost)) +
         h2_frame(kContinuationFrame, kEndHeaders, 13, h2_field("x", "y")) +
         h2_frame(kDataFrame, kEndStream | kPadded, 13, std::string(1, 2) + "ab" + "\1\1") +
         h2_headers(15, with_length, 0) + h2_frame(kDataFrame, kEndStream, 15, "abc") +
         h2_frame(kWindowFrame, 0, 0, h2_u32(1000));
}

void answer(H2TestStream& stream) {
  ResponseHead head;
  head.status = 200;
  head.body = {Kind::kChunked, 0};
  stream.peer.session.send_response(stream, head);
  stream.peer.session.send_data(stream, "answer");
  stream.peer.session.send_end(stream, {});
}

TEST(H2Lifetime, PiecesOfAnySizeGiveTheSameEvents) {
  const std::string bytes = conversation();
  std::string expected;
  std::string expected_frames;
  for (size_t piece : {bytes.size(), size_t{1}, size_t{2}, size_t{7}, size_t{100}}) {
    H2Peer server(H2Session::Role::kServer);
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(server.session.feed(std::string_view(bytes).substr(at, piece)));
    }
    std::string frames = server.pull();
    server.session.deliver();
    std::string seen;
    for (const auto& stream : server.streams) {
      seen += stream->events + stream->body + stream->trailers + stream->fields;
    }
    if (expected.empty()) {
      expected = seen;
      expected_frames = frames;
    }
    EXPECT_EQ(seen, expected) << piece;
    EXPECT_EQ(frames, expected_frames) << piece;
    EXPECT_EQ(server.session.glitches(), 5U) << piece;
  }
  EXPECT_NE(expected.find("request POST a.example / chunked\nend 2\n"), std::string::npos);
}

/// Runs the conversation and lets `act` loose on the stream of the n-th event.
size_t run_until(size_t n, void (*act)(H2TestStream&)) {
  H2Peer server(H2Session::Role::kServer);
  size_t events = 0;
  server.on_event = [&](H2TestStream& stream, std::string_view what) {
    if (events++ == n) return act(stream);
    if (what.starts_with("end") || what.starts_with("bad")) answer(stream);
  };
  const std::string bytes = conversation();
  for (size_t at = 0; at < bytes.size(); at += 50) {
    EXPECT_TRUE(server.session.feed(std::string_view(bytes).substr(at, 50)));
    if (at % 200 == 0) (void)server.pull();
  }
  (void)server.pull();
  server.session.deliver();
  for (auto& stream : server.streams) {
    if (stream->id() != 0) server.session.finish(*stream);
  }
  EXPECT_EQ(server.session.streams(), 0U);
  (void)server.pull();
  return events;
}

TEST(H2Lifetime, StreamsMayBeLetGoAtEveryEvent) {
  void (*const acts[])(H2TestStream&) = {
      [](H2TestStream& s) { s.peer.session.release(s, H2Error::kCancel); },
      [](H2TestStream& s) { s.peer.session.finish(s); },
      [](H2TestStream& s) {
        answer(s);
        s.peer.session.finish(s);
      },
      // The memory goes too: nothing may look at it afterwards.
      [](H2TestStream& s) {
        answer(s);
        s.peer.session.release(s, H2Error::kInternalError);
        s.arena.reset();
      },
      [](H2TestStream& s) { s.peer.session.close_streams(H2Error::kCancel); },
      [](H2TestStream& s) { s.peer.session.shut_down(true); },
  };
  for (auto* act : acts) {
    size_t events = 1;
    for (size_t n = 0; n < events; ++n) events = std::max(events, run_until(n, act));
    EXPECT_GT(events, 10U);
  }
}

TEST(H2Lifetime, ASessionMayBeEndedAtEveryEvent) {
  size_t events = 1;
  for (size_t n = 0; n < events; ++n) {
    H2Peer server(H2Session::Role::kServer);
    size_t seen = 0;
    server.on_event = [&](H2TestStream& stream, std::string_view) {
      answer(stream);
      if (seen++ == n) stream.peer.session.terminate(H2Error::kEnhanceYourCalm);
    };
    (void)server.session.feed(conversation());
    (void)server.pull();
    server.session.deliver();
    EXPECT_EQ(server.session.streams(), 0U);
    EXPECT_TRUE(server.session.finished());
    if (n == 0) events = 12;
  }
}

TEST(H2Lifetime, ClientStreamsMayBeLetGoBeforeTheyAreFramed) {
  H2Options options;
  options.max_concurrent_streams = 2;
  for (int n = 0; n < 5; ++n) {
    H2Pair pair(options);
    for (int i = 0; i < 5; ++i) {
      H2TestStream& call = pair.client.make_stream();
      RequestHead head = h2_get();
      head.body = {Kind::kChunked, 0};
      ASSERT_TRUE(pair.client.session.send_request(call, head));
      pair.client.session.send_data(call, "body");
      if (i == 2) (void)pair.client.pull();
    }
    // Destroys it, its memory and all.
    pair.client.streams.erase(pair.client.streams.begin() + n);
    (void)pair.client.pull();
    pair.run();
    EXPECT_EQ(pair.client.session.streams(), 4U);
  }
}

TEST(H2Lifetime, CloseStreamsTellsEveryStreamOnce) {
  H2Pair pair;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pair.client.session.send_request(pair.client.make_stream(), h2_get()));
  }
  pair.run();
  pair.server.on_event = [&](H2TestStream&, std::string_view) {
    // Each takes another one with it.
    for (auto& other : pair.server.streams) {
      if (other->id() != 0) return pair.server.session.release(*other, H2Error::kCancel);
    }
  };
  pair.server.session.close_streams(H2Error::kCancel);
  pair.client.session.close_streams(H2Error::kInternalError);
  EXPECT_EQ(pair.server.session.streams() + pair.client.session.streams(), 0U);
  for (const auto& call : pair.client.streams) EXPECT_EQ(call->events, "reset 2\n");
}

}  // namespace
}  // namespace weir::http
