// SPDX-License-Identifier: Apache-2.0
// Upgrades and CONNECT between HTTP/1 clients and HTTP/1 origins.
#include <string>

#include "net/digest.h"
#include "proxy_fixture.h"

namespace weir::proxy {
namespace {

using std::string;

constexpr const char* kEnd = "\r\n\r\n";
const string kKey = "dGhlIHNhbXBsZSBub25jZQ==";
const string kRequest =
    "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
    "Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
    kKey + "\r\n\r\n";

string accepted(const string& accept = net::websocket_accept(kKey)) {
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Accept: " +
         accept + "\r\nSec-WebSocket-Protocol: x\r\n\r\n";
}

class TunnelTest : public ProxyTest {
 protected:
  void serve_upgrades(const string& route_more = ", upgrades: [websocket, tcp, connect]",
                      const string& http1 = "") {
    serve("clusters:\n" + cluster_yaml(origin_) +
              "routes:\n  - {name: all, target: {cluster: origin}" + route_more + "}\n",
          http1);
  }
  // A tunnel, open at both ends.
  void open() {
    client_ = this->client();
    client_.send(kRequest);
    wire_ = origin_.accept();
    wire_.read_until(kEnd);
    wire_.send(accepted());
    EXPECT_TRUE(client_.read_until(kEnd).starts_with("HTTP/1.1 101 "));
  }
  string answer_to(const string& request) {
    Wire client = this->client();
    client.send(request);
    return client.read_until(kEnd);
  }
  int64_t active() { return stats().upgrades_active.value(); }
  void wait_until_over() {
    for (int i = 0; i < 500 && active() != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(active(), 0);
  }

  Origin origin_;
  Wire client_;
  Wire wire_;
};

TEST_F(TunnelTest, WebSocketIsAskedForAsTheClientDid) {
  serve_upgrades();
  client_ = client();
  client_.send(kRequest);
  wire_ = origin_.accept();
  const string request = wire_.read_until(kEnd);
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\nHost: a.test\r\n")) << request;
  EXPECT_NE(request.find("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"), string::npos)
      << request;
  EXPECT_NE(request.find("Sec-WebSocket-Key: " + kKey + "\r\n"), string::npos) << request;
  EXPECT_EQ(request.find("keep-alive"), string::npos) << request;
  wire_.send(accepted());
  const string answer = client_.read_until(kEnd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << answer;
  EXPECT_NE(answer.find("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"), string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: " + net::websocket_accept(kKey)), string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: x"), string::npos);
  EXPECT_EQ(answer.find("ontent-"), string::npos);
}

TEST_F(TunnelTest, CarriesBytesBothWays) {
  serve_upgrades();
  open();
  for (int i = 0; i < 3; ++i) {
    client_.send("ping");
    EXPECT_EQ(wire_.read_exactly(4), "ping");
    wire_.send("pong");
    EXPECT_EQ(client_.read_exactly(4), "pong");
  }
  EXPECT_EQ(active(), 1);
  EXPECT_EQ(stats().upgrades.value(), 1U);
}

TEST_F(TunnelTest, CarriesMoreThanTheSocketsHold) {
  serve_upgrades(
      ", upgrades: [websocket], limits: {max_request_bytes: 1KiB, max_response_bytes: 1KiB}");
  open();
  const string bytes(8 << 20, 'x');
  std::thread up([&] { client_.send(bytes); });
  std::thread down([&] { wire_.send(bytes); });
  std::thread read([&] { EXPECT_EQ(client_.read_exactly(bytes.size()).size(), bytes.size()); });
  EXPECT_EQ(wire_.read_exactly(bytes.size()).size(), bytes.size());
  up.join();
  down.join();
  read.join();
}

TEST_F(TunnelTest, TheOriginsFirstBytesMayComeWithItsHead) {
  serve_upgrades();
  client_ = client();
  client_.send(kRequest);
  wire_ = origin_.accept();
  wire_.read_until(kEnd);
  wire_.send(accepted() + "hello");
  client_.read_until(kEnd);
  EXPECT_EQ(client_.read_exactly(5), "hello");
}

TEST_F(TunnelTest, NothingOfTheClientGoesOnBeforeTheAnswer) {
  serve_upgrades();
  client_ = client();
  client_.send(kRequest + "early");
  wire_ = origin_.accept();
  EXPECT_TRUE(wire_.read_until(kEnd).ends_with(kEnd));
  wire_.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  client_.read_until(kEnd);
  wire_.send(accepted());
  client_.read_until(kEnd);
  EXPECT_EQ(wire_.read_exactly(5), "early");
}

TEST_F(TunnelTest, ADeclinedUpgradeIsAnOrdinaryAnswer) {
  serve_upgrades();
  client_ = client();
  client_.send(kRequest + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  wire_ = origin_.accept();
  EXPECT_TRUE(wire_.read_until(kEnd).ends_with(kEnd));
  wire_.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(client_.read_until("\r\n\r\nno").starts_with("HTTP/1.1 403 "));
  // What came behind it is the next request, and it goes on a connection of its own.
  EXPECT_EQ(wire_.read_all(), "");
  Wire next = origin_.accept();
  EXPECT_TRUE(next.read_until(kEnd).starts_with("GET /next "));
  next.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(client_.read_until(kEnd).starts_with("HTTP/1.1 204 "));
  EXPECT_EQ(stats().upgrades.value(), 0U);
}

TEST_F(TunnelTest, TheClientsEndReachesTheOriginAndTheTunnelGoesOn) {
  serve_upgrades();
  open();
  client_.send("last");
  client_.finish_writing();
  EXPECT_EQ(wire_.read_all(), "last");
  wire_.send("still");
  EXPECT_EQ(client_.read_exactly(5), "still");
  EXPECT_EQ(active(), 1);
  wire_.finish_writing();
  EXPECT_EQ(client_.read_all(), "");
  wait_until_over();
}

TEST_F(TunnelTest, TheOriginsEndReachesTheClientAndTheTunnelGoesOn) {
  serve_upgrades();
  open();
  wire_.send("last");
  wire_.finish_writing();
  EXPECT_EQ(client_.read_all(), "last");
  client_.send("still");
  EXPECT_EQ(wire_.read_exactly(5), "still");
  EXPECT_EQ(active(), 1);
  client_.send("end");
  client_.finish_writing();
  EXPECT_EQ(wire_.read_all(), "end");
  wait_until_over();
}

TEST_F(TunnelTest, NothingIsLostWhereBothEndAtOnce) {
  serve_upgrades();
  open();
  const string bytes(1 << 20, 'x');
  std::thread up([&] {
    client_.send(bytes);
    client_.finish_writing();
  });
  std::thread down([&] {
    wire_.send(bytes);
    wire_.finish_writing();
  });
  std::thread read([&] { EXPECT_EQ(client_.read_all().size(), bytes.size()); });
  EXPECT_EQ(wire_.read_all().size(), bytes.size());
  up.join();
  down.join();
  read.join();
  wait_until_over();
}

TEST_F(TunnelTest, AResetOfTheClientResetsTheOrigin) {
  serve_upgrades();
  open();
  client_.send("x");
  wire_.read_exactly(1);
  client_.reset();
  EXPECT_EQ(wire_.read_all(), "");
  EXPECT_TRUE(wire_.was_reset());
  wait_until_over();
  EXPECT_NE(stop().find("\"client_closed\""), string::npos);
}

TEST_F(TunnelTest, AResetOfTheOriginResetsTheClient) {
  serve_upgrades();
  open();
  wire_.send("x");
  client_.read_exactly(1);
  wire_.reset();
  EXPECT_EQ(client_.read_all(), "");
  EXPECT_TRUE(client_.was_reset());
  wait_until_over();
  EXPECT_NE(stop().find("\"upstream_truncated\""), string::npos);
}

TEST_F(TunnelTest, AnOriginThatIsGoneAltogetherEndsTheClientsWay) {
  serve_upgrades();
  open();
  wire_.close();
  EXPECT_EQ(client_.read_all(), "");
  // It is told by the answer to these bytes that nobody reads them.
  for (int i = 0; i < 500 && active() != 0; ++i) {
    client_.send("x");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  wait_until_over();
}

TEST_F(TunnelTest, SilenceEndsIt) {
  serve_upgrades(", upgrades: [websocket], upgrade_idle_timeout: 50ms");
  open();
  EXPECT_EQ(client_.read_all(), "");
  EXPECT_EQ(wire_.read_all(), "");
  client_.close();
  wait_until_over();
  EXPECT_NE(stop().find("a tunnel with no bytes either way"), string::npos);
}

TEST_F(TunnelTest, TheTimesOfOtherBodiesDoNotHold) {
  serve("clusters:\n" + cluster_yaml(origin_, ", idle_timeout: 20ms, response_timeout: 1s") +
            "routes:\n  - {name: all, target: {cluster: origin}, upgrades: [websocket]}\n",
        "body_idle_timeout: 20ms, keepalive_timeout: 20ms, header_timeout: 20ms");
  open();
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  client_.send("ping");
  EXPECT_EQ(wire_.read_exactly(4), "ping");
}

TEST_F(TunnelTest, TheRoutesTimeoutEndsIt) {
  serve_upgrades(", upgrades: [websocket], timeout: 100ms");
  open();
  EXPECT_EQ(client_.read_all(), "");
  wait_until_over();
  client_.close();
  EXPECT_NE(stop().find("\"deadline_exceeded\""), string::npos);
}

TEST_F(TunnelTest, LivesAcrossAReloadAndADrain) {
  serve_upgrades();
  open();
  serve_upgrades(", upgrades: []");
  client_.send("ping");
  EXPECT_EQ(wire_.read_exactly(4), "ping");
  worker().drain([] {});
  client_.send("more");
  EXPECT_EQ(wire_.read_exactly(4), "more");
  wire_.send("back");
  EXPECT_EQ(client_.read_exactly(4), "back");
  EXPECT_EQ(active(), 1);
}

TEST_F(TunnelTest, IsLoggedWithItsBytes) {
  serve_upgrades();
  open();
  client_.send("12345");
  wire_.read_exactly(5);
  wire_.send("1234567");
  client_.read_exactly(7);
  client_.close();
  wire_.close();
  wait_until_over();
  const string log = stop();
  EXPECT_NE(log.find("\"status\":101"), string::npos) << log;
  EXPECT_NE(log.find("\"bytes_received\":5,\"bytes_sent\":7"), string::npos) << log;
}

TEST_F(TunnelTest, RefusesWhatTheRouteDoesNotList) {
  serve_upgrades(", upgrades: [tcp]");
  const string answer = answer_to(kRequest);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 501 ")) << answer;
}

TEST_F(TunnelTest, RefusesAHandshakeThatIsNone) {
  serve_upgrades();
  EXPECT_TRUE(answer_to("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket"
                        "\r\nSec-WebSocket-Version: 13\r\n\r\n")
                  .starts_with("HTTP/1.1 400 "));
}

TEST_F(TunnelTest, H2cIsIgnored) {
  serve_upgrades();
  client_ = client();
  client_.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
  wire_ = origin_.accept();
  const string request = wire_.read_until(kEnd);
  EXPECT_EQ(request.find("pgrade"), string::npos) << request;
  EXPECT_EQ(request.find("ettings"), string::npos) << request;
}

TEST_F(TunnelTest, An101ThatWasNotAskedForIsABadGateway) {
  serve_upgrades();
  const string heads[] = {
      "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n",
      "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
          net::websocket_accept(kKey) + "\r\n\r\n",
      accepted("bm90IHRoZSBhbnN3ZXIgYXQgYWxs"),
      "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  };
  for (const string& head : heads) {
    Wire client = this->client();
    client.send(kRequest);
    Wire origin = origin_.accept();
    origin.read_until(kEnd);
    origin.send(head + "GET /smuggled");
    const string answer = client.read_until("upstream_upgrade");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << head << answer;
  }
  EXPECT_EQ(stats().upgrades.value(), 0U);
}

TEST_F(TunnelTest, AnOriginThatCannotBeReachedIsReported) {
  {
    Origin gone;
    serve("clusters:\n" + cluster_yaml(gone) +
          "routes:\n  - {name: all, target: {cluster: origin}, upgrades: [websocket]}\n");
  }
  EXPECT_TRUE(answer_to(kRequest).starts_with("HTTP/1.1 502 "));
}

TEST_F(TunnelTest, AnOriginThatIsSilentIsTimedOut) {
  serve("clusters:\n" + cluster_yaml(origin_, ", response_timeout: 50ms") +
        "routes:\n  - {name: all, target: {cluster: origin}, upgrades: [websocket], "
        "retry: {num_retries: 0}}\n");
  client_ = client();
  client_.send(kRequest);
  wire_ = origin_.accept();
  EXPECT_TRUE(client_.read_until(kEnd).starts_with("HTTP/1.1 504 "));
}

// ---- CONNECT.

TEST_F(TunnelTest, ConnectIsRefusedUnlessTheRouteAllowsIt) {
  const string request = "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n";
  serve_upgrades(", upgrades: [websocket]");
  EXPECT_TRUE(answer_to(request).starts_with("HTTP/1.1 405 "));
  serve_upgrades(", match: {hosts: [c.test]}, upgrades: [connect]");
  EXPECT_TRUE(answer_to(request).starts_with("HTTP/1.1 405 "));
}

TEST_F(TunnelTest, ConnectGoesToTheRouteOfItsHost) {
  serve_upgrades(", match: {hosts: [b.test]}, upgrades: [connect]");
  client_ = client();
  client_.send("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n");
  wire_ = origin_.accept();
  const string request = wire_.read_until(kEnd);
  EXPECT_TRUE(request.starts_with("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n"))
      << request;
  EXPECT_EQ(request.find("pgrade"), string::npos) << request;
  wire_.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  const string answer = client_.read_until(kEnd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_EQ(answer.find("ontent-"), string::npos) << answer;
  EXPECT_EQ(client_.read_exactly(3), "abc");
  client_.send("hello");
  EXPECT_EQ(wire_.read_exactly(5), "hello");
  EXPECT_EQ(active(), 1);
}

TEST_F(TunnelTest, ADeclinedConnectIsAnOrdinaryAnswer) {
  serve_upgrades();
  client_ = client();
  client_.send("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n");
  wire_ = origin_.accept();
  wire_.read_until(kEnd);
  wire_.send("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(client_.read_until("\r\n\r\nno").starts_with("HTTP/1.1 407 "));
}

}  // namespace
}  // namespace weir::proxy
