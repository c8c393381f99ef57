// SPDX-License-Identifier: Apache-2.0
// Two sessions that speak to each other: messages arrive as they were sent, both ways.
#include <gtest/gtest.h>

#include "h2_peer.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

ResponseHead answer(uint16_t status, BodyFraming body) {
  ResponseHead head;
  head.status = status;
  head.body = body;
  return head;
}

/// A list of headers with room of its own.
struct Fields {
  Fields(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    for (auto [name, value] : pairs) list.push({name, value, header_id(name)});
  }
  Header memory[16];
  HeaderList list{memory, 16};
};

/// A client and a server with one request under way.
struct Call : H2Pair {
  explicit Call(const RequestHead& head = h2_get(), bool end = true,
                const H2Options& server_options = {}, const H2Options& client_options = {})
      : H2Pair(server_options, client_options), request(client.make_stream()) {
    EXPECT_TRUE(client.session.send_request(request, head));
    if (end) client.session.send_end(request, {});
    run();
    EXPECT_EQ(server.streams.size(), 1U);
  }
  H2TestStream& served() { return *server.streams.at(0); }
  void reply(const ResponseHead& head, std::string_view body, const HeaderList& trailers = {}) {
    server.session.send_response(served(), head);
    server.session.send_data(served(), body);
    server.session.send_end(served(), trailers);
    run();
  }
  H2TestStream& request;
};

TEST(H2SessionTest, ARequestWithoutBodyIsAnswered) {
  Call call(h2_get("/x?y"));
  EXPECT_EQ(call.served().events, "request GET a.example /x?y none\nend 0\n");
  EXPECT_EQ(call.served().fields, "host: a.example\n");
  EXPECT_EQ(call.served().request.version, Version::kHttp2);
  EXPECT_EQ(call.served().request.target, "/x?y");
  call.reply(answer(200, {Kind::kLength, 5}), "hello");
  EXPECT_FALSE(call.served().pending());
  EXPECT_EQ(call.request.events, "response 200 length\nend 5\n");
  EXPECT_EQ(call.request.body, "hello");
  EXPECT_EQ(call.request.fields, "content-length: 5\n");
  call.server.session.finish(call.served());
  call.client.session.finish(call.request);
  EXPECT_EQ(call.server.session.streams() + call.client.session.streams(), 0U);
  EXPECT_EQ(call.client.pull() + call.server.pull(), "");
}

TEST(H2SessionTest, ABodyIsFramedByLengthOrNot) {
  for (BodyFraming body : {BodyFraming{Kind::kLength, 6}, BodyFraming{Kind::kChunked, 0}}) {
    RequestHead head = h2_get();
    head.method = Method::kPost;
    head.method_text = "POST";
    head.body = body;
    Call call(head, false);
    call.client.session.send_data(call.request, "abc");
    call.run();
    call.client.session.send_data(call.request, "def");
    call.client.session.send_end(call.request, {});
    call.run();
    std::string kind = body.kind == Kind::kLength ? "length" : "chunked";
    EXPECT_EQ(call.served().events, "request POST a.example / " + kind + "\nend 6\n");
    EXPECT_EQ(call.served().body, "abcdef");
    EXPECT_EQ(call.served().request.body.length, body.length);
    call.reply(answer(200, {Kind::kChunked, 0}), "");
    EXPECT_EQ(call.request.events, "response 200 chunked\nend 0\n");
  }
}

TEST(H2SessionTest, NothingIsSentAfterAHeadWithoutBody) {
  struct Case {
    Method method;
    uint16_t status;
    BodyFraming body;
    std::string_view seen;
  };
  const Case cases[] = {
      {Method::kHead, 200, {}, "none"},
      {Method::kGet, 204, {}, "none"},
      {Method::kGet, 304, {}, "none"},
      // An answer that ends with its head has a body of no bytes: HTTP/1 has to be told.
      {Method::kGet, 200, {Kind::kLength, 0}, "length"},
      {Method::kGet, 404, {}, "length"},
  };
  for (const Case& c : cases) {
    RequestHead head = h2_get();
    head.method = c.method;
    head.method_text = c.method == Method::kHead ? "HEAD" : "GET";
    Call call(head);
    call.server.session.send_response(call.served(), answer(c.status, c.body));
    call.server.session.send_data(call.served(), "not for the wire");
    call.server.session.send_end(call.served(), {});
    std::string out = call.server.pull();
    EXPECT_EQ(h2_describe(out), "HEADERS 1 END_STREAM\n");
    (void)call.client.session.feed(out);
    EXPECT_EQ(call.request.events,
              "response " + std::to_string(c.status) + " " + std::string(c.seen) + "\nend 0\n");
  }
}

TEST(H2SessionTest, ContentLengthFollowsFromTheFraming) {
  struct Case {
    uint16_t status;
    BodyFraming body;
    std::string_view given;
    std::string_view seen;
  };
  const Case cases[] = {
      {200, {Kind::kLength, 3}, "", "content-length: 3\n"},
      {200, {Kind::kLength, 3}, "007", "content-length: 3\n"},
      {200, {Kind::kChunked, 0}, "3", ""},
      {200, {Kind::kLength, 0}, "0", "content-length: 0\n"},
      {200, {Kind::kLength, 0}, "", ""},
      {304, {}, "3", "content-length: 3\n"},  // what GET would give
      {204, {}, "0", ""},
  };
  for (const Case& c : cases) {
    Call call;
    ResponseHead head = answer(c.status, c.body);
    Fields fields{{"Content-Length", c.given}};
    if (!c.given.empty()) head.headers = fields.list;
    call.reply(head, "abc");
    EXPECT_EQ(call.request.fields, c.seen) << c.status << " " << c.given;
    EXPECT_TRUE(call.request.ended) << c.status << " " << c.given;
  }
}

TEST(H2SessionTest, FieldsLoseTheirCaseAndTheirConnection) {
  RequestHead head = h2_get();
  Fields fields{{"Host", "other"},        {"User-Agent", "x"}, {"X-Custom-Thing", "MixedCase"},
                {"TE", "gzip, trailers"}, {"Upgrade", "h2c"},  {"Keep-Alive", "5"},
                {"HTTP2-Settings", "x"},  {"Cookie", "a=b"},   {"Authorization", "Basic xyz"}};
  head.headers = fields.list;
  Call call(head);
  EXPECT_EQ(call.served().fields,
            "user-agent: x\nx-custom-thing: MixedCase\nte: trailers\ncookie: a=b\n"
            "authorization: Basic xyz\nhost: a.example\n");
  ResponseHead reply = answer(200, {Kind::kLength, 1});
  Fields out{{"Server", "y"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b"}, {"Transfer-Encoding", "x"}};
  reply.headers = out.list;
  call.reply(reply, "x");
  EXPECT_EQ(call.request.fields, "server: y\nset-cookie: a\nset-cookie: b\ncontent-length: 1\n");
}

TEST(H2SessionTest, TrailersGoBothWaysWithoutForbiddenOnes) {
  RequestHead head = h2_get();
  head.body = {Kind::kChunked, 0};
  Call call(head, false);
  Fields up{{"x-sum", "1"}, {"host", "evil"}, {"X-Other", "2"}};
  call.client.session.send_data(call.request, "abc");
  call.client.session.send_end(call.request, up.list);
  call.run();
  EXPECT_EQ(call.served().events, "request GET a.example / chunked\nend 3\n");
  EXPECT_EQ(call.served().trailers, "x-sum: 1\nx-other: 2\n");
  Fields down{{"grpc-status", "0"}, {"Grpc-Message", "fine"}, {"set-cookie", "a"}};
  call.reply(answer(200, {Kind::kChunked, 0}), "xy", down.list);
  EXPECT_EQ(call.request.trailers, "grpc-status: 0\ngrpc-message: fine\n");
  EXPECT_EQ(call.request.events, "response 200 chunked\nend 2\n");
  EXPECT_FALSE(call.served().pending());
}

TEST(H2SessionTest, TrailersWithoutBodyNeedNoData) {
  Call call;
  Fields down{{"grpc-status", "5"}};
  call.server.session.send_response(call.served(), answer(200, {Kind::kChunked, 0}));
  call.server.session.send_end(call.served(), down.list);
  std::string out = call.server.pull();
  EXPECT_EQ(h2_describe(out), "HEADERS 1\nHEADERS 1 END_STREAM\n");
  EXPECT_FALSE(call.served().pending());
}

TEST(H2SessionTest, InterimResponsesPrecedeTheFinalOne) {
  RequestHead head = h2_get();
  head.body = {Kind::kLength, 3};
  Fields fields{{"Expect", "100-continue"}};
  head.headers = fields.list;
  Call call(head, false);
  EXPECT_TRUE(call.served().request.expect_continue);
  call.server.session.send_interim(call.served(), answer(100, {}));
  call.server.session.send_interim(call.served(), answer(103, {}));
  call.run();
  EXPECT_EQ(call.request.events, "interim 100\ninterim 103\n");
  call.client.session.send_data(call.request, "abc");
  call.client.session.send_end(call.request, {});
  call.reply(answer(200, {Kind::kLength, 2}), "ok");
  EXPECT_EQ(call.request.events, "interim 100\ninterim 103\nresponse 200 length\nend 2\n");
  EXPECT_EQ(call.served().body, "abc");
}

TEST(H2SessionTest, ExtendedConnectIsAGetThatBecomesATunnel) {
  RequestHead head = h2_get("/chat?room=1");
  head.protocol = "websocket";
  head.body = {Kind::kTunnel, 0};
  H2Pair probe;
  EXPECT_TRUE(probe.client.session.peer_allows_connect_protocol());
  Call call(head, false);
  EXPECT_EQ(call.served().events, "request GET a.example /chat?room=1 tunnel\n");
  EXPECT_EQ(call.served().request.protocol, "websocket");
  EXPECT_EQ(call.served().request.method, Method::kGet);
  call.server.session.send_response(call.served(), answer(200, {Kind::kTunnel, 0}));
  call.run();
  EXPECT_EQ(call.request.events, "response 200 tunnel\n");
  call.client.session.send_data(call.request, "up");
  call.server.session.send_data(call.served(), "down");
  call.run();
  EXPECT_EQ(call.served().body + call.request.body, "updown");
  call.client.session.send_end(call.request, {});
  call.run();
  call.server.session.send_data(call.served(), " and more");
  call.server.session.send_end(call.served(), {});
  call.run();
  EXPECT_TRUE(call.served().ended && call.request.ended);
  EXPECT_EQ(call.request.body, "down and more");
}

TEST(H2SessionTest, ARefusedTunnelIsAnOrdinaryAnswer) {
  RequestHead head = h2_get("/chat");
  head.protocol = "websocket";
  head.body = {Kind::kTunnel, 0};
  Call call(head, false);
  call.reply(answer(403, {Kind::kLength, 2}), "no");
  EXPECT_EQ(call.request.events, "response 403 length\nend 2\n");
}

TEST(H2SessionTest, PlainConnectHasAuthorityOnly) {
  RequestHead head;
  head.method = Method::kConnect;
  head.method_text = "CONNECT";
  head.authority = "db.example:5432";
  head.protocol = "connect";
  head.body = {Kind::kTunnel, 0};
  Call call(head, false);
  EXPECT_EQ(call.served().events, "request CONNECT db.example:5432  tunnel\n");
  EXPECT_EQ(call.served().request.method, Method::kConnect);
  EXPECT_EQ(call.served().request.protocol, "connect");
  EXPECT_EQ(call.served().request.target, "db.example:5432");
  call.server.session.send_response(call.served(), answer(200, {Kind::kTunnel, 0}));
  call.run();
  EXPECT_EQ(call.request.events, "response 200 tunnel\n");
}

TEST(H2SessionTest, WithoutExtendedConnectTheClientIsNotTold) {
  H2Options options;
  options.allow_connect_protocol = false;
  H2Pair pair(options);
  EXPECT_FALSE(pair.client.session.peer_allows_connect_protocol());
}

TEST(H2SessionTest, BorrowedBytesMayGoOnceTheyAreHeld) {
  Call call;
  std::string buffer = "first ";
  call.server.session.send_response(call.served(), answer(200, {Kind::kChunked, 0}));
  call.server.session.send_data(call.served(), buffer);
  call.server.session.hold(call.served());
  buffer = "second";
  EXPECT_GT(call.served().account.held(), 0);
  call.server.session.send_data(call.served(), buffer);
  EXPECT_EQ(call.served().queued(), 12U);
  call.server.session.send_end(call.served(), {});
  call.run();
  EXPECT_EQ(call.request.body, "first second");
}

TEST(H2SessionTest, PiecesOfOneBufferAreNotCopied) {
  Call call;
  constexpr std::string_view kBuffer = "one two";
  call.server.session.send_response(call.served(), answer(200, {Kind::kChunked, 0}));
  const int64_t before = call.served().account.held();
  call.server.session.send_data(call.served(), kBuffer.substr(0, 4));
  call.server.session.send_data(call.served(), kBuffer.substr(4));
  EXPECT_EQ(call.served().account.held(), before);
  call.server.session.send_end(call.served(), {});
  call.run();
  EXPECT_EQ(call.request.body, "one two");
}

TEST(H2SessionTest, DrainedIsToldOfWhatAPullLeftBehindOnly) {
  Call call;
  call.server.session.send_response(call.served(), answer(200, {Kind::kChunked, 0}));
  call.server.session.send_data(call.served(), "in one go");
  call.run();
  std::string before = call.served().events;
  const std::string large(70000, 'x');  // more than the client's window
  call.server.session.send_data(call.served(), large);
  (void)call.server.pull();
  EXPECT_TRUE(call.served().pending());
  EXPECT_EQ(call.served().events, before);
  std::string grant = h2_frame(kWindowFrame, 0, 1, h2_u32(100000));
  (void)call.server.session.feed(grant);
  (void)call.server.pull();
  EXPECT_FALSE(call.served().pending());
  EXPECT_EQ(call.served().events, before + "drained\n");
}

// All of a thread share the memory in which frames are built.
TEST(H2SessionTest, SessionsDoNotMixTheirFrames) {
  std::vector<std::unique_ptr<H2Pair>> pairs;
  std::vector<std::unique_ptr<H2Peer>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<H2Peer>(H2Session::Role::kClient));
    pairs.push_back(std::make_unique<H2Pair>());
  }
  const std::string value(60000, 'v');  // several frames
  Fields fields{{"x", value}};
  for (auto& pair : pairs) {
    H2TestStream& call = pair->client.make_stream();
    RequestHead head = h2_get();
    head.headers = fields.list;
    ASSERT_TRUE(pair->client.session.send_request(call, head));
    pair->client.session.send_end(call, {});
  }
  // One frame at a time, each in its turn.
  for (int turn = 0; turn < 10; ++turn) {
    for (auto& pair : pairs) {
      base::BufferChain out;
      if (!pair->client.session.pull(out, pair->client.account, 1)) continue;
      for (; !out.empty(); out.consume(out.front().size(), pair->client.blocks)) {
        ASSERT_TRUE(pair->server.session.feed(out.front()));
      }
    }
  }
  for (auto& pair : pairs) {
    ASSERT_EQ(pair->server.streams.size(), 1U);
    EXPECT_EQ(pair->server.streams[0]->fields, "x: " + value + "\nhost: a.example\n");
  }
  for (auto& client : clients) EXPECT_TRUE(client->pull().starts_with(kH2Preface));
}

TEST(H2SessionTest, APullKeepsToItsLimit) {
  Call call;
  call.server.session.send_response(call.served(), answer(200, {Kind::kChunked, 0}));
  const std::string large(60000, 'x');
  call.server.session.send_data(call.served(), large);
  base::BufferChain out;
  EXPECT_TRUE(call.server.session.pull(out, call.server.account, 20000));
  EXPECT_LT(out.size(), 20000U + 16384U + 9U);
  EXPECT_GE(out.size(), 20000U);
  EXPECT_TRUE(call.server.session.wants_write());
  EXPECT_FALSE(call.server.session.pull(out, call.server.account, 20000));
  out.clear(call.server.blocks);
}

}  // namespace
}  // namespace weir::http
