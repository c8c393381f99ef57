// SPDX-License-Identifier: Apache-2.0
#include "config/dump.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "loading.h"

namespace weir::config {
namespace {

using test::around;
using test::good;

TEST(Dump, YamlLoadsAgainToTheSame) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(WEIR_CONF_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    const LoadResult first = load_file(entry.path().string(), test::sealed());
    ASSERT_TRUE(first);
    const std::string text = test::yaml_of(first->config);
    EXPECT_EQ(test::yaml_of(good(text)), text) << entry.path();
  }
}

TEST(Dump, TextsThatLookLikeSomethingElseSurvive) {
  for (const std::string value :
       {"",      "null", "~",  "true", "no",    "12", "1.5",      "0x1f", "- a", "a: b", "a:",
        "#x",    "a #b", "*x", "&x",   "!x",    "%x", "@x",       "`x`",  "'",   "\"",   "\\",
        "a\\nb", "{",    "[",  "${X}", "$${X}", "$",  "\xc3\xa9", "a, b", "? a", "| a",  "> a"}) {
    Config config = good(around("routes: [{name: r, target: {cluster: c}}]"));
    config.clusters[0].endpoints[0].zone = value;
    EXPECT_EQ(good(test::yaml_of(config)).clusters.at(0).endpoints.at(0).zone, value);
  }
}

TEST(Dump, HasEveryDefaultFilledIn) {
  const std::string text = test::yaml_of(good(around("")));
  EXPECT_NE(text.find("    http1:\n      keepalive_timeout: 60s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("    connect_timeout: 1s\n"), std::string::npos) << text;
}

TEST(Dump, JsonKeepsNumbersBooleansAndNull) {
  const std::string text =
      dump(good(around("routes: [{name: r, target: {cluster: c}, match: {hosts: ['a.b']}}]")),
           DumpFormat::kJson);
  for (const char* part :
       {"\"max_headers\": 100", "\"buffer_request\": false", "\"timeout\": null",
        "\"drain\": \"30s\"", "\"trusted_proxies\": []", "\"query\": {}", "\"a.b\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(Dump, CredentialsInHeadersAreHiddenUnlessAskedFor) {
  const Config config = good(
      around("routes: [{name: r, target: {cluster: c}, headers: {request: {set: {Authorization: "
             "Bearer s3cret, x-api-key: s3cret, Cookie: s3cret, x-plain: shown}}}}]"));
  const std::string redacted = dump(config, DumpFormat::kJson);
  EXPECT_EQ(redacted.find("s3cret"), std::string::npos);
  EXPECT_NE(redacted.find("[hidden]"), std::string::npos);
  EXPECT_NE(redacted.find("shown"), std::string::npos);
  EXPECT_NE(dump(config, DumpFormat::kJson, Secrets::kShow).find("s3cret"), std::string::npos);
}

TEST(Dump, AnEndpointsFileIsNamedNotCopied) {
  const std::string yaml =
      "listeners: {e: {address: 127.0.0.1:80}}\nclusters: {c: {endpoints_file: e.yaml}}\n";
  const LoadOptions options = test::sealed({}, {{"e.yaml", "- {address: 127.0.0.1:1}\n"}});
  const std::string text = test::yaml_of(good(yaml, options));
  EXPECT_NE(text.find("endpoints_file: e.yaml"), std::string::npos);
  EXPECT_EQ(text.find("endpoints:"), std::string::npos);
  EXPECT_EQ(test::yaml_of(good(text, options)), text);
}

}  // namespace
}  // namespace weir::config
