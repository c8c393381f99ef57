// SPDX-License-Identifier: Apache-2.0
// Which rule of a release takes a request, and that a split keeps whom it had.
#include "proxy/releases.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "config/load.h"
#include "proxy/snapshot.h"

namespace weir::proxy {
namespace {

constexpr int kPeople = 50'000;

const std::string kFrame =
    "listeners: {main: {address: '127.0.0.1:0'}}\n"
    "identity: {tenant: [{header: x-tenant}]}\n"
    "trusted_proxies: [127.0.0.0/8]\n"
    "clusters:\n"
    "  v1: {endpoints: [{address: '127.0.0.1:1'}]}\n"
    "  v2: {endpoints: [{address: '127.0.0.1:2'}]}\n"
    "  v2-c1: {endpoints: [{address: '127.0.0.1:3'}]}\n"
    "  v2-c2: {endpoints: [{address: '127.0.0.1:4'}]}\n"
    "failover_groups: {anywhere: {members: [{cluster: v1}, {cluster: v2}]}}\n";

Config load(const std::string& more) {
  auto loaded = config::load_text(kFrame + more, "test.yaml");
  EXPECT_TRUE(loaded) << config::render(loaded.error(), config::ReportFormat::kText);
  return loaded ? std::move(loaded->config) : Config();
}

std::unique_ptr<Releases> compiled(const std::string& releases) {
  const Config config = load(releases + "routes: [{name: r, target: {release: orders}}]\n");
  config::Diagnostics diagnostics;
  auto out = Releases::compile(config, diagnostics);
  EXPECT_NE(out, nullptr);
  return out;
}

std::string split(const std::string& rules) {
  return "releases: {orders: {default: v1, rules: [" + rules + "]}}\n";
}

class ReleasesTest : public ::testing::Test {
 protected:
  uint32_t choose(const Releases& releases, std::string_view tenant, uint64_t draw = 0) {
    return releases.choose(0, {head, tenant, client, draw}, arena);
  }
  // Who of some thousand tenants is taken by rule `place`.
  std::set<int> taken(const Releases& releases, uint32_t place) {
    std::set<int> out;
    for (int i = 0; i < kPeople; ++i) {
      if (choose(releases, "tenant-" + std::to_string(i)) == place) out.insert(i);
    }
    return out;
  }

  base::Account account;
  base::BlockPool blocks{4096, 1};
  base::Arena arena{blocks, account};
  RequestHead head;
  IpAddress client;
};

TEST_F(ReleasesTest, TheFirstRuleThatTakesARequestDecides) {
  const auto releases =
      compiled(split("{tenants: [acme], to: v2}, {match: {headers: {x-canary: '1'}}, to: v2},"
                     "{tenants: [acme, initech], to: v2}"));
  EXPECT_EQ(choose(*releases, "acme"), 0U);
  EXPECT_EQ(choose(*releases, "initech"), 2U);
  EXPECT_EQ(choose(*releases, "hooli"), 3U);
  EXPECT_EQ(choose(*releases, ""), 3U);
  head.headers = HeaderList(arena.array<Header>(4), 4);
  head.headers.push({"X-Canary", "1", HeaderId::kOther});
  EXPECT_EQ(choose(*releases, "acme"), 0U);
  EXPECT_EQ(choose(*releases, "initech"), 1U);
  EXPECT_EQ(choose(*releases, ""), 1U);
}

TEST_F(ReleasesTest, ARaisedWeightKeepsAllWhomItHadAndTakesItsShare) {
  std::set<int> before;
  for (const int weight : {0, 1, 5, 10, 25, 50, 99, 100}) {
    const auto releases = compiled(split("{weight: " + std::to_string(weight) + "%, to: v2}"));
    const std::set<int> now = taken(*releases, 0);
    EXPECT_TRUE(std::ranges::includes(now, before)) << weight;
    const double share = static_cast<double>(now.size()) / kPeople;
    EXPECT_NEAR(share, weight / 100.0, 5 * std::sqrt(0.25 / kPeople)) << weight;
    before = now;
  }
}

TEST_F(ReleasesTest, WeightsLieSideBySide) {
  const auto releases = compiled(split("{weight: 10%, to: v2}, {weight: 30%, to: v1}"));
  EXPECT_NEAR(static_cast<double>(taken(*releases, 0).size()) / kPeople, 0.1, 0.01);
  EXPECT_NEAR(static_cast<double>(taken(*releases, 1).size()) / kPeople, 0.3, 0.01);
  EXPECT_NEAR(static_cast<double>(taken(*releases, 2).size()) / kPeople, 0.6, 0.01);
}

TEST_F(ReleasesTest, TwoReleasesSplitIndependently) {
  const auto releases = compiled(
      "releases:\n"
      "  orders: {default: v1, rules: [{weight: 50%, to: v2}]}\n"
      "  carts: {default: v1, rules: [{weight: 50%, to: v2}]}\n");
  int both = 0;
  for (int i = 0; i < kPeople; ++i) {
    const std::string tenant = "tenant-" + std::to_string(i);
    const Releases::Asked asked{head, tenant, client, 0};
    both += releases->choose(0, asked, arena) == 0 && releases->choose(1, asked, arena) == 0;
  }
  EXPECT_NEAR(static_cast<double>(both) / kPeople, 0.25, 0.01);
}

TEST_F(ReleasesTest, WhoHasNothingToStickToIsDrawnEachTime) {
  const auto releases = compiled(split("{weight: 50%, to: v2}"));
  EXPECT_EQ(choose(*releases, "", 0), 0U);
  EXPECT_EQ(choose(*releases, "", UINT64_MAX / 2 - (uint64_t{1} << 45)), 0U);
  EXPECT_EQ(choose(*releases, "", UINT64_MAX / 2 + (uint64_t{1} << 45)), 1U);
  EXPECT_EQ(choose(*releases, "", UINT64_MAX), 1U);
  EXPECT_EQ(choose(*releases, "acme", 0), choose(*releases, "acme", UINT64_MAX));
}

TEST_F(ReleasesTest, AHundredPercentTakesEverybodyEvenTheLastPoint) {
  const auto releases = compiled(split("{weight: 100%, sticky: none, to: v2}"));
  EXPECT_EQ(choose(*releases, "", UINT64_MAX), 0U);
}

TEST_F(ReleasesTest, SplitsStickToHeadersAndAddresses) {
  const auto by_header = compiled(split("{weight: 50%, sticky: 'header:X-Session', to: v2}"));
  const auto by_address = compiled(split("{weight: 50%, sticky: client_ip, to: v2}"));
  EXPECT_FALSE(by_header->asks_address(0));
  EXPECT_TRUE(by_address->asks_address(0));
  std::set<uint32_t> seen_header;
  std::set<uint32_t> seen_address;
  for (uint8_t i = 0; i < 32; ++i) {
    const std::string session = "session-" + std::to_string(i);
    head.headers = HeaderList(arena.array<Header>(4), 4);
    head.headers.push({"x-session", session, HeaderId::kOther});
    client.bytes[3] = static_cast<uint8_t>(i + 1);
    seen_header.insert(choose(*by_header, "", 0));
    EXPECT_EQ(choose(*by_header, "", 0), choose(*by_header, "acme", UINT64_MAX));
    seen_address.insert(choose(*by_address, "", 0));
    EXPECT_EQ(choose(*by_address, "", 0), choose(*by_address, "acme", UINT64_MAX));
  }
  EXPECT_EQ(seen_header.size(), 2U);
  EXPECT_EQ(seen_address.size(), 2U);
}

TEST_F(ReleasesTest, SaysForEachRuleWhy) {
  const auto releases =
      compiled(split("{tenants: [acme], to: v2}, {name: canary, match: {query: {v: '2'}}, to: v2},"
                     "{weight: 100%, to: v2}"));
  std::vector<std::string> why;
  releases->choose(0, {head, "initech", client, 0}, arena, &why);
  ASSERT_EQ(why.size(), 3U);
  EXPECT_EQ(why[0], "tenants: 1 tenant: no");
  EXPECT_EQ(why[1], "canary: match: no");
  EXPECT_TRUE(why[2].starts_with("weight: weight 100%, at ") &&
              why[2].ends_with("% of the tenant: yes"))
      << why[2];
}

TEST_F(ReleasesTest, SaysOfWhoHasNothingToStickToThatHeIsDrawn) {
  for (const char* const sticky : {"none", "'header:x-session'", "client_ip"}) {
    const auto releases =
        compiled(split(std::string("{weight: 5%, sticky: ") + sticky + ", to: v2}"));
    std::vector<std::string> why;
    releases->choose(0, {head, "acme", client, 0}, arena, &why);
    EXPECT_EQ(why, std::vector<std::string>{"weight: weight 5%, drawn anew for each request"});
  }
}

TEST_F(ReleasesTest, PeersWithoutAnAddressAreNotOneClient) {
  const auto releases = compiled(split("{weight: 50%, sticky: client_ip, to: v2}"));
  EXPECT_NE(choose(*releases, "", 0), choose(*releases, "", UINT64_MAX));
}

TEST_F(ReleasesTest, CountsSurviveAReloadUnderTheirNames) {
  policy::ReleaseLedger ledger(2);
  const auto before = compiled(split("{weight: 5%, to: v2}"));
  before->join(ledger);
  before->row(0, 0).of_worker[1].requests.add(3);
  const auto after = compiled(split("{tenants: [acme], to: v2}, {weight: 50%, to: v2}"));
  after->join(ledger);
  EXPECT_EQ(after->row(0, 1).total(), 3U);
  EXPECT_EQ(after->row(0, 0).total(), 0U);
  EXPECT_EQ(after->row(0, 2).rule, "default");
}

TEST(TargetsOfReleases, AreClustersGroupsAndClustersOfCells) {
  const Config config = load(
      "cells: {members: {c1: {}, c2: {}}}\n"
      "releases: {orders: {default: anywhere, rules: [{tenants: [acme], to: v1},"
      "  {weight: 5%, to: 'v2-{cell}'}]}}\n"
      "routes:\n"
      "  - {name: r, target: {release: orders}}\n"
      "  - {name: s, match: {path: {prefix: /s}}, target: {weighted:"
      "    [{cluster: v1, weight: 9}, {cluster: 'v2-{cell}', weight: 1}]}}\n");
  const Targets targets = resolve_targets(config);
  EXPECT_EQ(targets.of_route[0], std::vector{kReleaseBit});
  EXPECT_EQ(targets.of_release[0], (std::vector{0U, kCellsBit, kGroupBit}));
  EXPECT_EQ(targets.of_cells[0], (std::vector{2U, 3U}));
  EXPECT_EQ(targets.of_route[1], (std::vector{0U, kCellsBit}));
}

}  // namespace
}  // namespace weir::proxy
