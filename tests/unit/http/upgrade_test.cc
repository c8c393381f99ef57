// SPDX-License-Identifier: Apache-2.0
#include "http/upgrade.h"

#include <gtest/gtest.h>

#include <string>

#include "http/head.h"
#include "message_outcome.h"

namespace weir::http {
namespace {

using std::string;
using Kind = BodyFraming::Kind;

constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";

class UpgradeTest : public ::testing::Test {
 protected:
  const RequestHead& parse(const string& line, const string& fields) {
    text_ = line + "\r\nHost: a.test\r\n" + fields + "\r\n";
    const Result<void> parsed = parse_request_head(text_, {}, memory_.arena, head_);
    EXPECT_TRUE(parsed) << text_;
    return head_;
  }
  string protocol(const string& fields) { return string(parse("GET / HTTP/1.1", fields).protocol); }
  const char* problem(const string& line, const string& fields) {
    parse(line, "Connection: upgrade\r\nUpgrade: websocket\r\n" + fields);
    EXPECT_EQ(head_.protocol, "websocket");
    const Result<void> checked = check_upgrade(head_);
    return checked ? nullptr : checked.error().detail;
  }

  Memory memory_;
  string text_;
  RequestHead head_;
};

TEST_F(UpgradeTest, AskedForByOneProtocol) {
  EXPECT_EQ(protocol("Connection: Upgrade\r\nUpgrade: WebSocket\r\n"), "websocket");
  EXPECT_EQ(protocol("Connection: keep-alive, upgrade\r\nUpgrade: tcp\r\n"), "tcp");
  EXPECT_EQ(protocol("Connection: upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n"), "tcp");
}

TEST_F(UpgradeTest, IgnoredWhereNoTunnelIsMeant) {
  for (const char* fields :
       {"Upgrade: websocket\r\n", "Connection: upgrade\r\n",
        "Connection: upgrade\r\nUpgrade: h2c\r\n", "Connection: upgrade\r\nUpgrade: H2C\r\n",
        "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: tcp\r\n",
        "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", "Connection: upgrade\r\nUpgrade: \r\n",
        "Connection: upgrade\r\nUpgrade: connect\r\n",
        "Connection: upgrade\r\nUpgrade: tcp\r\nContent-Length: 1\r\n",
        "Connection: upgrade\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(protocol(fields), "") << fields;
  }
  parse("GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n");
  EXPECT_EQ(head_.protocol, "");
}

TEST_F(UpgradeTest, ConnectIsAProtocolOfItsOwn) {
  EXPECT_EQ(parse("CONNECT b.test:443 HTTP/1.1", "").protocol, "connect");
  EXPECT_EQ(parse("CONNECT b.test:443 HTTP/1.1", "Content-Length: 3\r\n").protocol, "");
  EXPECT_EQ(parse("CONNECT b.test:443 HTTP/1.0", "").protocol, "");
}

TEST_F(UpgradeTest, WebSocketKeepsItsRules) {
  const string version = "Sec-WebSocket-Version: 13\r\n";
  const string key = string("Sec-WebSocket-Key: ") + kKey + "\r\n";
  EXPECT_EQ(problem("GET /chat HTTP/1.1", version + key), nullptr);
  EXPECT_NE(problem("POST /chat HTTP/1.1", version + key), nullptr);
  EXPECT_NE(problem("GET /chat HTTP/1.1", key), nullptr);
  EXPECT_NE(problem("GET /chat HTTP/1.1", "Sec-WebSocket-Version: 8\r\n" + key), nullptr);
  EXPECT_NE(problem("GET /chat HTTP/1.1", version), nullptr);
  EXPECT_NE(problem("GET /chat HTTP/1.1", version + key + key), nullptr);
  for (const char* bad : {"dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQAA",
                          "dGhlIHNhbXBsZSBub25j!Q==", "YQ==YQ==YQ==YQ==YQ==YQ=="}) {
    EXPECT_NE(problem("GET / HTTP/1.1", version + "Sec-WebSocket-Key: " + bad + "\r\n"), nullptr)
        << bad;
  }
}

TEST_F(UpgradeTest, OtherProtocolsHaveNoRules) {
  parse("POST / HTTP/1.1", "Connection: upgrade\r\nUpgrade: tcp\r\n");
  EXPECT_TRUE(check_upgrade(head_));
}

TEST_F(UpgradeTest, AnAnswerSwitchesToWhatWasAskedFor) {
  const auto switches = [&](const string& head, const char* protocol) {
    ResponseHead answer;
    EXPECT_TRUE(parse_response_head(head, {}, memory_.arena, Method::kGet, answer));
    return switches_to(answer, protocol);
  };
  const string line = "HTTP/1.1 101 X\r\n";
  EXPECT_TRUE(switches(line + "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n", "websocket"));
  EXPECT_FALSE(switches(line + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n", "websocket"));
  EXPECT_FALSE(switches(line + "Upgrade: websocket\r\n\r\n", "websocket"));
  EXPECT_FALSE(switches(line + "Connection: Upgrade\r\n\r\n", "websocket"));
  EXPECT_FALSE(
      switches(line + "Connection: Upgrade\r\nUpgrade: websocket, tcp\r\n\r\n", "websocket"));
  EXPECT_FALSE(
      switches("HTTP/1.1 200 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "websocket"));
}

TEST_F(UpgradeTest, AddsTheFieldsOfAnUpgrade) {
  parse("GET / HTTP/1.1", "X-A: 1\r\n");
  HeaderList fields = with_upgrade(head_.headers, "tcp", memory_.arena);
  EXPECT_EQ(fields.size(), head_.headers.size() + 2);
  EXPECT_EQ(fields.find(HeaderId::kConnection)->value, "upgrade");
  EXPECT_EQ(fields.find(HeaderId::kUpgrade)->value, "tcp");
  EXPECT_TRUE(fields.push({"one", "more"}));
}

TEST_F(UpgradeTest, MakesValidKeys) {
  const string key(new_websocket_key(1, 2, memory_.arena));
  EXPECT_EQ(
      problem("GET / HTTP/1.1", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"),
      nullptr);
  EXPECT_NE(key, new_websocket_key(1, 3, memory_.arena));
}

TEST_F(UpgradeTest, ExtendedConnectAndBack) {
  parse("GET /chat HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " +
                                  string(kKey) + "\r\nSec-WebSocket-Version: 13\r\n");
  RequestHead h2 = to_extended_connect(head_, memory_.arena);
  EXPECT_EQ(h2.method, Method::kConnect);
  EXPECT_EQ(h2.method_text, "CONNECT");
  EXPECT_EQ(h2.protocol, "websocket");
  EXPECT_EQ(h2.headers.find(HeaderId::kSecWebsocketKey), nullptr);
  EXPECT_NE(h2.headers.find(HeaderId::kSecWebsocketVersion), nullptr);
  h2.version = Version::kHttp2;
  from_extended_connect(h2);
  EXPECT_EQ(h2.method, Method::kGet);
  EXPECT_EQ(h2.method_text, "GET");
  EXPECT_EQ(h2.body.kind, Kind::kTunnel);
  EXPECT_TRUE(check_upgrade(h2)) << "HTTP/2 needs no key";
}

TEST_F(UpgradeTest, PlainConnectStaysWhatItIs) {
  parse("CONNECT b.test:443 HTTP/1.1", "");
  RequestHead h2 = to_extended_connect(head_, memory_.arena);
  from_extended_connect(h2);
  EXPECT_EQ(h2.method, Method::kConnect);
  EXPECT_EQ(h2.body.kind, Kind::kTunnel);
}

TEST_F(UpgradeTest, AnswersOfBothForms) {
  ResponseHead answer;
  answer.status = 200;
  from_connect_answer(answer, "websocket");
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.body.kind, Kind::kTunnel);
  Header fields[1];
  answer.headers = HeaderList(fields, 1);
  answer.headers.push({"sec-websocket-accept", "x", HeaderId::kSecWebsocketAccept});
  const ResponseHead h2 = to_connect_answer(answer, memory_.arena);
  EXPECT_EQ(h2.status, 200);
  EXPECT_EQ(h2.body.kind, Kind::kTunnel);
  EXPECT_EQ(h2.headers.size(), 0U);

  ResponseHead connected;
  connected.status = 204;
  from_connect_answer(connected, "connect");
  EXPECT_EQ(connected.status, 204);
  EXPECT_EQ(connected.body.kind, Kind::kTunnel);

  ResponseHead refused;
  refused.status = 403;
  from_connect_answer(refused, "websocket");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body.kind, Kind::kNone);
  ResponseHead plain;
  plain.status = 200;
  from_connect_answer(plain, "");
  EXPECT_EQ(plain.body.kind, Kind::kNone);
}

}  // namespace
}  // namespace weir::http
