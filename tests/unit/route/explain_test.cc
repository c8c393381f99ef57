// SPDX-License-Identifier: Apache-2.0
#include "route/explain.h"

#include <gtest/gtest.h>

#include "route/order.h"
#include "route_fixture.h"

namespace weir::route {
namespace {

std::vector<RouteConfig> sample() {
  std::vector<RouteConfig> routes = {
      make_route("site", {}, "/"),
      make_route("api", {"*.example.com"}, "/api"),
      make_route("canary", {"a.example.com"}, "/api"),
      make_route("write", {"a.example.com"}, "/api/v1"),
      make_route("ids", {"a.example.com"}, "~ /api/[0-9]+"),
      make_route("health", {"a.example.com"}, "= /health"),
  };
  routes[2].match.headers = {value_is("x-canary", "1")};
  routes[3].match.methods = {"POST"};
  return routes;
}

TEST(Explain, NamesWinnerAndWhyTheOthersLost) {
  const auto table = compile(sample());
  TestRequest request("GET", "a.example.com", "/api/v1/x");
  const Explanation why = explain(*table, request.head());
  ASSERT_NE(why.route, nullptr);
  EXPECT_EQ(why.route->name(), "api");
  EXPECT_EQ(to_text(*table, why),
            "route api\n"
            "  1. write\n"
            "     host a.example.com (exact)\n"
            "     path prefix /api/v1 (7 characters)\n"
            "     lost: method GET is not among POST\n"
            "  2. canary\n"
            "     host a.example.com (exact)\n"
            "     path prefix /api (4 characters)\n"
            "     lost: header x-canary = \"1\" does not hold\n"
            "  3. api (wins)\n"
            "     host *.example.com (wildcard)\n"
            "     path prefix /api (4 characters)\n"
            "  4. site\n"
            "     host * (every host)\n"
            "     path prefix / (1 character)\n"
            "     lost: route \"api\" has the more specific host\n");
}

TEST(Explain, SaysWhichRuleDecided) {
  std::vector<RouteConfig> routes = {
      make_route("regex", {}, "~ /a/b"), make_route("long", {}, "/a/b"),
      make_route("short", {}, "/a"),     make_route("conditional", {}, "/a"),
      make_route("urgent", {}, "/a"),    make_route("late", {}, "/a")};
  routes[3].match.headers = {value_there("x-a")};
  routes[4].match.headers = {value_there("x-b")};
  routes[4].priority = 1;
  routes[5].match.headers = {value_there("x-c")};
  const auto table = compile(routes);
  const auto lost = [&](TestRequest request) {
    request.header("x-a", "").header("x-b", "").header("x-c", "");
    std::vector<std::string> reasons;
    for (const Candidate& c : explain(*table, request.head()).candidates) reasons.push_back(c.lost);
    return reasons;
  };
  EXPECT_EQ(lost({"GET", "h", "/a/b"})[1],
            "route \"regex\" stands before it: exact before regex before prefix");
  EXPECT_EQ(lost({"GET", "h", "/a/b/c"})[1], "route \"long\" has the longer prefix");
  EXPECT_EQ(lost({"GET", "h", "/a"}),
            (std::vector<std::string>{"", "route \"urgent\" has the higher priority",
                                      "route \"urgent\" has the higher priority",
                                      "route \"urgent\" has more conditions"}));
}

TEST(Explain, SaysWhatCameNearest) {
  const auto table = compile({make_route("v1", {"api.example.com"}, "/v1")});
  TestRequest path("GET", "api.example.com", "/v2");
  EXPECT_EQ(
      to_text(*table, explain(*table, path.head())),
      "no route: no_route\n  routes for api.example.com (exact) have no path that takes /v2\n");
  TestRequest host("GET", "www.example.com", "/v1");
  EXPECT_EQ(to_text(*table, explain(*table, host.head())),
            "no route: no_route\n  no route is for host www.example.com\n");
}

TEST(Explain, SaysWhichMethodsAreAllowed) {
  std::vector<RouteConfig> routes = {make_route("r", {}, "/")};
  routes[0].match.methods = {"GET", "HEAD"};
  const auto table = compile(routes);
  TestRequest request("POST", "h", "/");
  const Explanation why = explain(*table, request.head());
  EXPECT_EQ(why.reason, ErrorCode::kMethodNotAllowed);
  EXPECT_EQ(why.allow, "GET, HEAD");
  EXPECT_EQ(to_text(*table, why).substr(0, 44), "no route: method_not_allowed (allowed: GET, ");
}

TEST(Order, IsTheOrderInWhichRoutesAreTried) {
  const auto table = compile(sample());
  std::vector<std::string> names;
  for (const OrderRow& row : order(*table)) names.emplace_back((*table)[row.index].name());
  EXPECT_EQ(names, (std::vector<std::string>{"health", "ids", "write", "canary", "api", "site"}));
}

TEST(Order, ARouteWithSeveralHostsHasSeveralPlaces) {
  const auto table = compile({make_route("r", {"b", "*.c", "a"}, "/")});
  std::vector<std::string> hosts;
  for (const OrderRow& row : order(*table)) hosts.push_back(row.host);
  EXPECT_EQ(hosts, (std::vector<std::string>{"a", "b", "*.c"}));
}

TEST(Order, PrintsColumns) {
  std::vector<RouteConfig> routes = {make_route("one", {"a"}, "= /x"), make_route("two", {}, "/")};
  routes[0].match.methods = {"GET"};
  routes[0].priority = 7;
  EXPECT_EQ(print_order(*compile(routes)),
            "#  host  path                    conditions  priority  route\n"
            "1  a     exact /x                GET         7         one\n"
            "2  *     prefix / (1 character)              0         two\n");
}

}  // namespace
}  // namespace weir::route
