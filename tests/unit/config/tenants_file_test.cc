// SPDX-License-Identifier: Apache-2.0
// Files beside the configuration: tenants_file and overrides_file.
#include <gtest/gtest.h>

#include <string>

#include "config/diff.h"
#include "loading.h"

namespace weir::config {
namespace {

using test::around;
using test::bad;
using test::good;
using test::sealed;

const std::string kRoute = "routes: [{name: r, target: {cluster: c}}]\n";
const std::string kTenants = around(kRoute + "tenants_file: t.yaml\n");
const std::string kOverrides = around(
    kRoute +
    "limits: [{name: a, key: [client_ip], requests: {rate: 1/s}, overrides_file: o.yaml}]\n");

LoadOptions with(const std::string& name, const std::string& text) {
  return sealed({}, {{name, text}});
}

TEST(TenantsFile, HasTheKeysOfTenants) {
  const Config config = good(kTenants, with("t.yaml",
                                            "classes: {gold: {weight: 4}}\n"
                                            "members: {acme: gold}\n"
                                            "open: true\n"));
  ASSERT_EQ(config.tenants.members.size(), 1U);
  EXPECT_EQ(config.tenants.members[0].tenant, "acme");
  EXPECT_EQ(config.tenants.classes.at(0).weight, 4U);
  EXPECT_TRUE(config.tenants.open);
}

TEST(TenantsFile, IsWhatADumpNames) {
  const Config config = good(kTenants, with("t.yaml", "classes: {g: {}}\nmembers: {acme: g}\n"));
  const std::string yaml = test::yaml_of(config);
  EXPECT_NE(yaml.find("tenants_file: t.yaml"), std::string::npos) << yaml;
  EXPECT_EQ(yaml.find("acme"), std::string::npos) << yaml;
}

TEST(TenantsFile, IsNamedByItsFindings) {
  const auto findings =
      bad(kTenants, with("t.yaml", "classes: {gold: {}}\nmembers:\n  a: golden\n"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(render(findings, ReportFormat::kText),
            "t.yaml:3:6: error: tenants_file.members.a: there is no class `golden`\n"
            "    3 |   a: golden\n"
            "      |      ^\n"
            "      = hint: did you mean `gold`?\n");
}

TEST(TenantsFile, ChangesAreThoseOfTenants) {
  const Config before = good(kTenants, with("t.yaml", "classes: {g: {}}\nmembers: {a: g}\n"));
  const Config after = good(kTenants, with("t.yaml", "classes: {g: {}}\nmembers: {a: g, b: g}\n"));
  const auto changes = diff(before, after);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].path, "tenants.members.b");
  EXPECT_FALSE(changes[0].needs_restart);
}

TEST(TenantsFile, OfAHundredThousandMembersLoads) {
  std::string text = "classes: {gold: {}, free: {}}\nmembers:\n";
  for (int i = 0; i < 100'000; ++i) {
    text += "  tenant-" + std::to_string(i) + ": " + (i % 10 == 0 ? "gold\n" : "free\n");
  }
  EXPECT_EQ(good(kTenants, with("t.yaml", text)).tenants.members.size(), 100'000U);
}

TEST(OverridesFile, NamesTheLineOfWhatCanNeverMatch) {
  const auto findings = bad(kOverrides, with("o.yaml",
                                             "10.0.0.1: {requests: {rate: 2/s}}\n"
                                             "10.0.0: {requests: {rate: 2/s}}\n"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(render(findings, ReportFormat::kText),
            "o.yaml:2:1: error: limits.a.overrides_file: `10.0.0` can never match: `10.0.0` is no "
            "address\n"
            "    2 | 10.0.0: {requests: {rate: 2/s}}\n"
            "      | ^\n"
            "      = hint: write an address, such as 10.0.0.1 or 2001:db8::1\n");
}

TEST(Identity, HeadersOfNobodyTrustedAreAWarningWithTheConsequence) {
  const std::string rules =
      "identity: {tenant: [{header: x-tenant}], class: [{header: x-class}]}\n";
  const std::string words = ": no peer is trusted, so this header is never believed over TCP";
  EXPECT_EQ(test::warnings(around(kRoute + rules)),
            (std::vector<std::string>{"identity.tenant" + words, "identity.class" + words}));
  EXPECT_TRUE(test::warnings(around(kRoute + rules + "trusted_proxies: [10.0.0.0/8]\n")).empty());
}

TEST(MaxKeys, NeedsARestartAndTheDiffSaysSo) {
  const auto with_keys = [](const std::string& n) {
    return good(
        around(kRoute + "limits: [{name: a, requests: {rate: 1/s}, max_keys: " + n + "}]\n"));
  };
  const auto changes = diff(with_keys("10"), with_keys("20"));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(changes[0].needs_restart);
  EXPECT_EQ(changes[0].effect, "needs a restart: a table of buckets does not change its size");
}

}  // namespace
}  // namespace weir::config
