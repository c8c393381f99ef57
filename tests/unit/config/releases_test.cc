// SPDX-License-Identifier: Apache-2.0
// Releases as the file has them: names of rules, files of tenants, changes.
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

std::string with_rules(const std::string& rules) {
  return around(
      "identity: {tenant: [{value: a}]}\n"
      "releases: {orders: {default: c, rules: [" +
      rules +
      "]}}\n"
      "routes: [{name: r, target: {release: orders}}]\n");
}

const std::string kFromFile = with_rules("{tenants_file: t.yaml, to: c}");

std::string changes(const std::string& before, const std::string& after) {
  return render(diff(good(with_rules(before)), good(with_rules(after))), ReportFormat::kText);
}

TEST(ReleaseRules, AreNamedByTheirKindUnlessTheyHaveAName) {
  const Config config =
      good(with_rules("{tenants: [a], to: c}, {name: tenants-2, tenants: [b], to: c},"
                      "{tenants: [d], to: c}, {weight: 5%, to: c}, {weight: 5%, to: c},"
                      "{match: {headers: {x: '1'}}, to: c}"));
  std::string labels;
  for (const ReleaseRule& rule : config.releases[0].rules) labels += rule.label + " ";
  EXPECT_EQ(labels, "tenants tenants-2 tenants-3 weight weight-2 match ");
}

TEST(ReleaseRules, StickToTheTenantUnlessTheySayOtherwise) {
  using Kind = ReleaseSticky::Kind;
  const auto sticky = [](const std::string& more) {
    return good(with_rules("{weight: 5%" + more + ", to: c}")).releases[0].rules[0].sticky;
  };
  EXPECT_EQ(sticky("").kind, Kind::kTenant);
  EXPECT_EQ(sticky(", sticky: client_ip").kind, Kind::kClientIp);
  EXPECT_EQ(sticky(", sticky: none").kind, Kind::kNone);
  EXPECT_EQ(sticky(", sticky: 'header:X-User'"), (ReleaseSticky{Kind::kHeader, "x-user"}));
}

TEST(ReleaseTenantsFile, IsAListOfTenants) {
  const Config config = good(kFromFile, sealed({}, {{"t.yaml", "- acme\n- initech\n"}}));
  EXPECT_EQ(config.releases[0].rules[0].tenants, (std::vector<std::string>{"acme", "initech"}));
}

TEST(ReleaseTenantsFile, MayBeEmpty) {
  const Config config = good(kFromFile, sealed({}, {{"t.yaml", "[]\n"}}));
  EXPECT_TRUE(config.releases[0].rules[0].tenants.empty());
}

TEST(ReleaseTenantsFile, IsWhatADumpNames) {
  const Config config = good(kFromFile, sealed({}, {{"t.yaml", "- acme\n"}}));
  const std::string yaml = test::yaml_of(config);
  EXPECT_NE(yaml.find("tenants_file: t.yaml"), std::string::npos) << yaml;
  EXPECT_EQ(yaml.find("acme"), std::string::npos) << yaml;
}

TEST(ReleaseTenantsFile, IsNamedByItsFindings) {
  const auto findings = bad(kFromFile, sealed({}, {{"t.yaml", "- acme\n- b\n- acme\n"}}));
  EXPECT_EQ(render(findings, ReportFormat::kText),
            "t.yaml:3:3: error: releases.orders.rules[0].tenants_file[2]: `acme` is there twice\n"
            "    3 | - acme\n"
            "      |   ^\n"
            "      = hint: keep one of them\n");
}

TEST(ReleaseTenantsFile, HoldsAHundredThousand) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "- tenant-" + std::to_string(i) + "\n";
  const Config config = good(kFromFile, sealed({}, {{"t.yaml", text}}));
  EXPECT_EQ(config.releases[0].rules[0].tenants.size(), 100'000U);
}

TEST(ReleaseDiff, SaysWhomAChangeMoves) {
  EXPECT_EQ(changes("{weight: 5%, to: c}", "{weight: 10%, to: c}"),
            "~ releases.orders.rules.weight.weight: 5% -> 10%\n"
            "    from the next request on; raised, it keeps all whom it had\n");
  EXPECT_EQ(changes("{tenants: [a, b], to: c}", "{tenants: [b, d], to: c}"),
            "+ releases.orders.rules.tenants.tenants.d: d\n"
            "    he moves with his next request\n"
            "- releases.orders.rules.tenants.tenants.a: a\n"
            "    he moves with his next request\n");
}

TEST(ReleaseDiff, TheOrderOfRulesIsAChange) {
  EXPECT_EQ(changes("{tenants: [a], to: c}, {weight: 5%, to: c}",
                    "{weight: 5%, to: c}, {tenants: [a], to: c}"),
            "~ releases.orders.rules: [tenants, weight] -> [weight, tenants]\n"
            "    from the next request on; requests in flight finish where they are\n");
}

}  // namespace
}  // namespace weir::config
