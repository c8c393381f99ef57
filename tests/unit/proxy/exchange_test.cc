// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "proxy_fixture.h"

namespace weir::proxy {
namespace {

using std::string;

constexpr const char* kEnd = "\r\n\r\n";

class ExchangeTest : public ProxyTest {
 protected:
  void serve_origin(const string& route_more = "", const string& cluster_more = "",
                    const string& http1 = "") {
    serve("clusters:\n" + cluster_yaml(origin_, cluster_more) +
              "routes:\n  - {name: all, target: {cluster: origin}" + route_more + "}\n",
          http1);
  }
  Origin origin_;
};

TEST_F(ExchangeTest, RelaysARequestAndItsResponse) {
  serve_origin();
  Wire client = this->client();
  client.send(
      "GET /a?b=c HTTP/1.1\r\nHost: Example.com\r\nX-One: 1\r\nConnection: x-two\r\nX-Two: "
      "2\r\n\r\n");
  Wire origin = origin_.accept();
  const string request = origin.read_until(kEnd);
  EXPECT_TRUE(request.starts_with("GET /a?b=c HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("\r\nX-One: 1\r\n"), string::npos) << request;
  EXPECT_EQ(request.find("X-Two"), string::npos) << request;
  EXPECT_NE(request.find("127.0.0.1"), string::npos) << request;
  origin.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Origin: me\r\n\r\nhello");
  const string response = client.read_until("hello");
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_NE(response.find("X-Origin: me"), string::npos) << response;
}

TEST_F(ExchangeTest, ReusesBothConnections) {
  serve_origin();
  Wire client = this->client();
  Wire origin;
  for (int i = 0; i < 3; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    if (i == 0) origin = origin_.accept();
    EXPECT_TRUE(origin.read_until(kEnd).starts_with("GET / "));
    origin.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_TRUE(client.read_until("\r\n\r\nok").starts_with("HTTP/1.1 200"));
  }
}

TEST_F(ExchangeTest, AnswersPipelinedRequestsInOrder) {
  serve(
      "routes:\n  - {name: a, match: {path: {exact: /a}}, target: {direct: {status: 200, body: "
      "A}}}\n"
      "  - {name: b, match: {path: {exact: /b}}, target: {direct: {status: 200, body: B}}}\n");
  Wire client = this->client();
  client.send(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /a "
      "HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.read_until("\r\n\r\nA").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(client.read_until("\r\n\r\nB").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(client.read_until("\r\n\r\nA").starts_with("HTTP/1.1 200"));
}

TEST_F(ExchangeTest, StreamsALargeUploadAndDownload) {
  serve_origin(", limits: {max_request_bytes: 64MiB}");
  Wire client = this->client();
  const string body(8 << 20, 'x');
  std::thread sender([&] {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
  });
  Wire origin = origin_.accept();
  origin.read_until(kEnd);
  EXPECT_EQ(origin.read_exactly(body.size()).size(), body.size());
  sender.join();
  std::thread answer([&] {
    origin.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body);
  });
  client.read_until(kEnd);
  EXPECT_EQ(client.read_exactly(body.size()).size(), body.size());
  answer.join();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(origin.read_until(kEnd).starts_with("GET / "));
}

TEST_F(ExchangeTest, RelaysChunksWithTrailersBothWays) {
  serve_origin();
  Wire client = this->client();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n");
  Wire origin = origin_.accept();
  origin.read_until(kEnd);
  const string body = origin.read_until("X-Sum: 7\r\n\r\n");
  EXPECT_EQ(body, "7\r\nabcdefg\r\n0\r\nX-Sum: 7\r\n\r\n");
  origin.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
  client.read_until(kEnd);
  EXPECT_EQ(client.read_until("X-T: 1\r\n\r\n"), "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
}

TEST_F(ExchangeTest, RefusesAnAmbiguousRequestAndCloses) {
  serve_origin();
  Wire client = this->client();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n");
  const string answer = client.read_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("proxy-status: weir; error=http_request_error"), string::npos) << answer;
  EXPECT_NE(answer.find("bad_framing"), string::npos) << answer;
}

TEST_F(ExchangeTest, AnswersContinueWhenTheOriginIsReady) {
  serve_origin();
  Wire client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_TRUE(client.read_until(kEnd).starts_with("HTTP/1.1 100 "));
  client.send("body");
  Wire origin = origin_.accept();
  EXPECT_TRUE(origin.read_until("\r\n\r\nbody").find("xpect") == string::npos);
  origin.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(client.read_until(kEnd).starts_with("HTTP/1.1 204 "));
}

TEST_F(ExchangeTest, ReportsAConnectFailure) {
  {
    Origin gone;
    serve("clusters:\n" + cluster_yaml(gone) +
          "routes:\n  - {name: all, target: {cluster: origin}}\n");
  }
  Wire client = this->client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
  const string answer = client.read_until("}\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_NE(answer.find("connect_refused"), string::npos) << answer;
  client.close();
  EXPECT_NE(stop().find("\"connect_refused\""), string::npos);
}

TEST_F(ExchangeTest, RetriesAnIdempotentRequestOnAReset) {
  serve_origin();
  Wire client = this->client();
  client.send("GET /r HTTP/1.1\r\nHost: a\r\n\r\n");
  Wire first = origin_.accept();
  first.read_until(kEnd);
  first.reset();
  Wire second = origin_.accept();
  EXPECT_TRUE(second.read_until(kEnd).starts_with("GET /r "));
  second.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_until(kEnd).starts_with("HTTP/1.1 200 "));
}

TEST_F(ExchangeTest, NeverRepeatsAPostThatWasSent) {
  serve_origin();
  Wire client = this->client();
  client.send("POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  Wire first = origin_.accept();
  first.read_until("\r\n\r\nx");
  first.close();
  EXPECT_TRUE(client.read_until(kEnd).starts_with("HTTP/1.1 502 "));
}

TEST_F(ExchangeTest, CutsTheAnswerOffWhenTheOriginDoes) {
  serve_origin();
  Wire client = this->client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Wire origin = origin_.accept();
  origin.read_until(kEnd);
  origin.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_TRUE(client.read_until("half").starts_with("HTTP/1.1 200 "));
  origin.close();
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(ExchangeTest, KeepsServingAnExchangeOverAReload) {
  serve_origin();
  Wire client = this->client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Wire origin = origin_.accept();
  origin.read_until(kEnd);
  serve("routes:\n  - {name: other, target: {direct: {status: 200, body: new}}}\n");
  origin.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold");
  EXPECT_TRUE(client.read_until("\r\n\r\nold").starts_with("HTTP/1.1 200 "));
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.read_until("\r\n\r\nnew").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace weir::proxy
