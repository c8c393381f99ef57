// SPDX-License-Identifier: Apache-2.0
// Defaults, profiles, clusters, files and validators. Routes: routes_test.cc; mistakes:
// findings.txt.
#include "config/load.h"

#include <gtest/gtest.h>

#include "loading.h"

namespace weir::config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::around;
using test::good;
using test::sealed;

TEST(Load, LeftOutKeysHaveTheDefaultsOfTheStructs) {
  const Config config = good(around("routes: [{name: r, target: {cluster: c}}]"));
  Config expected;
  expected.listeners.resize(1);
  expected.listeners[0].name = "e";
  expected.listeners[0].address = config.listeners.at(0).address;
  expected.clusters.resize(1);
  expected.clusters[0].name = "c";
  expected.clusters[0].endpoints.resize(1);
  expected.clusters[0].endpoints[0].address = config.clusters.at(0).endpoints.at(0).address;
  expected.routes.resize(1);
  expected.routes[0].name = "r";
  expected.routes[0].target = ClusterTarget{"c"};
  EXPECT_EQ(test::yaml_of(config), test::yaml_of(expected));
}

TEST(Load, ObjectsKnowWhereTheyStand) {
  const Config config = good(
      "listeners:\n"
      "  e: {address: 127.0.0.1:80}\n"
      "clusters:\n"
      "  c:\n"
      "    endpoints:\n"
      "      - address: 127.0.0.1:1\n"
      "routes:\n"
      "  - name: r\n"
      "    match: {path: {prefix: /a}}\n"
      "    target: {cluster: c}\n");
  EXPECT_EQ(config.listeners.at(0).location.line, 2U);
  EXPECT_EQ(config.listeners.at(0).location.column, 3U);
  EXPECT_EQ(config.clusters.at(0).endpoints.at(0).location.line, 6U);
  EXPECT_EQ(config.routes.at(0).location.line, 8U);
  EXPECT_EQ(config.routes.at(0).match.path.location.line, 9U);
  EXPECT_EQ(config.routes.at(0).match.path.location.column, 28U);
  EXPECT_EQ(config.routes.at(0).target_location.column, 23U);
  EXPECT_EQ(config.files, std::vector<std::string>{"test.yaml"});
}

TEST(Load, TheProfileChoosesTheDefaultsWhereverItStands) {
  const Config config = good(
      "listeners:\n"
      "  e: {address: 127.0.0.1:80}\n"
      "  s: {http1: {min_send_rate: 1KiB/s}, address: 127.0.0.1:81, profile: sidecar}\n");
  const Http1Config& edge = config.listeners.at(0).http1;
  const Http1Config& sidecar = config.listeners.at(1).http1;
  EXPECT_EQ(edge.min_receive_rate, ByteRate{240});
  EXPECT_EQ(edge.keepalive_timeout, seconds{60});
  EXPECT_EQ(sidecar.min_receive_rate, ByteRate{0});
  EXPECT_EQ(sidecar.keepalive_timeout, minutes{5});
  EXPECT_EQ(sidecar.min_send_rate, ByteRate{1024}) << "written out, so not the profile's";
  EXPECT_EQ(config.listeners.at(1).profile, Profile::kSidecar);
}

TEST(Load, AutoAndOffAreAbsentValues) {
  const Config config = good(
      "admin: {address: off, metrics: off}\n"
      "workers: auto\n"
      "listeners: {e: {address: 127.0.0.1:0, limits: {max_connections: auto}}}\n");
  EXPECT_FALSE(config.admin.address);
  EXPECT_FALSE(config.admin.metrics);
  EXPECT_EQ(config.workers, 0U);
  EXPECT_FALSE(config.listeners.at(0).limits.max_connections);
}

TEST(Load, SeveralListenersMayAskForAnyFreePort) {
  good("listeners: {a: {address: 127.0.0.1:0}, b: {address: 127.0.0.1:0}}\n");
}

TEST(Load, TheAccessLogGoesToStdoutAFileOrNowhere) {
  using Sink = AccessLogConfig::Sink;
  EXPECT_EQ(good(around("access_log: {path: off}")).access_log.sink, Sink::kOff);
  // A key that is left out keeps its default though others of its section are given.
  EXPECT_EQ(good(around("access_log: {path: off}")).access_log.sample, Share::percent(100));
  const auto log = good(around("access_log: {path: /var/log/weir.log, format: '%{method} %{path}', "
                               "sample: 0.5%}"))
                       .access_log;
  EXPECT_EQ(log.sink, Sink::kFile);
  EXPECT_EQ(log.path, "/var/log/weir.log");
  EXPECT_EQ(log.format, AccessLogConfig::Format::kTemplate);
  EXPECT_EQ(log.format_template, "%{method} %{path}");
  EXPECT_EQ(log.sample, Share{5000});
}

TEST(Load, AClusterTakesEveryKey) {
  const Config config = good(
      "listeners: {e: {address: 127.0.0.1:80}}\n"
      "clusters:\n"
      "  c:\n"
      "    dns: {name: Orders.SVC, port: 80, refresh: 10s}\n"
      "    load_balancing: {policy: maglev, hash_on: header:X-User}\n"
      "    pool: {max_idle: 0, idle_timeout: 5s, max_requests: 100}\n"
      "    resource_limits: {max_connections: 10, max_requests: 20, max_pending: 0}\n"
      "    tcp_user_timeout: 0s\n"
      "    state: drain\n");
  const ClusterConfig& c = config.clusters.at(0);
  ASSERT_TRUE(c.dns);
  EXPECT_EQ(c.dns->name, "orders.svc");
  EXPECT_EQ(c.dns->refresh, seconds{10});
  EXPECT_EQ(c.load_balancing.policy, BalancePolicy::kMaglev);
  EXPECT_EQ(c.load_balancing.hash_on, (HashOn{HashOn::Kind::kHeader, "x-user"}));
  EXPECT_EQ(c.pool.max_idle, 0U);
  EXPECT_EQ(c.resource_limits.max_connections, 10U);
  EXPECT_EQ(c.resource_limits.max_pending, 0U);
  EXPECT_EQ(c.tcp_user_timeout, Millis{0});
  EXPECT_EQ(c.state, OperatorState::kDrain);
}

TEST(EndpointsFile, IsReadBesideTheMainFile) {
  const LoadOptions options = sealed(
      {}, {{"conf/e.yaml", "- {address: 127.0.0.1:1, weight: 5}\n- {address: '[::1]:2'}\n"}});
  const LoadResult result = load_text(
      "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints_file: e.yaml}}\n",
      "conf/weir.yaml", options);
  ASSERT_TRUE(result) << check_report(result, "conf/weir.yaml", ReportFormat::kText);
  const ClusterConfig& c = result->config.clusters.at(0);
  ASSERT_EQ(c.endpoints.size(), 2U);
  EXPECT_EQ(c.endpoints[0].weight, 5U);
  EXPECT_EQ(result->config.files, (std::vector<std::string>{"conf/weir.yaml", "e.yaml"}));
  EXPECT_EQ(c.endpoints[1].location.file, 1U);
  EXPECT_EQ(c.endpoints[1].location.line, 2U);
}

TEST(EndpointsFile, MistakesAreReportedInThatFile) {
  const auto findings = test::bad(
      "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints_file: e.yaml}}\n",
      sealed({}, {{"e.yaml", "- {address: 127.0.0.1:1}\n- {adress: 127.0.0.1:2}\n"}}));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].file, "e.yaml");
  EXPECT_EQ(findings[0].line, 2U);
  EXPECT_EQ(findings[1].key, "clusters.c.endpoints_file[1].adress");
  EXPECT_EQ(findings[1].hint, "did you mean `address`?");
}

TEST(EndpointsFile, AnEmptyOneIsAnError) {
  for (const char* content : {"", "[]", "a: 1"}) {
    const auto findings = test::bad(
        "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints_file: e.yaml}}\n",
        sealed({}, {{"e.yaml", content}}));
    EXPECT_EQ(findings.size(), 1U) << content;
  }
}

TEST(Validators, AppendToTheSameFindings) {
  const std::vector<Validator> validators{[](const Config& config, Diagnostics& diagnostics) {
    for (const RouteConfig& route : config.routes) {
      if (route.match.path.kind != PathMatch::Kind::kRegex) continue;
      diagnostics.error(route.match.path.location, "routes." + route.name + ".match.path.regex",
                        {"missing )", "close it"});
    }
  }};
  LoadOptions options = sealed();
  options.validators = validators;
  const auto findings = test::bad(
      around("workers: x\nroutes: [{name: r, target: {cluster: c}, match: {path: {regex: '/('}}}]"),
      options);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[1].line, 4U);
  EXPECT_EQ(findings[1].column, 64U);
  EXPECT_EQ(findings[1].message, "missing )");
  EXPECT_EQ(findings[1].source_line.substr(63, 4), "'/('");
}

TEST(Validators, MayRefuseWhatLoadedWell) {
  const std::vector<Validator> validators{[](const Config&, Diagnostics& diagnostics) {
    diagnostics.error({}, "routes", {"no", ""});
  }};
  LoadOptions options = sealed();
  options.validators = validators;
  EXPECT_FALSE(test::load(around(""), options));
}

}  // namespace
}  // namespace weir::config
