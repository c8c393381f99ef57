// SPDX-License-Identifier: Apache-2.0
// Heads that a peer makes by hand: what is accepted has one meaning, what could have two is refused
// (RFC 9113, 8.2 and 8.3). No smuggling through the translation to HTTP/1.
#include <gtest/gtest.h>

#include "h2_peer.h"

namespace weir::http {
namespace {

const H2FieldList kPlain = {
    {":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}};

H2FieldList plus(H2FieldList fields, const H2FieldList& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
/// kPlain with one pseudo-header field changed, or left out if `value` is "-".
H2FieldList with(std::string_view name, std::string_view value) {
  H2FieldList fields = kPlain;
  std::erase_if(fields, [&](const auto& f) { return f.first == name && value == "-"; });
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fields;
}

/// What a server makes of one HEADERS frame, and what it says to it.
struct Outcome {
  std::string events;
  std::string fields;
  std::string frames;
};
Outcome serve(const H2FieldList& fields, uint8_t flags = kEndStream,
              const H2Options& options = {}) {
  H2Peer server(H2Session::Role::kServer, options);
  (void)server.session.feed(h2_preface());
  (void)server.pull();
  (void)server.session.feed(h2_headers(1, fields, flags));
  Outcome out;
  if (!server.streams.empty()) {
    out.events = server.streams[0]->events;
    out.fields = server.streams[0]->fields;
  }
  out.frames = h2_describe(server.pull());
  return out;
}

constexpr std::string_view kReset = "reset 1\n";
constexpr std::string_view kResetFrame1 = "RST_STREAM 1 1\n";

TEST(H2RequestRules, MalformedHeadsAreResetWithProtocolError) {
  const H2FieldList cases[] = {
      with(":method", "-"),
      with(":scheme", "-"),
      with(":path", "-"),
      with(":path", ""),
      with(":authority", "-"),  // and no Host
      with(":path", "index"),
      with(":path", "*"),  // with GET
      plus(kPlain, {{":method", "GET"}}),
      plus(kPlain, {{":authority", "a.example"}}),
      plus(kPlain, {{":unknown", "x"}}),
      plus(kPlain, {{":status", "200"}}),
      plus(with(":path", "-"), {{"accept", "x"}, {":path", "/"}}),
      plus(kPlain, {{"X-Upper", "x"}}),
      plus(kPlain, {{"connection", "close"}}),
      plus(kPlain, {{"keep-alive", "5"}}),
      plus(kPlain, {{"proxy-connection", "close"}}),
      plus(kPlain, {{"transfer-encoding", "chunked"}}),
      plus(kPlain, {{"upgrade", "h2c"}}),
      plus(kPlain, {{"te", "gzip"}}),
      plus(kPlain, {{"te", "trailers, gzip"}}),
      plus(kPlain, {{"", "x"}}),
      plus(kPlain, {{"a b", "x"}}),
      plus(kPlain, {{"a:b", "x"}}),
      plus(kPlain, {{"a\r\nb", "x"}}),
      plus(kPlain, {{"x", std::string("a\0b", 3)}}),
      plus(kPlain, {{"x", "a\r\nevil: 1"}}),
      plus(kPlain, {{"x", "a\nb"}}),
      plus(kPlain, {{"x", " a"}}),
      plus(kPlain, {{"x", "a\t"}}),
      plus(kPlain, {{"content-length", "x"}}),
      plus(kPlain, {{"content-length", "5"}}),  // and END_STREAM
      plus(kPlain, {{"content-length", "0"}, {"content-length", "0"}}),
      plus(kPlain, {{"host", "a.example"}, {"host", "a.example"}}),
      with(":path", "/a b"),
      with(":path", "/a\r\nx: y"),
      with(":authority", "a.example\r\nx: y"),
      plus(kPlain, {{"host", ""}}),
      plus(kPlain, {{":protocol", "websocket"}}),  // without CONNECT
      plus(with(":method", "CONNECT"), {}),        // with :scheme and :path
      {{":method", "CONNECT"}},
      {{":method", "CONNECT"}, {":scheme", "http"}, {":path", "/"}, {":protocol", "x"}},
  };
  for (const H2FieldList& fields : cases) {
    Outcome out = serve(fields);
    const std::string what =
        fields.empty() ? "" : fields.back().first + ": " + fields.back().second;
    EXPECT_EQ(out.events, kReset) << what;
    EXPECT_EQ(out.frames, kResetFrame1) << what;
  }
}

TEST(H2RequestRules, WhatOnlyWeirRefusesIsAnswered) {
  struct Case {
    H2FieldList fields;
    std::string_view reason;
  };
  const std::string long_path = "/" + std::string(200, 'x');
  const Case cases[] = {
      {with(":method", "get"), "bad_method"},
      {with(":method", std::string(40, 'X')), "bad_method"},
      {with(":scheme", "ftp"), "bad_target"},
      {with(":path", "/a/%2e%2e/b"), "bad_target"},
      {with(":path", "/a%2fb"), "bad_target"},
      {with(":path", "/../x"), "bad_target"},
      {with(":path", "/a\\b"), "bad_target"},
      {with(":path", "/?a#b"), "bad_target"},
      {with(":path", long_path), "uri_too_long"},
      {with(":authority", "a..example"), "bad_host"},
      {with(":authority", "a.example:0"), "bad_host"},
      {plus(kPlain, {{"host", "b.example"}}), "bad_host"},
      {with(":authority", "user@a.example"), "bad_host"},
      {plus(kPlain, {{"content_length", "5"}}), "bad_header"},
      {plus(kPlain, {{"x_forwarded_for", "1.2.3.4"}}), "bad_header"},
      {plus(kPlain, {{"expect", "magic"}}), "expectation_failed"},
  };
  for (const Case& c : cases) {
    H2Options options;
    options.head.max_uri_bytes = 100;
    Outcome out = serve(c.fields, kEndStream, options);
    EXPECT_EQ(out.events, "bad " + std::string(c.reason) + "\n") << c.reason;
    EXPECT_EQ(out.frames, "") << c.reason;
  }
}

TEST(H2RequestRules, AcceptedHeadsHaveTheFormOfHttp1) {
  struct Case {
    H2FieldList fields;
    std::string_view event;
    std::string_view headers;
  };
  const Case cases[] = {
      {with(":scheme", "https"), "GET a.example / none", "host: a.example\n"},
      {with(":scheme", "HTTP"), "GET a.example / none", "host: a.example\n"},
      {with(":path", "/a/./b//%7Ec?x=%2e"), "GET a.example /a/b/~c?x=%2e none",
       "host: a.example\n"},
      {with(":path", "/?"), "GET a.example /? none", "host: a.example\n"},
      {with(":authority", "A.Example."), "GET a.example / none", "host: a.example\n"},
      {plus(kPlain, {{"host", "A.EXAMPLE"}}), "GET a.example / none", "host: A.EXAMPLE\n"},
      {plus(with(":authority", "-"), {{"host", "b.example:80"}}), "GET b.example:80 / none",
       "host: b.example:80\n"},
      {plus(kPlain, {{"te", "trailers"}}), "GET a.example / none",
       "te: trailers\nhost: a.example\n"},
      {plus(kPlain, {{"x_y", "dropped"}, {"x-y", "kept"}}), "GET a.example / none",
       "x-y: kept\nhost: a.example\n"},
      {plus(kPlain, {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}}),
       "GET a.example / none", "cookie: a=1; b=2; c=3\nx: y\nhost: a.example\n"},
      {plus(kPlain, {{"content-length", "0"}}), "GET a.example / length",
       "content-length: 0\nhost: a.example\n"},
      {with(":method", "PURGE"), "PURGE a.example / none", "host: a.example\n"},
      {plus(plus(with(":method", "OPTIONS"), {}), {}), "OPTIONS a.example / none",
       "host: a.example\n"},
  };
  for (const Case& c : cases) {
    Outcome out = serve(c.fields);
    EXPECT_EQ(out.events, "request " + std::string(c.event) + "\nend 0\n");
    EXPECT_EQ(out.fields, c.headers) << c.event;
  }
  H2FieldList options = with(":path", "*");
  options[0].second = "OPTIONS";
  EXPECT_EQ(serve(options).events, "request OPTIONS a.example * none\nend 0\n");
}

TEST(H2RequestRules, TheSchemeIsTheConnections) {
  H2Options options;
  options.scheme = "https";
  H2Peer server(H2Session::Role::kServer, options);
  (void)server.session.feed(h2_preface() + h2_headers(1, kPlain));
  EXPECT_EQ(server.streams.at(0)->request.scheme, "https");
}

TEST(H2RequestRules, TheTokenOfAnExtendedConnectIsLowered) {
  H2Peer server(H2Session::Role::kServer);
  (void)server.session.feed(
      h2_preface() +
      h2_headers(1, plus(with(":method", "CONNECT"), {{":protocol", "WebSocket"}}), 0));
  const RequestHead& head = server.streams.at(0)->request;
  EXPECT_EQ(head.protocol, "websocket");
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.body.kind, BodyFraming::Kind::kTunnel);
}

TEST(H2RequestRules, LimitsAreAnsweredAndTheConnectionGoesOn) {
  H2Options options;
  options.head.max_bytes = 2000;
  options.head.max_headers = 10;
  H2FieldList many = kPlain;
  for (int i = 0; i < 11; ++i) many.push_back({"x" + std::to_string(i), "y"});
  H2FieldList crumbs = kPlain;
  for (int i = 0; i < 30; ++i) crumbs.push_back({"cookie", "a" + std::to_string(i)});
  H2FieldList endless = kPlain;
  for (int i = 0; i < 300; ++i) endless.push_back({"cookie", ""});
  EXPECT_EQ(serve(many, kEndStream, options).events, "bad too_many_headers\n");
  EXPECT_EQ(serve(plus(kPlain, {{"x", std::string(2000, 'y')}}), kEndStream, options).events,
            "bad header_too_large\n");
  EXPECT_EQ(serve(crumbs, kEndStream, options).events, "request GET a.example / none\nend 0\n");
  EXPECT_EQ(serve(endless, kEndStream, options).events, "bad header_too_large\n");

  H2Peer server(H2Session::Role::kServer, options);
  EXPECT_TRUE(server.session.feed(h2_preface() + h2_headers(1, many) + h2_headers(3, kPlain)));
  EXPECT_EQ(server.streams.at(1)->events, "request GET a.example / none\nend 0\n");
}

TEST(H2RequestRules, AfterABadHeadNothingMoreIsHeard) {
  H2Peer server(H2Session::Role::kServer);
  (void)server.session.feed(h2_preface() + h2_headers(1, with(":scheme", "ftp"), 0) +
                            h2_frame(kDataFrame, 0, 1, "body") +
                            h2_headers(1, {{"x-sum", "1"}}, kEndStream));
  H2TestStream& stream = *server.streams.at(0);
  EXPECT_EQ(stream.events + stream.body, "bad bad_target\n");
  ResponseHead head;
  head.status = 400;
  server.session.send_response(stream, head);
  server.session.send_end(stream, {});
  EXPECT_EQ(h2_describe(server.pull()), "WINDOW_UPDATE 0 983041\nHEADERS 1 END_STREAM\n");
  server.session.finish(stream);
  EXPECT_EQ(server.pull(), "");
}

TEST(H2RequestRules, TheBodyMustBeAsLongAsItSays) {
  for (std::string_view body : {"abcd", "abcdef"}) {
    H2Peer server(H2Session::Role::kServer);
    (void)server.session.feed(h2_preface() +
                              h2_headers(1, plus(kPlain, {{"content-length", "5"}}), 0) +
                              h2_frame(kDataFrame, kEndStream, 1, body));
    H2TestStream& stream = *server.streams.at(0);
    EXPECT_FALSE(stream.ended);
    EXPECT_EQ(h2_describe(server.pull()), "WINDOW_UPDATE 0 983041\nRST_STREAM 1 1\n");
    EXPECT_FALSE(stream.reset);  // not from within a pull()
    server.session.deliver();
    EXPECT_TRUE(stream.reset);
    EXPECT_EQ(server.session.glitches(), 1U);
  }
}

TEST(H2RequestRules, TrailersAreHeldToTheRulesOfHttp1) {
  struct Case {
    H2FieldList trailers;
    std::string_view seen;
    bool reset;
  };
  H2FieldList many;
  for (int i = 0; i < 40; ++i) many.push_back({"x" + std::to_string(i), "y"});
  const Case cases[] = {
      {{{"x-sum", "1"}, {"host", "evil"}, {"x_y", "1"}, {"x-forwarded-ssl", "on"}},
       "x-sum: 1\n",
       false},
      {{{":path", "/"}}, "", true},
      {{{"X-Upper", "1"}}, "", true},
      {{{"transfer-encoding", "chunked"}}, "", true},
      {many, "", true},
      {{{"x", std::string(9000, 'y')}}, "", true},
  };
  for (const Case& c : cases) {
    H2Peer server(H2Session::Role::kServer);
    (void)server.session.feed(h2_preface() + h2_headers(1, kPlain, 0) +
                              h2_headers(1, c.trailers, kEndStream));
    EXPECT_EQ(server.streams.at(0)->trailers, c.seen);
    EXPECT_EQ(server.streams.at(0)->reset, c.reset);
    EXPECT_EQ(server.streams.at(0)->ended, !c.reset);
  }
}

// ---- Responses.

Outcome answer_with(const std::string& frames, Method method = Method::kGet,
                    const H2Options& options = {}) {
  H2Peer client(H2Session::Role::kClient, options);
  H2TestStream& call = client.make_stream();
  RequestHead head = h2_get();
  head.method = method;
  head.method_text = method == Method::kHead ? "HEAD" : "GET";
  EXPECT_TRUE(client.session.send_request(call, head));
  client.session.send_end(call, {});
  (void)client.pull();
  (void)client.session.feed(h2_frame(kSettingsFrame, 0, 0, {}) + frames);
  Outcome out;
  out.events = call.events;
  out.fields = call.fields;
  out.frames = h2_describe(client.pull());
  return out;
}

TEST(H2ResponseRules, MalformedHeadsAreReset) {
  const H2FieldList cases[] = {
      {},
      {{":status", "20"}},
      {{":status", "2000"}},
      {{":status", "2x0"}},
      {{":status", "101"}},
      {{":status", "200"}, {":status", "200"}},
      {{":status", "200"}, {":path", "/"}},
      {{"server", "x"}, {":status", "200"}},
      {{":status", "200"}, {"connection", "close"}},
      {{":status", "200"}, {"transfer-encoding", "chunked"}},
      {{":status", "200"}, {"Server", "x"}},
      {{":status", "200"}, {"x", "a\r\nb"}},
      {{":status", "200"}, {"content-length", "1"}, {"content-length", "1"}},
      {{":status", "200"}, {"content-length", "5"}},  // and END_STREAM
      {{":status", "103"}},                           // and END_STREAM
  };
  for (const H2FieldList& fields : cases) {
    EXPECT_EQ(answer_with(h2_headers(1, fields)).events, kReset)
        << (fields.empty() ? "" : fields.back().first + ": " + fields.back().second);
  }
  EXPECT_EQ(answer_with(h2_headers(1, {{":status", "099"}})).events, "bad upstream_bad_head\n");
}

TEST(H2ResponseRules, FramingFollowsFromStatusAndMethod) {
  struct Case {
    Method method;
    H2FieldList fields;
    uint8_t flags;
    std::string_view events;
  };
  const Case cases[] = {
      {Method::kGet, {{":status", "200"}}, 0, "response 200 chunked\n"},
      {Method::kGet, {{":status", "200"}, {"content-length", "5"}}, 0, "response 200 length\n"},
      {Method::kGet, {{":status", "200"}}, kEndStream, "response 200 length\nend 0\n"},
      {Method::kHead,
       {{":status", "200"}, {"content-length", "5"}},
       kEndStream,
       "response 200 none\nend 0\n"},
      {Method::kGet,
       {{":status", "304"}, {"content-length", "5"}},
       kEndStream,
       "response 304 none\nend 0\n"},
      {Method::kGet, {{":status", "204"}}, kEndStream, "response 204 none\nend 0\n"},
      {Method::kGet, {{":status", "999"}}, kEndStream, "response 999 length\nend 0\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(answer_with(h2_headers(1, c.fields, c.flags), c.method).events, c.events);
  }
  EXPECT_EQ(answer_with(h2_headers(1, {{":status", "200"}, {"content-length", "5"}}), Method::kHead)
                .fields,
            "content-length: 5\n");
}

TEST(H2ResponseRules, LimitsEndTheStreamOnly) {
  H2Options options;
  options.head.max_bytes = 1000;
  EXPECT_EQ(answer_with(h2_headers(1, {{":status", "200"}, {"x", std::string(1000, 'y')}}),
                        Method::kGet, options)
                .events,
            "bad upstream_head_too_large\n");
  std::string interims;
  for (int i = 0; i < 70; ++i) interims += h2_headers(1, {{":status", "103"}}, 0);
  Outcome out = answer_with(interims);
  EXPECT_TRUE(out.events.ends_with("interim 103\nbad upstream_bad_head\n"));
  EXPECT_EQ(out.frames, "RST_STREAM 1 1\n");
}

}  // namespace
}  // namespace weir::http
