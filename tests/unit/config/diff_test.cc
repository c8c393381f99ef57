// SPDX-License-Identifier: Apache-2.0
#include "config/diff.h"

#include <gtest/gtest.h>

#include "loading.h"

namespace weir::config {
namespace {

using test::good;

constexpr std::string_view kBase = R"yaml(
workers: 2
listeners: {edge: {address: 127.0.0.1:80}}
clusters:
  blue: {endpoints: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2}]}
  green: {endpoints: [{address: 127.0.0.1:3}]}
routes:
  - {name: a, match: {path: {prefix: /a}}, target: {cluster: blue}}
  - {name: b, match: {path: {prefix: /b}}, target: {cluster: green}}
)yaml";

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kBase);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<Change> changes(std::string_view from, std::string_view to) {
  return diff(good(kBase), good(replaced(from, to)));
}

// The one change that a replacement makes, as text without its effect.
std::string change(std::string_view from, std::string_view to) {
  const auto all = changes(from, to);
  EXPECT_EQ(all.size(), 1U) << render(all, ReportFormat::kText);
  const std::string text = render(all, ReportFormat::kText);
  return text.substr(0, text.find('\n'));
}

TEST(Diff, OfEqualConfigurationsIsEmpty) {
  EXPECT_TRUE(diff(good(kBase), good(kBase)).empty());
  EXPECT_EQ(render(diff(good(kBase), good(kBase)), ReportFormat::kText), "no change\n");
}

TEST(Diff, ADefaultThatIsWrittenOutIsNoChange) {
  EXPECT_TRUE(changes("address: 127.0.0.1:80}", "address: 127.0.0.1:80, profile: edge}").empty());
}

TEST(Diff, NamesTheKeyAndBothValues) {
  EXPECT_EQ(change("workers: 2", "workers: auto"), "~ workers: 2 -> auto");
  EXPECT_EQ(change("prefix: /a", "prefix: /x"), "~ routes.a.match.path.prefix: /a -> /x");
  EXPECT_EQ(change("cluster: green", "cluster: blue"), "~ routes.b.target.cluster: green -> blue");
  EXPECT_EQ(change("127.0.0.1:1}", "127.0.0.1:1, weight: 7}"),
            "~ clusters.blue.endpoints[127.0.0.1:1].weight: 100 -> 7");
}

TEST(Diff, AnInsertionIsOneChange) {
  EXPECT_EQ(
      change("  - {name: a,",
             "  - {name: new, match: {path: {exact: /n}}, target: {direct: {}}}\n  - {name: a,")
          .substr(0, 25),
      "+ routes.new: {name: new,");
  EXPECT_EQ(change("[{address: 127.0.0.1:1}, ", "[").substr(0, 39),
            "- clusters.blue.endpoints[127.0.0.1:1]:");
}

TEST(Diff, ANameWithDotsIsOneName) {
  const std::string extra = "  a.b.c: {endpoints: [{address: '[::1]:9'}]}\n  green:";
  const auto all = changes("  green:", extra);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].path, "clusters.a.b.c");
  EXPECT_EQ(all[0].effect, "takes requests once a route leads to it");
  const auto removed = diff(good(replaced("  green:", extra)), good(kBase));
  EXPECT_EQ(removed.at(0).kind, ChangeKind::kRemoved);
}

TEST(Diff, SaysWhatAReloadDoes) {
  const std::vector<std::tuple<std::string, std::string, std::string, bool>> cases{
      {"workers: 2", "workers: 3", "needs a restart", true},
      {"workers: 2", "workers: 2\nadmin: {metrics: off}", "needs a restart", true},
      {"address: 127.0.0.1:80}", "address: 127.0.0.1:81}", "the new address is opened", false},
      {"address: 127.0.0.1:80}", "address: 127.0.0.1:80, http1: {max_requests: 9}}",
       "the listener and its connections stay", false},
      {"{edge:", "{x: {address: 127.0.0.1:90}, edge:", "the address is opened", false},
      {"127.0.0.1:1}", "127.0.0.1:1, weight: 7}", "its connections are kept", false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], pool: {max_idle: 3}", "connections are kept", false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], state: drain", "pools are kept", false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], tls: {}", "requests in flight keep their connections",
       false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], protocol: http2", "requests in flight keep", false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], proxy_protocol: v2", "requests in flight keep", false},
      {"127.0.0.1:3}]", "127.0.0.1:3}], http2: {max_concurrent_streams: 9}",
       "requests in flight keep", false},
      {"127.0.0.1:80}", "127.0.0.1:80, http2: {max_glitches: 9}}",
       "the listener and its connections stay as they are; for connections to come", false},
      {"127.0.0.1:80}", "127.0.0.1:80, proxy_protocol: accept}",
       "the listener and its connections stay as they are; for connections to come", false},
      {"127.0.0.1:80}", "127.0.0.1:80, tls: {certificates: [{cert: a.pem, key: a.key}]}}",
       "the listener and its connections stay as they are; for connections to come", false},
      {"cluster: green}", "cluster: green}, upgrades: [websocket]", "from the next request on",
       false},
      {"prefix: /a", "prefix: /x", "from the next request on", false},
  };
  for (const auto& [from, to, effect, restart] : cases) {
    const auto all = changes(from, to);
    ASSERT_EQ(all.size(), 1U) << to << render(all, ReportFormat::kText);
    EXPECT_TRUE(all[0].effect.starts_with(effect)) << to << ": " << all[0].effect;
    EXPECT_EQ(all[0].needs_restart, restart) << to;
  }
}

TEST(Diff, CertificatesAreSwappedForHandshakesToCome) {
  const auto tls = [](std::string_view certificates, std::string_view more = "") {
    return good("listeners: {edge: {address: 127.0.0.1:80, tls: {certificates: [" +
                std::string(certificates) + "]" + std::string(more) + "}}}");
  };
  const Config before = tls("{cert: a.pem, key: a.key}");
  const auto key = diff(before, tls("{cert: a.pem, key: new.key}"));
  ASSERT_EQ(key.size(), 1U);
  EXPECT_EQ(key[0].path, "listeners.edge.tls.certificates[a.pem].key");
  EXPECT_EQ(key[0].effect, "the listener and its connections stay; for handshakes to come");
  const auto more = diff(before, tls("{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}"));
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].kind, ChangeKind::kAdded);
  EXPECT_EQ(more[0].effect, key[0].effect);
  const auto version = diff(before, tls("{cert: a.pem, key: a.key}", ", min_version: '1.3'"));
  ASSERT_EQ(version.size(), 1U);
  EXPECT_TRUE(version[0].effect.ends_with("for connections to come")) << version[0].effect;
}

TEST(Diff, EveryKeyOfTheFileHasAnEffect) {
  Config before = good(kBase);
  Config after;
  for (const Change& c : diff(before, after)) EXPECT_FALSE(c.effect.empty()) << c.path;
  for (const Change& c : diff(after, before)) EXPECT_FALSE(c.effect.empty()) << c.path;
}

TEST(Diff, CredentialsDoNotShow) {
  const std::string with = ", headers: {request: {set: {authorization: s3cret}}}}";
  const auto all = changes("{cluster: green}}", "{cluster: green}" + with);
  EXPECT_EQ(render(all, ReportFormat::kText).find("s3cret"), std::string::npos);
  EXPECT_EQ(all.size(), 1U);
}

TEST(Diff, JsonHasEveryField) {
  const std::string text = render(changes("workers: 2", "workers: 3"), ReportFormat::kJson);
  for (const char* part : {R"("kind": "changed")", R"("path": "workers")", R"("before": "2")",
                           R"("after": "3")", R"("needs_restart": true)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace weir::config
