// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "loading.h"

namespace weir::config {
namespace {

using std::chrono::seconds;
using test::around;
using test::good;
using test::route_with;

RouteTarget target_of(std::string_view target) {
  const Config config = good(around("routes: [{name: r, target: {" + std::string(target) + "}}]"));
  return config.routes.empty() ? RouteTarget() : config.routes.front().target;
}

TEST(RouteMatch, HostsAndMethodsAreCanonical) {
  const RouteMatch match =
      route_with("match: {hosts: [Example.COM, '*.Example.org', '[::1]'], methods: [GET, PATCH]}")
          .match;
  EXPECT_EQ(match.hosts, (std::vector<std::string>{"example.com", "*.example.org", "[::1]"}));
  EXPECT_EQ(match.methods, (std::vector<std::string>{"GET", "PATCH"}));
}

TEST(RouteMatch, AStarAmongTheHostsMatchesEveryHost) {
  EXPECT_TRUE(route_with("match: {hosts: [a.b, '*']}").match.hosts.empty());
}

TEST(RouteMatch, APathIsExactPrefixOrRegex) {
  EXPECT_EQ(route_with("match: {}").match.path.value, "/");
  EXPECT_EQ(route_with("match: {path: {exact: /a}}").match.path.kind, PathMatch::Kind::kExact);
  EXPECT_EQ(route_with("match: {path: {prefix: /a/}}").match.path.kind, PathMatch::Kind::kPrefix);
  const PathMatch regex = route_with("match: {path: {regex: '/a{2}$'}}").match.path;
  EXPECT_EQ(regex.kind, PathMatch::Kind::kRegex);
  EXPECT_EQ(regex.value, "/a{2}$");
}

TEST(RouteMatch, HeadersAndParametersAreTextOrOneOfFourWays) {
  using Kind = ValueMatch::Kind;
  const RouteMatch match =
      route_with(
          "match: {headers: {X-A: '1', x-b: {exact: ''}, x-c: {prefix: p}, x-d: {regex: r}, "
          "x-e: {present: true}}, query: {Page: 2}}")
          .match;
  ASSERT_EQ(match.headers.size(), 5U);
  const std::vector<std::pair<Kind, std::string>> expected{{Kind::kExact, "1"},
                                                           {Kind::kExact, ""},
                                                           {Kind::kPrefix, "p"},
                                                           {Kind::kRegex, "r"},
                                                           {Kind::kPresent, ""}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(match.headers[i].kind, expected[i].first) << i;
    EXPECT_EQ(match.headers[i].value, expected[i].second) << i;
  }
  EXPECT_EQ(match.headers[0].name, "x-a") << "header names have no case";
  EXPECT_EQ(match.query.at(0).name, "Page") << "parameters have";
}

TEST(RouteTarget, IsOneOfFour) {
  EXPECT_EQ(std::get<ClusterTarget>(target_of("cluster: c")).cluster, "c");

  const auto weighted = std::get<WeightedTarget>(
      target_of("weighted: [{cluster: c, weight: 3}], hash_on: client_ip"));
  EXPECT_EQ(weighted.clusters.at(0).weight, 3U);
  EXPECT_EQ(weighted.hash_on.kind, HashOn::Kind::kClientIp);

  const auto direct = std::get<DirectTarget>(
      target_of("direct: {status: 404, body: \"no\\n\", headers: {X-A: b}}"));
  EXPECT_EQ(direct.status, 404);
  EXPECT_EQ(direct.body, "no\n");
  EXPECT_EQ(direct.headers, (HeaderPairs{{"x-a", "b"}}));

  const auto redirect = std::get<RedirectTarget>(
      target_of("redirect: {scheme: https, host: 'A.b:8443', prefix: /x, status: 308}"));
  EXPECT_EQ(redirect.scheme, "https");
  EXPECT_EQ(redirect.host, "a.b:8443");
  EXPECT_EQ(redirect.prefix, "/x");
  EXPECT_EQ(redirect.status, 308);
}

TEST(RouteTarget, AnEmptyDirectAnswerIs200) {
  EXPECT_EQ(std::get<DirectTarget>(target_of("direct: {}")).status, 200);
}

TEST(RouteRewrite, ReplacesPathAndHost) {
  const Rewrite by_prefix = route_with("rewrite: {prefix: /, host: cluster}").rewrite;
  EXPECT_EQ(by_prefix.prefix, "/");
  EXPECT_EQ(by_prefix.host.kind, HostRewrite::Kind::kCluster);
  const Rewrite by_regex =
      route_with("rewrite: {regex: '^/v1', substitution: '', host: A.example}").rewrite;
  EXPECT_FALSE(by_regex.prefix);
  EXPECT_EQ(by_regex.regex, "^/v1");
  EXPECT_EQ(by_regex.substitution, "");
  EXPECT_EQ(by_regex.host.literal, "a.example");
  EXPECT_EQ(by_regex.location.line, 3U);
}

TEST(RouteHeaders, NamesAreLowerCaseAndValuesMayRepeat) {
  const RouteConfig route = route_with(
      "headers: {request: {set: {X-A: b}, remove: [X-Debug]}, response: {add: {Vary: [a, b]}}}");
  EXPECT_EQ(route.request_headers.set, (HeaderPairs{{"x-a", "b"}}));
  EXPECT_EQ(route.request_headers.remove, std::vector<std::string>{"x-debug"});
  EXPECT_EQ(route.response_headers.add, (HeaderPairs{{"vary", "a"}, {"vary", "b"}}));
}

TEST(RouteRetry, TakesConditionsAndBounds) {
  const RetryConfig retry =
      route_with(
          "retry: {on: [connect_failure, 429], num_retries: 0, per_try_timeout: 1s, "
          "backoff: {base: 1ms, max: 2ms}, budget: {percent: 0.5%, min: 0}, replay_buffer: 0}")
          .retry;
  EXPECT_EQ(retry.on, RetryOnSet::of(RetryOn::kConnectFailure, RetryOn::k429));
  EXPECT_EQ(retry.num_retries, 0U);
  EXPECT_EQ(retry.per_try_timeout, seconds{1});
  EXPECT_EQ(retry.backoff.max, Millis{2});
  EXPECT_EQ(retry.budget.percent, Share{5000});
  EXPECT_EQ(retry.replay_buffer_bytes, 0U);
  EXPECT_TRUE(route_with("retry: {on: []}").retry.on.empty());
}

TEST(RouteTimeout, IsUnsetUnlessGiven) {
  EXPECT_FALSE(route_with("timeout: null").timeout);
  EXPECT_EQ(route_with("timeout: 3s").timeout, seconds{3});
}

TEST(RouteMirror, TakesAllSmallBodiesForTenSecondsUnlessToldOtherwise) {
  EXPECT_FALSE(route_with("").mirror);
  const std::string head =
      "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints: "
      "[{address: 127.0.0.1:1}]}, d: {endpoints: [{address: 127.0.0.1:2}]}}\n"
      "routes: [{name: r, target: {cluster: c}, mirror: ";
  const Config config = good(head + "{cluster: d}}]\n");
  const MirrorConfig& usual = *config.routes[0].mirror;
  EXPECT_EQ(usual.cluster, "d");
  EXPECT_EQ(usual.sample, Share::percent(100));
  EXPECT_EQ(usual.max_body_bytes, 64U * 1024);
  EXPECT_EQ(usual.timeout, seconds{10});
  EXPECT_EQ(config.mirroring.max_concurrent, 100U);
  EXPECT_EQ(config.mirroring.max_bytes, 8U * 1024 * 1024);
  const Config changed = good(head +
                              "{cluster: d, sample: 0.5%, max_body: 0, timeout: 1s}}]\n"
                              "mirroring: {max_concurrent: 3, max_bytes: 1MiB}\n");
  EXPECT_EQ(changed.routes[0].mirror->sample.ppm, 5000U);
  EXPECT_EQ(changed.routes[0].mirror->max_body_bytes, 0U);
  EXPECT_EQ(changed.mirroring.max_concurrent, 3U);
}

TEST(RouteMirror, ABodyThatTheBudgetNeverTakesIsWarnedAbout) {
  EXPECT_EQ(test::warnings("listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints: "
                           "[{address: 127.0.0.1:1}]}, d: {endpoints: [{address: 127.0.0.1:2}]}}\n"
                           "mirroring: {max_bytes: 1KiB}\n"
                           "routes: [{name: r, target: {cluster: c}, mirror: {cluster: d}}]\n"),
            std::vector<std::string>{"routes.r.mirror.max_body: more than mirroring.max_bytes, so "
                                     "such bodies are never copied"});
}

TEST(RouteTimeout, ATryThatOutlivesTheRouteIsWarnedAbout) {
  const LoadResult result = test::load(around(
      "routes: [{name: r, target: {cluster: c}, timeout: 1s, retry: {per_try_timeout: 2s}}]"));
  ASSERT_TRUE(result);
  ASSERT_EQ(result->warnings.size(), 1U);
  EXPECT_EQ(result->warnings[0].key, "routes.r.retry.per_try_timeout");
}

}  // namespace
}  // namespace weir::config
