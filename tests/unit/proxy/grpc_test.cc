// SPDX-License-Identifier: Apache-2.0
// gRPC and gRPC-Web in the exchange. The wire is HTTP/1, which carries the same fields and trailers
// as HTTP/2 does, so that every byte can be looked at.
#include "http/grpc.h"

#include <string>

#include "http/grpc_web.h"
#include "proxy_fixture.h"

namespace weir::proxy {
namespace {

using std::string;

constexpr const char* kEnd = "\r\n\r\n";
const string kMessage("\0\0\0\0\3abc", 8);

string encoded(std::string_view in) {
  string room(http::base64_size(in.size()), '?');
  return string(http::base64_encode(in, room));
}

// The bytes of a chunked body that ends without trailers.
string dechunked(Wire& wire) {
  string rest = wire.read_until("\r\n0\r\n\r\n");
  string out;
  while (!rest.empty()) {
    const size_t size = std::stoul(rest, nullptr, 16);
    const size_t begin = rest.find("\r\n") + 2;
    out += rest.substr(begin, size);
    rest.erase(0, begin + size + 2);
    if (size == 0) break;
  }
  return out;
}

class GrpcTest : public ProxyTest {
 protected:
  void serve_origin(const string& route_more = "", const string& cluster_more = "") {
    serve("clusters:\n" + cluster_yaml(origin_, cluster_more) +
          "routes:\n  - {name: all, match: {path: {prefix: /pkg.Service}}, "
          "target: {cluster: origin}" +
          route_more + "}\n");
  }
  static string call(const string& fields, const string& body = kMessage,
                     const string& type = "application/grpc+proto",
                     const string& path = "/pkg.Service/Get") {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Type: " + type +
           "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  string field(const string& head, const string& name) {
    const size_t at = head.find("\r\n" + name + ": ");
    if (at == string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }

  Origin origin_;
};

TEST_F(GrpcTest, ARefusalIsTrailersOnly) {
  serve_origin();
  Wire client = this->client();
  client.send(call("", kMessage, "application/grpc", "/nowhere"));
  const string answer = client.read_until(kEnd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_EQ(field(answer, "grpc-status"), "12");
  EXPECT_EQ(field(answer, "content-type"), "application/grpc");
  EXPECT_EQ(field(answer, "Content-Length"), "0");
  EXPECT_TRUE(field(answer, "grpc-message").starts_with("no_route. ")) << answer;
  EXPECT_NE(field(answer, "proxy-status").find("no_route"), string::npos) << answer;
  client.close();
  const string log = stop();
  EXPECT_NE(log.find("\"grpc_status\":12"), string::npos) << log;
  EXPECT_NE(log.find("\"reason\":\"no_route\""), string::npos) << log;
}

TEST_F(GrpcTest, AnOriginThatCannotBeReachedIsUnavailable) {
  {
    Origin gone;
    serve("clusters:\n" + cluster_yaml(gone) +
          "routes:\n  - {name: all, target: {cluster: origin}}\n");
  }
  Wire client = this->client();
  client.send(call(""));
  const string answer = client.read_until(kEnd);
  EXPECT_EQ(field(answer, "grpc-status"), "14") << answer;
}

TEST_F(GrpcTest, OtherRequestsGetOrdinaryRefusals) {
  serve_origin();
  Wire client = this->client();
  client.send(call("", "", "application/json", "/nowhere"));
  EXPECT_TRUE(client.read_until(kEnd).starts_with("HTTP/1.1 404 "));
}

TEST_F(GrpcTest, TheTimeThatIsLeftIsPassedOn) {
  serve_origin(", timeout: 60s");
  Wire client = this->client();
  client.send(call("grpc-timeout: 5S\r\n"));
  Wire origin = origin_.accept();
  const string request = origin.read_until(kEnd);
  const auto left = http::parse_grpc_timeout(field(request, "grpc-timeout"));
  ASSERT_TRUE(left) << request;
  EXPECT_LE(*left, std::chrono::seconds(5));
  EXPECT_GT(*left, std::chrono::seconds(2));
  EXPECT_EQ(field(request, "TE"), "trailers");
}

TEST_F(GrpcTest, TheRouteBoundsWhatAClientMayAskFor) {
  serve_origin(", grpc: {max_timeout: 2s}");
  Wire client = this->client();
  client.send(call("grpc-timeout: 1H\r\n"));
  Wire origin = origin_.accept();
  const auto left = http::parse_grpc_timeout(field(origin.read_until(kEnd), "grpc-timeout"));
  ASSERT_TRUE(left);
  EXPECT_LE(*left, std::chrono::seconds(2));
}

TEST_F(GrpcTest, ADeadlineThatPassesIsDeadlineExceeded) {
  serve_origin();
  Wire client = this->client();
  client.send(call("grpc-timeout: 50m\r\n"));
  Wire origin = origin_.accept();
  const string answer = client.read_until(kEnd);
  EXPECT_EQ(field(answer, "grpc-status"), "4") << answer;
}

TEST_F(GrpcTest, TheStatusOfTrailersIsLoggedAndCounted) {
  serve_origin();
  Wire client = this->client();
  client.send(call(""));
  Wire origin = origin_.accept();
  origin.read_until(kMessage);
  origin.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nGrpc-Status: 5\r\n\r\n");
  client.read_until(kEnd);
  EXPECT_EQ(client.read_until(kEnd), "3\r\nabc\r\n0\r\nGrpc-Status: 5\r\n\r\n");
  client.close();
  EXPECT_NE(stop().find("\"grpc_status\":5,"), string::npos);
  EXPECT_EQ(stats().grpc_responses[5].value(), 1U);
}

TEST_F(GrpcTest, UnavailableInTheHeadIsTriedAgainWhereTheRouteSaysSo) {
  serve_origin(", retry: {on: [grpc_unavailable], backoff: {base: 1ms, max: 1ms}}");
  Wire client = this->client();
  client.send(call(""));
  Wire origin = origin_.accept();
  origin.read_until(kMessage);
  origin.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 14\r\n"
      "Content-Length: 0\r\n\r\n");
  Wire second = origin_.accept();
  const string request = second.read_until(kMessage);
  EXPECT_TRUE(request.ends_with(kMessage));
  second.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 0\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(field(client.read_until(kEnd), "Grpc-Status"), "0");
}

TEST_F(GrpcTest, UnavailableIsNotTriedAgainUnlessTheRouteSaysSo) {
  serve_origin();
  Wire client = this->client();
  client.send(call(""));
  Wire origin = origin_.accept();
  origin.read_until(kMessage);
  origin.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 14\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(field(client.read_until(kEnd), "Grpc-Status"), "14");
}

// ---- gRPC-Web.

const string kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n\r\n"
    "8\r\n" +
    kMessage + "\r\n0\r\nGrpc-Status: 0\r\nX-T: 1\r\n\r\n";
const string kTrailers = string("\x80\0\0\0\x16", 5) + "grpc-status:0\r\nx-t:1\r\n";

TEST_F(GrpcTest, WebBinaryBecomesGrpcAndBack) {
  serve_origin(", grpc: {web: true}");
  Wire client = this->client();
  client.send(call("X-Grpc-Web: 1\r\n", kMessage, "application/grpc-web+proto"));
  Wire origin = origin_.accept();
  const string request = origin.read_until(kMessage);
  EXPECT_EQ(field(request, "Content-Type"), "application/grpc+proto") << request;
  EXPECT_EQ(field(request, "TE"), "trailers") << request;
  EXPECT_TRUE(request.ends_with("Content-Length: 8\r\n\r\n" + kMessage)) << request;
  origin.send(kAnswer);
  const string answer = client.read_until(kEnd);
  EXPECT_EQ(field(answer, "Content-Type"), "application/grpc-web+proto") << answer;
  EXPECT_EQ(dechunked(client), kMessage + kTrailers);
}

TEST_F(GrpcTest, WebTextIsBase64BothWays) {
  serve_origin(", grpc: {web: true}");
  Wire client = this->client();
  string message("\0\0\0\x20\0", 5);
  for (int i = 0; i < 0x2000; ++i) message += static_cast<char>(i);
  const string text = encoded(message);
  client.send(call("", text, "application/grpc-web-text"));
  Wire origin = origin_.accept();
  const string request = origin.read_until(kEnd);
  EXPECT_EQ(field(request, "Content-Type"), "application/grpc") << request;
  EXPECT_EQ(field(request, "Transfer-Encoding"), "chunked") << request;
  EXPECT_EQ(dechunked(origin), message);
  origin.send(kAnswer);
  const string answer = client.read_until(kEnd);
  EXPECT_EQ(field(answer, "Content-Type"), "application/grpc-web-text+proto") << answer;
  EXPECT_EQ(dechunked(client), encoded(kMessage) + encoded(kTrailers));
}

TEST_F(GrpcTest, WebTextThatIsNoBase64IsRefused) {
  serve_origin(", grpc: {web: true}");
  for (const string& text : {string("!!!!"), string("YWJ")}) {
    Wire client = this->client();
    client.send(call("", text, "application/grpc-web-text"));
    const string answer = client.read_until(kEnd);
    EXPECT_EQ(field(answer, "grpc-status"), "13") << answer;
    EXPECT_EQ(field(answer, "content-type"), "application/grpc-web-text") << answer;
  }
}

TEST_F(GrpcTest, WebTrailersOnlyStayInTheHead) {
  serve_origin(", grpc: {web: true}");
  Wire client = this->client();
  client.send(call("", kMessage, "application/grpc-web+json"));
  Wire origin = origin_.accept();
  origin.read_until(kMessage);
  origin.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 7\r\n"
      "Content-Length: 0\r\n\r\n");
  const string answer = client.read_until(kEnd);
  EXPECT_EQ(field(answer, "Grpc-Status"), "7");
  EXPECT_EQ(field(answer, "Content-Type"), "application/grpc-web+json");
  EXPECT_EQ(field(answer, "Content-Length"), "0");
}

TEST_F(GrpcTest, WebAnswersThatAreNotGrpcPassAsTheyAre) {
  serve_origin(", grpc: {web: true}");
  Wire client = this->client();
  client.send(call("", encoded(kMessage), "application/grpc-web-text"));
  Wire origin = origin_.accept();
  origin.read_until(kEnd);
  origin.send("HTTP/1.1 502 Bad\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nsad");
  EXPECT_NE(client.read_until("sad").find("text/plain"), string::npos);
}

TEST_F(GrpcTest, WebIsLeftAloneUnlessTheRouteTranslates) {
  serve_origin();
  Wire client = this->client();
  client.send(call("", kMessage, "application/grpc-web"));
  Wire origin = origin_.accept();
  EXPECT_EQ(field(origin.read_until(kEnd), "Content-Type"), "application/grpc-web");
}

}  // namespace
}  // namespace weir::proxy
