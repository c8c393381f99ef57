// SPDX-License-Identifier: Apache-2.0
// Identity and limits in the exchange: what is held, and that it goes back whatever ends it.
#include <string>

#include "proxy_fixture.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n";

class Limits : public ProxyTest {
 protected:
  void serve_limited(const std::string& limits, const std::string& more = "") {
    serve("limits: [" + limits + "]\n" + more + "clusters:\n" + cluster_yaml(origin_) +
          "routes: [{name: all, target: {cluster: origin}}]\n");
  }
  /// The head of what the client gets.
  static std::string head_of(Wire& wire) { return wire.read_until("\r\n\r\n"); }
  Wire held() {
    Wire wire = client();
    wire.send(kGet);
    return wire;
  }
  Wire taken() {
    Wire wire = origin_.accept();
    wire.read_until("\r\n\r\n");
    return wire;
  }

  Origin origin_;
};

constexpr std::string_view kOnePlace = "{name: one, key: [client_ip], concurrency: {max: 1}}";

TEST_F(Limits, RefuseBeforeTheOriginHearsOfIt) {
  serve_limited("{name: once, key: [client_ip], requests: {rate: 1/h, burst: 1}}");
  Wire first = held();
  Wire there = taken();
  there.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(head_of(first).starts_with("HTTP/1.1 204"));
  first.send(kGet);
  const std::string head = head_of(first);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 429")) << head;
  EXPECT_NE(head.find("ratelimit-policy: \"once\";q=1;w=3600"), head.npos) << head;
  EXPECT_NE(head.find("retry-after: 3"), head.npos) << head;
}

TEST_F(Limits, PlaceIsHeldToTheEndOfTheAnswer) {
  serve_limited(std::string(kOnePlace));
  Wire first = held();
  Wire there = taken();
  there.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
  EXPECT_TRUE(head_of(first).starts_with("HTTP/1.1 200"));
  Wire second = held();
  EXPECT_TRUE(head_of(second).starts_with("HTTP/1.1 429"));
  there.send("b");
  first.read_exactly(1);
  stop();
}

struct End {
  const char* name;
  void (*happens)(Wire& client, Wire& origin);
};

class LimitsAtTheEnd : public Limits, public ::testing::WithParamInterface<End> {};

TEST_P(LimitsAtTheEnd, PlaceGoesBack) {
  serve_limited(
      "{name: one, key: [client_ip], concurrency: {max: 1, queue: {max_requests: 1, "
      "max_wait: 5s}}}");
  Wire first = held();
  Wire there = taken();
  // The second waits until the first is over, whatever its end.
  Wire second = held();
  GetParam().happens(first, there);
  Wire again = taken();
  again.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(head_of(second).starts_with("HTTP/1.1 204"));
}

INSTANTIATE_TEST_SUITE_P(
    All, LimitsAtTheEnd,
    ::testing::Values(End{"Answered",
                          [](Wire&, Wire& o) {
                            o.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                            o.close();
                          }},
                      End{"OriginResets",
                          [](Wire&, Wire& o) { o.send("HTTP/1.1 200 OK\r\n\r\npart"), o.reset(); }},
                      End{"OriginSaysNonsense",
                          [](Wire&, Wire& o) { o.send("nonsense\r\n\r\n"), o.close(); }},
                      End{"ClientResets", [](Wire& c, Wire&) { c.reset(); }}),
    [](const auto& param) { return param.param.name; });

TEST_F(Limits, WhoWaitsIsCancelledByTheEndOfTheWorker) {
  serve_limited("{name: one, concurrency: {max: 1, queue: {max_requests: 4, max_wait: 5s}}}");
  Wire first = held();
  Wire there = taken();
  Wire second = held();
  Wire third = held();
  stop();
}

TEST_F(Limits, OwnersAreToldAndLogged) {
  serve_limited("", "identity: {tenant: [{value: acme}], function: [{route: true}]}\n");
  Wire wire = client();
  wire.send("GET /x HTTP/1.1\r\nHost: a.test\r\nX-Weir-Tenant: thief\r\n\r\n");
  Wire there = origin_.accept();
  const std::string head = there.read_until("\r\n\r\n");
  EXPECT_NE(head.find("x-weir-tenant: acme"), head.npos) << head;
  EXPECT_NE(head.find("x-weir-function: all"), head.npos) << head;
  EXPECT_EQ(head.find("thief"), head.npos) << head;
  there.send("HTTP/1.1 204 No Content\r\n\r\n");
  head_of(wire);
  const std::string log = stop();
  EXPECT_NE(log.find("\"tenant\":\"acme\",\"function\":\"all\""), log.npos) << log;
}

}  // namespace
}  // namespace weir::proxy
