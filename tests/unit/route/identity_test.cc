// SPDX-License-Identifier: Apache-2.0
#include "route/identity.h"

#include <gtest/gtest.h>

#include <string>

#include "route_fixture.h"

namespace weir::route {
namespace {

using Kind = IdentityRule::Kind;

IdentityRules compile(const IdentityConfig& config) {
  config::Diagnostics diagnostics;
  auto rules = IdentityRules::compile(config, diagnostics);
  EXPECT_TRUE(rules);
  return std::move(*rules);
}

IdentityRules tenant_by(std::vector<IdentityRule> rules) {
  IdentityConfig config;
  config.tenant = std::move(rules);
  return compile(config);
}

class IdentityTest : public testing::Test {
 protected:
  TestRequest request_{"GET", "acme.example.com", "/functions/resize/run"};
};

TEST_F(IdentityTest, AHeaderCountsFromATrustedPeerOnly) {
  const auto rules = tenant_by({{Kind::kHeader, "x-tenant-id"}, {Kind::kValue, "anonymous"}});
  request_.header("X-Tenant-ID", "acme");
  EXPECT_EQ(rules.identify({request_.head(), true})->tenant, "acme");
  EXPECT_EQ(rules.identify({request_.head(), false})->tenant, "anonymous");
}

TEST_F(IdentityTest, AHeaderThatWeirKnowsIsFoundAsWell) {
  const auto rules = tenant_by({{Kind::kHeader, "x-request-id"}});
  request_.header("X-Request-Id", "r1");
  EXPECT_EQ(rules.identify({request_.head(), true})->tenant, "r1");
}

TEST_F(IdentityTest, TheFirstRuleThatYieldsAValueWins) {
  const auto rules = tenant_by(
      {{Kind::kHeader, "x-tenant-id"}, {Kind::kHostRegex, R"(^([a-z]+)\.example\.com$)"}});
  EXPECT_EQ(rules.identify({request_.head(), true})->tenant, "acme");
  request_.header("x-tenant-id", "other");
  EXPECT_EQ(rules.identify({request_.head(), true})->tenant, "other");
  TestRequest empty("GET", "acme.example.com", "/");
  empty.header("x-tenant-id", "");
  EXPECT_EQ(rules.identify({empty.head(), true})->tenant, "acme");
}

TEST_F(IdentityTest, CapturesOfHostAndPath) {
  struct Case {
    Kind kind;
    const char* regex;
    const char* expected;
  };
  const Case cases[] = {
      {Kind::kHostRegex, R"(^([a-z0-9-]+)\.example\.com$)", "acme"},
      {Kind::kHostRegex, R"(^([a-z]+)\.other\.com$|^([a-z]+)\.example\.com$)", "acme"},
      {Kind::kHostRegex, "^[a-z]+", "acme"},
      {Kind::kPathRegex, "^/functions/([^/]+)", "resize"},
      {Kind::kPathRegex, "^/functions/([^/]+)/stop$", ""},
      {Kind::kPathRegex, "^/functions(/none)?", ""},
  };
  for (const Case& each : cases) {
    const auto rules = tenant_by({{each.kind, each.regex}});
    EXPECT_EQ(rules.identify({request_.head()})->tenant, each.expected) << each.regex;
  }
}

TEST_F(IdentityTest, RouteCertificateAndLiteral) {
  IdentityConfig config;
  config.tenant = {{Kind::kClientSubject, ""}};
  config.function = {{Kind::kRoute, ""}};
  config.class_name = {{Kind::kClientSan, ""}};
  config.priority = {{Kind::kValue, "2"}};
  const auto rules = compile(config);
  const auto identity =
      rules.identify({request_.head(), false, "functions", "CN=acme", "acme.internal"});
  EXPECT_EQ(identity->tenant, "CN=acme");
  EXPECT_EQ(identity->function, "functions");
  EXPECT_EQ(identity->class_name, "acme.internal");
  EXPECT_EQ(identity->priority, 2);
}

TEST_F(IdentityTest, NoCertificateNoSubject) {
  const auto rules = tenant_by({{Kind::kClientSubject, ""}, {Kind::kValue, "anonymous"}});
  EXPECT_EQ(rules.identify({request_.head()})->tenant, "anonymous");
}

TEST_F(IdentityTest, WithoutRulesNothingIsKnown) {
  const auto identity = compile({}).identify({request_.head(), true});
  EXPECT_EQ(identity->tenant, "");
  EXPECT_EQ(identity->function, "");
  EXPECT_FALSE(identity->priority);
}

TEST_F(IdentityTest, APriorityIsZeroToFive) {
  IdentityConfig config;
  config.priority = {{Kind::kHeader, "x-priority"}};
  const auto rules = compile(config);
  for (const auto& [text, expected] :
       {std::pair{"0", 0}, {"5", 5}, {"6", -1}, {"-1", -1}, {"05", -1}, {"high", -1}}) {
    TestRequest request("GET", "a", "/");
    request.header("x-priority", text);
    const auto identity = rules.identify({request.head(), true});
    EXPECT_EQ(identity->priority ? *identity->priority : -1, expected) << text;
  }
}

TEST_F(IdentityTest, TooLongIsRefusedAndNotSkipped) {
  const auto rules = tenant_by({{Kind::kHeader, "x-tenant-id"}, {Kind::kValue, "anonymous"}});
  TestRequest longest("GET", "a", "/");
  longest.header("x-tenant-id", std::string(256, 'a'));
  EXPECT_TRUE(rules.identify({longest.head(), true}));
  request_.header("x-tenant-id", std::string(257, 'a'));
  const auto refused = rules.identify({request_.head(), true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(error_info(refused.error().code).status, 400);
  EXPECT_TRUE(rules.identify({request_.head(), false}));
}

TEST_F(IdentityTest, TheFaultIsWhereTheValueCameFrom) {
  TestRequest request("GET", std::string(300, 'a'), "/" + std::string(300, 'b'));
  EXPECT_EQ(tenant_by({{Kind::kHostRegex, "(.+)"}}).identify({request.head()}).error().code,
            ErrorCode::kBadHost);
  EXPECT_EQ(tenant_by({{Kind::kPathRegex, "(.+)"}}).identify({request.head()}).error().code,
            ErrorCode::kBadTarget);
}

TEST_F(IdentityTest, ControlBytesAreRefused) {
  const auto rules = tenant_by({{Kind::kHeader, "x-tenant-id"}});
  for (const char* value : {"a\tb", "a\x7f", "\x01"}) {
    TestRequest request("GET", "a", "/");
    request.header("x-tenant-id", value);
    EXPECT_FALSE(rules.identify({request.head(), true}));
  }
}

TEST_F(IdentityTest, TwoDifferentHeadersAreRefused) {
  const auto rules = tenant_by({{Kind::kHeader, "x-tenant-id"}});
  request_.header("x-tenant-id", "acme").header("X-Tenant-Id", "acme");
  EXPECT_EQ(rules.identify({request_.head(), true})->tenant, "acme");
  request_.header("x-tenant-id", "other");
  EXPECT_FALSE(rules.identify({request_.head(), true}));
}

TEST_F(IdentityTest, ABadRegexIsReportedAtItsPlace) {
  IdentityConfig config;
  config.function = {{Kind::kPathRegex, "(", 3, 7, 0}};
  config::Diagnostics diagnostics;
  diagnostics.add_source("weir.yaml", "identity:\n\n");
  EXPECT_FALSE(IdentityRules::compile(config, diagnostics));
  const auto found = diagnostics.take_sorted();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 3U);
  EXPECT_EQ(found[0].key, "identity.function");
}

}  // namespace
}  // namespace weir::route
