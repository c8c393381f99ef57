// SPDX-License-Identifier: Apache-2.0
// TLS, HTTP/2, PROXY protocol, upgrades and gRPC: what the keys become, and what is only warned
// about.
#include <gtest/gtest.h>

#include "config/file.h"
#include "loading.h"

namespace weir::config {
namespace {

using std::chrono::seconds;
using test::good;
using test::route_with;
using test::warnings;

// A listener and a cluster with further keys.
std::string with(std::string_view listener, std::string_view cluster = "") {
  return "listeners: {e: {address: 127.0.0.1:80, " + std::string(listener) +
         "}}\nclusters: {c: {endpoints: [{address: 127.0.0.1:1}], " + std::string(cluster) +
         "}}\nroutes: [{name: r, target: {cluster: c}}]\n";
}

std::string with_tls(std::string_view keys) {
  return with("tls: {certificates: [{cert: a.pem, key: a.key}], " + std::string(keys) + "}");
}

TEST(ListenerTls, IsPlainUnlessGiven) {
  const Config config = good(with(""));
  EXPECT_FALSE(config.listeners.at(0).tls);
  EXPECT_FALSE(config.clusters.at(0).tls);
}

TEST(ListenerTls, TakesEveryKey) {
  const Config config =
      good(with("tls: {certificates: [{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}], "
                "min_version: 1.3, alpn: [http/1.1], client_ca: ca.pem, client_auth: optional, "
                "forward_client_cert: false, handshake_timeout: 3s, "
                "session_tickets: {key_files: [t1, t2]}}"));
  const ListenerTlsConfig tls = config.listeners.at(0).tls.value_or(ListenerTlsConfig());
  ASSERT_EQ(tls.certificates.size(), 2U);
  EXPECT_EQ(tls.certificates[1].cert, "b.pem");
  EXPECT_EQ(tls.certificates[1].key, "b.key");
  EXPECT_EQ(tls.certificates[1].location.line, 1U);
  EXPECT_EQ(tls.certificates[1].location.column, 88U);
  EXPECT_EQ(tls.min_version, TlsVersion::kTls13);
  EXPECT_EQ(tls.alpn, std::vector<Alpn>{Alpn::kHttp11});
  EXPECT_EQ(tls.client_ca, "ca.pem");
  EXPECT_EQ(tls.client_auth, ClientAuth::kOptional);
  EXPECT_FALSE(tls.forward_client_cert);
  EXPECT_EQ(tls.handshake_timeout, seconds{3});
  EXPECT_TRUE(tls.session_tickets.enabled);
  EXPECT_EQ(tls.session_tickets.key_files, (std::vector<std::string>{"t1", "t2"}));
}

TEST(ListenerTls, ClientCaMayBeNull) {
  EXPECT_EQ(good(with_tls("client_ca: null")).listeners.at(0).tls->client_ca, "");
}

TEST(ListenerTls, StandsOnAUnixSocketAsWell) {
  const Config config = good(
      "listeners: {e: {address: unix:/run/e.sock, proxy_protocol: require, "
      "tls: {certificates: [{cert: a.pem, key: a.key}]}}}");
  EXPECT_TRUE(config.listeners.at(0).tls);
}

TEST(ListenerTls, WhatIsGivenAndNotUsedIsWarnedAbout) {
  EXPECT_TRUE(warnings(with_tls("client_ca: ca.pem, client_auth: required")).empty());
  EXPECT_EQ(warnings(with_tls("client_ca: ca.pem")),
            std::vector<std::string>{"listeners.e.tls.client_ca: not used, because no client is "
                                     "asked for a certificate"});
  EXPECT_EQ(warnings(with_tls("session_tickets: {enabled: false, key_files: [t1]}")),
            std::vector<std::string>{"listeners.e.tls.session_tickets.key_files: not used, because "
                                     "there are no tickets"});
}

TEST(ListenerHttp2, TheProfileChoosesTheDefaults) {
  const Config config = good(
      "listeners:\n"
      "  e: {address: 127.0.0.1:80}\n"
      "  s: {http2: {max_glitches: 0}, address: 127.0.0.1:81, profile: sidecar}\n"
      "  t: {http2: {max_concurrent_streams: 7}, address: 127.0.0.1:82, profile: sidecar}\n");
  const Http2Config& edge = config.listeners.at(0).http2;
  EXPECT_EQ(edge.max_concurrent_streams, 100U);
  EXPECT_EQ(edge.initial_stream_window, 64U * 1024);
  EXPECT_EQ(edge.max_glitches, 1000U);
  const Http2Config& sidecar = config.listeners.at(1).http2;
  EXPECT_EQ(sidecar.max_concurrent_streams, 1024U);
  EXPECT_EQ(sidecar.initial_stream_window, 1024U * 1024);
  EXPECT_EQ(sidecar.max_glitches, 0U);
  EXPECT_EQ(config.listeners.at(2).http2.max_concurrent_streams, 7U) << "written out";
}

TEST(ListenerHttp2, WindowsGoFromTheFirstOneToTheLargest) {
  const Config config =
      good(with("http2: {initial_stream_window: 65535, initial_connection_window: 2147483647}"));
  EXPECT_EQ(config.listeners.at(0).http2.initial_stream_window, 65535U);
  EXPECT_EQ(config.listeners.at(0).http2.initial_connection_window, 2147483647U);
}

TEST(ListenerProxyProtocol, NeedsSomebodyToTrust) {
  const std::string trusted = "trusted_proxies: [10.0.0.0/8]\n";
  EXPECT_TRUE(warnings(trusted + with("proxy_protocol: require")).empty());
  EXPECT_TRUE(warnings(trusted + with("proxy_protocol: accept")).empty());
  EXPECT_EQ(warnings(with("proxy_protocol: accept")),
            std::vector<std::string>{"listeners.e.proxy_protocol: no peer is trusted, so no PROXY "
                                     "header is believed"});
  const auto findings = test::bad(with("proxy_protocol: require"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].column, 56U) << "where the word stands";
}

TEST(ClusterTls, TakesEveryKey) {
  const Config config =
      good(with("",
                "protocol: auto, http2: {max_concurrent_streams: 9, initial_stream_window: 1MiB, "
                "initial_connection_window: 2MiB}, tls: {ca: ca.pem, sni: Orders.Example, "
                "client_cert: {cert: w.pem, key: w.key}}"));
  const ClusterConfig& c = config.clusters.at(0);
  EXPECT_EQ(c.protocol, UpstreamProtocol::kAuto);
  EXPECT_EQ(c.http2.max_concurrent_streams, 9U);
  EXPECT_EQ(c.http2.initial_connection_window, 2U * 1024 * 1024);
  ASSERT_TRUE(c.tls && c.tls->client_cert);
  EXPECT_EQ(c.tls->ca, "ca.pem");
  EXPECT_EQ(c.tls->sni, "orders.example");
  EXPECT_TRUE(c.tls->verify);
  EXPECT_EQ(c.tls->client_cert->key, "w.key");
  EXPECT_EQ(c.tls->client_cert->location.line, 2U);
}

TEST(ClusterTls, AnEmptyMapVerifiesAgainstTheSystem) {
  const ClusterConfig c = good(with("", "tls: {}")).clusters.at(0);
  ASSERT_TRUE(c.tls);
  EXPECT_EQ(c.tls->ca, "");
  EXPECT_EQ(c.tls->sni, "");
  EXPECT_TRUE(c.tls->verify);
  EXPECT_FALSE(c.tls->client_cert);
}

TEST(ClusterTls, SystemAndAutoAreTheDefaultsSpeltOut) {
  EXPECT_EQ(test::yaml_of(good(with("", "tls: {ca: system, sni: auto}"))),
            test::yaml_of(good(with("", "tls: {}"))));
}

TEST(ClusterTls, GoingWithoutVerificationIsWarnedAbout) {
  EXPECT_EQ(warnings(with("", "tls: {verify: false}")),
            std::vector<std::string>{"clusters.c.tls.verify: any server is believed, so whoever is "
                                     "on the way can read and change all"});
}

TEST(ClusterTls, AUnixSocketNeedsANameOrNoVerification) {
  const auto cluster = [](std::string_view tls) {
    return "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints: [{address: "
           "unix:/run/a.sock}], tls: {" +
           std::string(tls) + "}}}\n";
  };
  EXPECT_TRUE(test::load(cluster("sni: a.example")));
  EXPECT_TRUE(test::load(cluster("verify: false")));
  EXPECT_EQ(test::bad(cluster("")).size(), 1U);
  EXPECT_EQ(test::bad(cluster("sni: auto")).size(), 1U);
  EXPECT_EQ(test::bad(cluster("sni: '1.2.3.4'")).size(), 1U) << "one mistake is one finding";
}

TEST(ClusterProxyProtocol, GoesWithHttp1) {
  const Config config = good(with("", "proxy_protocol: v2, tls: {}"));
  EXPECT_EQ(config.clusters.at(0).proxy_protocol, SendProxy::kV2);
}

TEST(RouteUpgrades, AreProtocolsInLowerCase) {
  const RouteConfig route = route_with("upgrades: [WebSocket, connect], upgrade_idle_timeout: 5m");
  EXPECT_EQ(route.upgrades, (std::vector<std::string>{"websocket", "connect"}));
  EXPECT_EQ(route.upgrade_idle_timeout, std::chrono::minutes{5});
  EXPECT_TRUE(route_with("upgrades: []").upgrades.empty());
}

TEST(RouteUpgrades, AllowTheMethodConnect) {
  const RouteConfig route = route_with("match: {methods: [CONNECT]}, upgrades: [connect]");
  EXPECT_EQ(route.match.methods, std::vector<std::string>{"CONNECT"});
}

TEST(RouteUpgrades, ATimeoutThatEndsThemIsWarnedAbout) {
  EXPECT_EQ(warnings(test::around(
                "routes: [{name: r, target: {cluster: c}, upgrades: [websocket], timeout: 3s}]")),
            std::vector<std::string>{"routes.r.timeout: it ends upgraded connections as well, "
                                     "however busy they are"});
}

TEST(RouteGrpc, HasWebAndALongestTimeout) {
  EXPECT_FALSE(route_with("grpc: {}").grpc.web);
  EXPECT_FALSE(route_with("grpc: {max_timeout: null}").grpc.max_timeout);
  const GrpcConfig grpc = route_with("grpc: {web: true, max_timeout: 30s}").grpc;
  EXPECT_TRUE(grpc.web);
  EXPECT_EQ(grpc.max_timeout, seconds{30});
}

TEST(RouteRetry, TakesTheConditionsOfHttp2AndGrpc) {
  EXPECT_EQ(route_with("retry: {on: [refused_stream, grpc_unavailable]}").retry.on,
            RetryOnSet::of(RetryOn::kRefusedStream, RetryOn::kGrpcUnavailable));
  EXPECT_TRUE(route_with("retry: {}").retry.on.contains(RetryOn::kRefusedStream));
  EXPECT_FALSE(route_with("retry: {}").retry.on.contains(RetryOn::kGrpcUnavailable));
}

TEST(Paths, StartAtTheFolderOfTheFileThatNamesThem) {
  EXPECT_EQ(beside("conf/weir.yaml", "certs/a.pem"), "conf/certs/a.pem");
  EXPECT_EQ(beside("conf/weir.yaml", "/etc/a.pem"), "/etc/a.pem");
  EXPECT_EQ(beside("weir.yaml", "a.pem"), "a.pem");
}

}  // namespace
}  // namespace weir::config
