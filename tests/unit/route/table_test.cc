// SPDX-License-Identifier: Apache-2.0
#include "route/table.h"

#include <gtest/gtest.h>

#include "route_fixture.h"

namespace weir::route {
namespace {

struct Case {
  const char* host;
  const char* path;
  const char* winner;
};

void expect_winners(const std::vector<RouteConfig>& routes, const std::vector<Case>& cases) {
  const auto table = compile(routes);
  ASSERT_NE(table, nullptr);
  for (const Case& c : cases) {
    EXPECT_EQ(winner(*table, {"GET", c.host, c.path}), c.winner) << c.host << c.path;
  }
}

TEST(Table, EmptyTableTakesNothing) { expect_winners({}, {{"a.example", "/", "404"}}); }

TEST(Table, ExactHostBeforeLongestWildcardBeforeAll) {
  expect_winners({make_route("all", {}, "/"), make_route("wide", {"*.example.com"}, "/"),
                  make_route("narrow", {"*.b.example.com"}, "/"),
                  make_route("exact", {"a.b.example.com"}, "/")},
                 {{"a.b.example.com", "/", "exact"},
                  {"x.b.example.com", "/", "narrow"},
                  {"x.y.b.example.com", "/", "narrow"},
                  {"b.example.com", "/", "wide"},
                  {"example.com", "/", "all"},
                  {"xexample.com", "/", "all"},
                  {".example.com", "/", "all"},
                  {"", "/", "all"},
                  {"com", "/", "all"}});
}

TEST(Table, StarIsEveryHost) {
  expect_winners({make_route("all", {"*"}, "/")}, {{"a.example", "/", "all"}});
}

TEST(Table, WildcardDoesNotTakeAHostThatOnlyLooksLikeItsText) {
  expect_winners({make_route("wild", {"*.a.example"}, "/")},
                 {{".a.example", "/", "404"}, {"*.a.example", "/", "wild"}});
}

TEST(Table, HostsLongerThanAnyOfTheConfigAreNotFound) {
  const std::string labels(4000, '.');
  const auto table = compile({make_route("wild", {"*.a.example"}, "/")});
  EXPECT_EQ(winner(*table, {"GET", labels, "/"}), "404");
  EXPECT_EQ(winner(*table, {"GET", labels + "a.example", "/"}), "wild");
}

TEST(Table, ExactBeforeRegexBeforeLongestPrefix) {
  expect_winners(
      {make_route("root", {}, "/"), make_route("api", {}, "/api"), make_route("v1", {}, "/api/v1"),
       make_route("regex", {}, "~ /api/v[0-9]+/users"), make_route("exact", {}, "= /api/v1/users")},
      {{"h", "/", "root"},
       {"h", "/x", "root"},
       {"h", "/api", "api"},
       {"h", "/api/v2", "api"},
       {"h", "/api/v1", "v1"},
       {"h", "/api/v1/x/y/z", "v1"},
       {"h", "/api/v2/users", "regex"},
       {"h", "/api/v2/users/1", "api"},
       {"h", "/api/v1/users", "exact"},
       {"h", "/api/v1/users/", "v1"}});
}

TEST(Table, PrefixMatchesWholeSegments) {
  expect_winners({make_route("foo", {}, "/foo")}, {{"h", "/foo", "foo"},
                                                   {"h", "/foo/", "foo"},
                                                   {"h", "/foo/bar", "foo"},
                                                   {"h", "/foobar", "404"},
                                                   {"h", "/fo", "404"},
                                                   {"h", "/", "404"},
                                                   {"h", "/Foo", "404"}});
}

TEST(Table, PrefixWithFinalSlashMatchesOnlyBelow) {
  expect_winners({make_route("below", {}, "/foo/")}, {{"h", "/foo", "404"},
                                                      {"h", "/foo/", "below"},
                                                      {"h", "/foo/bar/baz", "below"},
                                                      {"h", "/foobar", "404"}});
}

TEST(Table, PrefixWithFinalSlashIsLongerThanWithout) {
  expect_winners({make_route("at", {}, "/foo"), make_route("below", {}, "/foo/")},
                 {{"h", "/foo", "at"}, {"h", "/foo/", "below"}, {"h", "/foo/x", "below"}});
}

TEST(Table, ExactKeepsFinalSlashApart) {
  expect_winners({make_route("bare", {}, "= /foo"), make_route("slash", {}, "= /foo/"),
                  make_route("root", {}, "= /")},
                 {{"h", "/foo", "bare"}, {"h", "/foo/", "slash"}, {"h", "/", "root"}});
}

TEST(Table, RegexMatchesTheWholePath) {
  expect_winners({make_route("regex", {}, "~ /a[0-9]")},
                 {{"h", "/a1", "regex"}, {"h", "/a12", "404"}, {"h", "/x/a1", "404"}});
}

TEST(Table, AsteriskFormIsUnderNoPrefix) {
  expect_winners({make_route("all", {}, "/"), make_route("star", {"s"}, "~ [*]")},
                 {{"h", "*", "404"}, {"s", "*", "star"}});
}

TEST(Table, HostWithoutThePathFallsToLessSpecificHosts) {
  expect_winners({make_route("api", {"api.example.com"}, "/v1"),
                  make_route("wild", {"*.example.com"}, "/status"),
                  make_route("acme", {}, "/.well-known/acme-challenge/")},
                 {{"api.example.com", "/v1", "api"},
                  {"api.example.com", "/status", "wild"},
                  {"api.example.com", "/.well-known/acme-challenge/t", "acme"},
                  {"api.example.com", "/v2", "404"}});
}

TEST(Table, ARouteStandsAtEachOfItsHosts) {
  expect_winners({make_route("both", {"a", "b", "a"}, "/")},
                 {{"a", "/", "both"}, {"b", "/", "both"}, {"c", "/", "404"}});
}

TEST(Table, SameSegmentUnderOtherHostsAndParentsIsAnotherPlace) {
  expect_winners({make_route("1", {"a"}, "= /x/y"), make_route("2", {"b"}, "= /x/y"),
                  make_route("3", {"a"}, "= /y/x"), make_route("4", {"a"}, "= /x")},
                 {{"a", "/x/y", "1"},
                  {"b", "/x/y", "2"},
                  {"a", "/y/x", "3"},
                  {"a", "/x", "4"},
                  {"b", "/x", "404"},
                  {"b", "/y/x", "404"}});
}

TEST(Table, MoreConditionsFirstThenPriorityThenFile) {
  std::vector<RouteConfig> routes = {make_route("plain", {}, "/"), make_route("header", {}, "/"),
                                     make_route("header-get", {}, "/"),
                                     make_route("urgent", {}, "/"), make_route("late", {}, "/")};
  routes[0].priority = 100;
  routes[1].match.headers = {value_is("x-a", "1")};
  routes[2].match.headers = {value_is("x-a", "1")};
  routes[2].match.methods = {"GET"};
  routes[3].match.headers = {value_is("x-b", "1")};
  routes[3].priority = 1;
  routes[4].match.headers = {value_is("x-c", "1")};
  const auto table = compile(routes);
  EXPECT_EQ(winner(*table, {"GET", "h", "/"}), "plain");
  EXPECT_EQ(winner(*table, TestRequest("POST", "h", "/").header("X-A", "1")), "header");
  EXPECT_EQ(winner(*table, TestRequest("GET", "h", "/").header("X-A", "1")), "header-get");
  EXPECT_EQ(winner(*table, TestRequest("POST", "h", "/").header("x-a", "1").header("x-b", "1")),
            "urgent");
  EXPECT_EQ(winner(*table, TestRequest("POST", "h", "/").header("x-a", "1").header("x-c", "1")),
            "header");
}

TEST(Table, FailedConditionsFallToShorterPrefixAndThenToOtherHosts) {
  std::vector<RouteConfig> routes = {make_route("long", {"h"}, "/a/b"),
                                     make_route("short", {"h"}, "/a"), make_route("all", {}, "/")};
  routes[0].match.headers = {value_there("x-a")};
  routes[1].match.query = {value_is("v", "2")};
  const auto table = compile(routes);
  EXPECT_EQ(winner(*table, TestRequest("GET", "h", "/a/b").header("x-a", "")), "long");
  EXPECT_EQ(winner(*table, {"GET", "h", "/a/b", "v=2"}), "short");
  EXPECT_EQ(winner(*table, {"GET", "h", "/a/b", "v=3"}), "all");
}

TEST(Table, MethodThatNoRouteTakesIs405WithAllow) {
  std::vector<RouteConfig> routes = {make_route("read", {"h"}, "/a"),
                                     make_route("write", {"h"}, "/a"),
                                     make_route("purge", {}, "/a")};
  routes[0].match.methods = {"GET", "HEAD"};
  routes[1].match.methods = {"POST"};
  routes[2].match.methods = {"PURGE"};
  const auto table = compile(routes);
  EXPECT_EQ(winner(*table, {"HEAD", "h", "/a"}), "read");
  EXPECT_EQ(winner(*table, {"POST", "h", "/a"}), "write");
  EXPECT_EQ(winner(*table, {"PURGE", "h", "/a"}), "purge");
  EXPECT_EQ(winner(*table, {"DELETE", "h", "/a/x"}), "405 GET, HEAD, POST, PURGE");
  EXPECT_EQ(winner(*table, {"PURG", "h", "/a"}), "405 GET, HEAD, POST, PURGE");
  EXPECT_EQ(winner(*table, {"GET", "x", "/a"}), "405 PURGE");
  EXPECT_EQ(winner(*table, {"DELETE", "h", "/b"}), "404");
}

TEST(Table, GetDoesNotImplyHead) {
  std::vector<RouteConfig> routes = {make_route("get", {}, "/")};
  routes[0].match.methods = {"GET"};
  EXPECT_EQ(winner(*compile(routes), {"HEAD", "h", "/"}), "405 GET");
}

TEST(Table, UnknownMethodIsTakenByARouteForAllMethods) {
  EXPECT_EQ(winner(*compile({make_route("all", {}, "/")}), {"FROB", "h", "/"}), "all");
}

TEST(Table, A405NeedsAllOtherConditionsToHold) {
  std::vector<RouteConfig> routes = {make_route("get", {}, "/")};
  routes[0].match.methods = {"GET"};
  routes[0].match.headers = {value_is("x-a", "1")};
  const auto table = compile(routes);
  EXPECT_EQ(winner(*table, {"POST", "h", "/"}), "404");
  EXPECT_EQ(winner(*table, TestRequest("POST", "h", "/").header("x-a", "1")), "405 GET");
}

TEST(Table, SharedRouteOutlivesItsTable) {
  auto table = compile({make_route("kept", {}, "/")});
  TestRequest request("GET", "h", "/");
  TestArena scratch;
  const std::shared_ptr<const Route> kept =
      table->share(table->match(request.head(), scratch.arena).index);
  table.reset();
  EXPECT_EQ(kept->name(), "kept");
  EXPECT_EQ(std::get<ClusterTarget>(kept->target()).cluster, "origin");
}

TEST(Table, MatchNeedsNoMemoryWithoutRegexOrRefusal) {
  std::vector<RouteConfig> routes = {make_route("a", {"*.example.com"}, "/a/b")};
  routes[0].match.query = {value_is("q", "a b")};
  const auto table = compile(routes);
  TestRequest request("GET", "x.example.com", "/a/b/c", "q=a+b");
  TestArena scratch;
  EXPECT_NE(table->match(request.head(), scratch.arena).route, nullptr);
  EXPECT_EQ(scratch.arena.held(), 0U);
}

TEST(Table, RegexThatDoesNotCompileIsReportedAtItsPlace) {
  std::vector<RouteConfig> routes = {make_route("bad", {}, "~ /a(")};
  routes[0].match.path.location = {0, 7, 3};
  config::Diagnostics diagnostics;
  diagnostics.add_source("test.yaml", "\n\n\n\n\n\n  x: y\n");
  EXPECT_EQ(Table::compile(routes, diagnostics), nullptr);
  const auto found = diagnostics.take_sorted();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 7U);
  EXPECT_EQ(found[0].column, 3U);
  EXPECT_EQ(found[0].key, "routes.bad.match.path.regex");
  EXPECT_NE(found[0].message.find("missing )"), std::string::npos) << found[0].message;
}

TEST(Table, AllErrorsAreReportedAtOnce) {
  std::vector<RouteConfig> routes = {make_route("r1", {}, "~ [a"), make_route("r2", {}, "/"),
                                     make_route("r3", {}, "= /a/../b")};
  routes[1].match.headers = {value_regex("x-a", "*")};
  routes[1].match.query = {value_regex("q", "(?!x)")};
  routes[1].rewrite.regex = "a";
  routes[1].rewrite.substitution = "\\1";
  routes[1].request_headers.set = {{"host", "x"}};
  const auto found = findings(routes);
  ASSERT_EQ(found.size(), 6U) << ::testing::PrintToString(found);
}

}  // namespace
}  // namespace weir::route
