// SPDX-License-Identifier: Apache-2.0
#include "route/rewrite.h"

#include <gtest/gtest.h>

#include "route_fixture.h"

namespace weir::route {
namespace {

std::string rewritten(const RouteConfig& config, std::string_view path) {
  const auto table = compile({config});
  if (table == nullptr) return "(does not compile)";
  TestArena scratch;
  const auto result = rewrite_path((*table)[0], path, scratch.arena);
  return result ? std::string(*result) : "(" + std::string(result.error().detail) + ")";
}

std::string with_prefix(std::string_view match, std::string replacement, std::string_view path) {
  RouteConfig config = make_route("r", {}, match);
  config.rewrite.prefix = std::move(replacement);
  return rewritten(config, path);
}

std::string with_regex(std::string regex, std::string substitution, std::string_view path) {
  RouteConfig config = make_route("r", {}, "/");
  config.rewrite.regex = std::move(regex);
  config.rewrite.substitution = std::move(substitution);
  return rewritten(config, path);
}

TEST(RewritePath, NothingToDoKeepsTheVeryView) {
  const auto table = compile({make_route("r", {}, "/")});
  TestArena scratch;
  const std::string_view path = "/a";
  EXPECT_EQ(rewrite_path((*table)[0], path, scratch.arena)->data(), path.data());
}

// The examples of the Gateway API's ReplacePrefixMatch, and some of ours.
TEST(RewritePath, PrefixIsReplacedByWholeSegments) {
  struct Case {
    const char* match;
    const char* replacement;
    const char* path;
    const char* result;
  };
  const Case cases[] = {
      {"/foo", "/xyz", "/foo/bar", "/xyz/bar"},
      {"/foo", "/xyz/", "/foo/bar", "/xyz/bar"},
      {"/foo/", "/xyz", "/foo/bar", "/xyz/bar"},
      {"/foo/", "/xyz/", "/foo/bar", "/xyz/bar"},
      {"/foo", "/xyz", "/foo", "/xyz"},
      {"/foo", "/xyz", "/foo/", "/xyz/"},
      {"/foo", "", "/foo/bar", "/bar"},
      {"/foo", "", "/foo/", "/"},
      {"/foo", "", "/foo", "/"},
      {"/foo", "/", "/foo/", "/"},
      {"/foo", "/", "/foo", "/"},
      {"/foo", "/", "/foo/bar", "/bar"},
      {"/", "/api", "/", "/api/"},
      {"/", "/api", "/x", "/api/x"},
      {"/", "/", "/x", "/x"},
      {"= /foo", "/bar", "/foo", "/bar"},
      {"= /foo/", "/bar", "/foo/", "/bar"},
      {"= /foo", "", "/foo", "/"},
      {"/foo", "/xyz/", "/foo", "/xyz/"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(with_prefix(c.match, c.replacement, c.path), c.result)
        << c.match << " -> " << c.replacement << " on " << c.path;
  }
}

TEST(RewritePath, ReplacementMustBeANormalPath) {
  for (const char* bad : {"x", "/a//b", "/a/../b", "/a b", "/a?b", "/a#b", "/%2f", "/a\\b"}) {
    EXPECT_EQ(with_prefix("/foo", bad, "/foo"), "(does not compile)") << bad;
  }
}

TEST(RewritePath, ARegexMatchHasNoPrefixToReplace) {
  EXPECT_EQ(with_prefix("~ /a.*", "/b", "/a"), "(does not compile)");
}

TEST(RewritePath, RegexReplacesTheFirstMatch) {
  EXPECT_EQ(with_regex("^/v[0-9]+/", "/", "/v1/a/v2/b"), "/a/v2/b");
  EXPECT_EQ(with_regex("/([^/]+)/([^/]+)", "/\\2/\\1", "/a/b/c"), "/b/a/c");
  EXPECT_EQ(with_regex("^/x(y)?(z)?", "/-\\1\\2-\\0", "/xz"), "/-z-/xz");
  EXPECT_EQ(with_regex("nothing", "/", "/a"), "/a");
}

TEST(RewritePath, RegexResultIsNormalisedOrRefused) {
  EXPECT_EQ(with_regex("^/a", "/", "/a/b"), "/b");
  EXPECT_EQ(with_regex("-", "", "/%-2fx"), "(the route's rewrite makes an ambiguous path)");
  EXPECT_EQ(with_regex("^/a/", "", "/a/b"),
            "(the route's rewrite makes a path without a first slash)");
  EXPECT_EQ(with_regex(".*", "", "/a"), "(the route's rewrite makes a path without a first slash)");
  EXPECT_EQ(with_regex("x", "\\\\", "/x"), "(the route's rewrite makes an ambiguous path)");
}

TEST(RewriteHost, KeepClusterLiteral) {
  RouteConfig config = make_route("r", {}, "/");
  const auto host = [&] {
    return std::string(rewrite_host((*compile({config}))[0], "client:1", "endpoint:2"));
  };
  EXPECT_EQ(host(), "client:1");
  config.rewrite.host.kind = HostRewrite::Kind::kCluster;
  EXPECT_EQ(host(), "endpoint:2");
  config.rewrite.host = {HostRewrite::Kind::kLiteral, "other.example"};
  const auto table = compile({config});
  EXPECT_EQ(rewrite_host((*table)[0], "client:1", "endpoint:2"), "other.example");
}

std::string location(const RedirectTarget& target, TestRequest request,
                     std::string_view match = "/") {
  RouteConfig config = make_route("r", {}, match);
  config.target = target;
  const auto table = compile({config});
  if (table == nullptr) return "(does not compile)";
  TestArena scratch;
  return std::string(redirect_location((*table)[0], request.head(), scratch.arena));
}

TEST(RedirectLocation, RelativeUnlessSchemeOrHostChange) {
  RedirectTarget target;
  target.path = "/new";
  EXPECT_EQ(location(target, {"GET", "h:8080", "/old"}), "/new");
  target.scheme = "http";
  EXPECT_EQ(location(target, {"GET", "h:8080", "/old"}), "/new");
  target.host = "other";
  EXPECT_EQ(location(target, {"GET", "h:8080", "/old"}), "http://other/new");
}

TEST(RedirectLocation, NewSchemeDropsThePort) {
  RedirectTarget target;
  target.scheme = "https";
  EXPECT_EQ(location(target, {"GET", "h:8080", "/a"}), "https://h/a");
  target.host = "h:8443";
  EXPECT_EQ(location(target, {"GET", "h:8080", "/a"}), "https://h:8443/a");
}

TEST(RedirectLocation, QueryIsKept) {
  RedirectTarget target;
  target.path = "/new";
  EXPECT_EQ(location(target, {"GET", "h", "/old", "a=1&b=//x"}), "/new?a=1&b=//x");
}

TEST(RedirectLocation, PrefixIsReplaced) {
  RedirectTarget target;
  target.prefix = "/new";
  EXPECT_EQ(location(target, {"GET", "h", "/old/x"}, "/old"), "/new/x");
}

TEST(RedirectLocation, NeverBeginsWithTwoSlashesNorCarriesControlBytes) {
  RedirectTarget target;
  target.prefix = "/";
  EXPECT_EQ(location(target, {"GET", "h", "/old//evil.example/x"}, "/old"), "/evil.example/x");
  EXPECT_EQ(location({}, {"GET", "h", "//evil.example"}), "/evil.example");
  EXPECT_EQ(location({}, {"GET", "h", "///"}), "/");
  EXPECT_EQ(location({}, {"GET", "h", "evil.example"}), "/evil.example");
  EXPECT_EQ(location({}, {"GET", "h", "/a\r\nset-cookie: x", "b\nc\x80"}),
            "/a%0D%0Aset-cookie:%20x?b%0Ac%80");
}

TEST(RedirectLocation, PathsOfTheConfigMustBeNormal) {
  RedirectTarget target;
  target.path = "//evil";
  EXPECT_EQ(location(target, {"GET", "h", "/"}), "(does not compile)");
}

}  // namespace
}  // namespace weir::route
