// SPDX-License-Identifier: Apache-2.0
#include "upstream/cluster_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures.h"
#include "net/resolver.h"
#include "support/fake_dns.h"
#include "support/loop_runner.h"
#include "upstream/dns_cluster.h"

namespace weir::upstream {
namespace {

using testing::ElementsAre;

ClusterConfig static_config(const std::string& name, const std::vector<std::uint16_t>& ports) {
  ClusterConfig config;
  config.name = name;
  for (const std::uint16_t port : ports) {
    EndpointConfig endpoint;
    endpoint.address = ip_address(port);
    config.endpoints.push_back(endpoint);
  }
  return config;
}

ClusterConfig dns_config(const std::string& name, const std::string& host) {
  ClusterConfig config;
  config.name = name;
  config.dns = DnsConfig{host, 8080, std::nullopt, {}};
  return config;
}

class ClusterManagerTest : public testing::Test {
 protected:
  std::vector<std::string> addresses(const std::string& name) {
    std::vector<std::string> out;
    for (const auto& member : manager_.find(name)->published().endpoints->members()) {
      out.push_back(member.endpoint->text);
    }
    return out;
  }
  const Endpoint* endpoint(const std::string& name, const std::string& address) {
    for (const auto& member : manager_.find(name)->published().endpoints->members()) {
      if (member.endpoint->text == address) return member.endpoint.get();
    }
    return nullptr;
  }
  void until_settled() {
    test::run_until(loop_, [this] { return manager_.settled(); });
  }
  DnsSnapshot dns_of_first() { return *manager_.snapshot()[0].dns; }

  test::FakeDns dns_;
  SystemClock clock_;
  net::Loop loop_{clock_};
  net::Resolver resolver_{loop_, {.servers = dns_.servers(), .timeout = Millis{100}, .tries = 1}};
  ClusterManager manager_{loop_, resolver_, AutoLimits{}};
};

// ---- Configs that come and go.

TEST_F(ClusterManagerTest, GivesTheClustersInTheOrderOfTheConfig) {
  const auto list = manager_.apply({static_config("b", {1}), static_config("a", {2, 3})});
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0]->name(), "b");
  EXPECT_EQ(list->index_of("a"), 1U);
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.1:2", "10.0.0.1:3"));
  EXPECT_EQ(manager_.find("c"), nullptr);
  EXPECT_TRUE(manager_.settled());
}

TEST_F(ClusterManagerTest, AClusterAndItsEndpointsKeepTheirObjectsThroughAReload) {
  manager_.apply({static_config("a", {1, 2})});
  Cluster* const cluster = manager_.find("a");
  const Endpoint* const kept = endpoint("a", "10.0.0.1:2");
  manager_.apply({static_config("z", {1}), static_config("a", {2, 3})});
  EXPECT_EQ(manager_.find("a"), cluster);
  EXPECT_EQ(endpoint("a", "10.0.0.1:2"), kept);
  EXPECT_EQ(endpoint("a", "10.0.0.1:1"), nullptr);
  EXPECT_NE(endpoint("z", "10.0.0.1:1"), nullptr);
}

TEST_F(ClusterManagerTest, EndpointsThatDoNotChangeAreNotWorkedOutAgain) {
  manager_.apply({static_config("a", {1, 2})});
  const auto before = manager_.find("a")->published().endpoints;
  ClusterConfig other_pool = static_config("a", {1, 2});
  other_pool.pool.max_idle = 3;
  manager_.apply({other_pool});
  EXPECT_EQ(manager_.find("a")->published().endpoints, before);
  EXPECT_EQ(manager_.find("a")->limits().max_idle, 3U);
}

TEST_F(ClusterManagerTest, ANewPolicyIsWorkedOut) {
  manager_.apply({static_config("a", {1, 2})});
  ClusterConfig maglev = static_config("a", {1, 2});
  maglev.load_balancing.policy = BalancePolicy::kMaglev;
  manager_.apply({maglev});
  EXPECT_FALSE(manager_.find("a")->published().endpoints->maglev().empty());
}

TEST_F(ClusterManagerTest, AClusterThatLeavesLivesOnWithWhoUsesIt) {
  auto list = manager_.apply({static_config("a", {1})});
  const std::weak_ptr<Cluster> cluster = (*list)[0];
  manager_.apply({});
  EXPECT_EQ(manager_.find("a"), nullptr);
  EXPECT_FALSE(cluster.expired());
  list.reset();
  EXPECT_TRUE(cluster.expired());
}

TEST_F(ClusterManagerTest, TheOperatorsStateHoldsUntilItIsTakenBack) {
  manager_.apply({static_config("a", {1})});
  EXPECT_TRUE(manager_.set_state("a", OperatorState::kMaint));
  EXPECT_FALSE(manager_.set_state("b", OperatorState::kMaint));
  EXPECT_EQ(manager_.snapshot()[0].state, OperatorState::kMaint);
  manager_.apply({static_config("a", {1})});
  EXPECT_EQ(manager_.snapshot()[0].state, OperatorState::kMaint);
  manager_.set_state("a", std::nullopt);
  EXPECT_EQ(manager_.snapshot()[0].state, OperatorState::kReady);
}

TEST_F(ClusterManagerTest, AnOperatorsWordOnAnEndpointStandsAboveEveryConfig) {
  manager_.apply({static_config("a", {1, 2})});
  const Endpoint* const first = endpoint("a", "10.0.0.1:1");
  EXPECT_TRUE(manager_.set_endpoint("a", "10.0.0.1:1", {OperatorState::kDrain, {}}));
  EXPECT_FALSE(manager_.set_endpoint("b", "10.0.0.1:1", {OperatorState::kDrain, {}}));
  EXPECT_EQ(manager_.find("a")->published().endpoints->eligible(), 1U);
  manager_.apply({static_config("a", {1, 2, 3})});
  EXPECT_EQ(manager_.find("a")->published().endpoints->eligible(), 2U);
  manager_.set_endpoint("a", "10.0.0.1:1", {});
  EXPECT_EQ(manager_.find("a")->published().endpoints->eligible(), 3U);
  EXPECT_EQ(endpoint("a", "10.0.0.1:1"), first);
}

TEST_F(ClusterManagerTest, WhereOperatorsTookAllOutNobodyIsCalledUnhealthy) {
  manager_.apply({static_config("a", {1})});
  manager_.set_endpoint("a", "10.0.0.1:1", {OperatorState::kMaint, {}});
  EXPECT_EQ(manager_.find("a")->published().endpoints->empty_reason(), ErrorCode::kNoEndpoint);
}

TEST_F(ClusterManagerTest, AWeightByHandIsANumberOrAPartOfTheConfiguredOne) {
  ClusterConfig config = static_config("a", {1});
  config.endpoints[0].weight = 30;
  manager_.apply({config});
  const auto weight = [this] { return manager_.snapshot()[0].endpoints[0].weight; };
  manager_.set_endpoint("a", "10.0.0.1:1", {{}, WeightOverride{5, false}});
  EXPECT_EQ(weight(), 5U);
  manager_.set_endpoint("a", "10.0.0.1:1", {{}, WeightOverride{50, true}});
  EXPECT_EQ(weight(), 15U);
  manager_.set_endpoint("a", "10.0.0.1:1", {{}, WeightOverride{1, true}});
  EXPECT_EQ(weight(), 1U) << "a part of something is not nothing";
  config.endpoints[0].weight = 60;
  manager_.apply({config});
  manager_.set_endpoint("a", "10.0.0.1:1", {{}, WeightOverride{50, true}});
  EXPECT_EQ(weight(), 30U);
}

TEST_F(ClusterManagerTest, TheSnapshotShowsEndpointsAndCounts) {
  ClusterConfig config = static_config("a", {1});
  config.endpoints[0].weight = 7;
  config.endpoints[0].zone = "az1";
  config.resource_limits.max_connections = 9;
  manager_.apply({config});
  manager_.find("a")->try_acquire_request();
  const ClusterSnapshot snapshot = manager_.snapshot()[0];
  EXPECT_EQ(snapshot.name, "a");
  EXPECT_EQ(snapshot.requests, 1U);
  EXPECT_EQ(snapshot.limits.max_connections, 9U);
  ASSERT_EQ(snapshot.endpoints.size(), 1U);
  EXPECT_EQ(snapshot.endpoints[0].address, "10.0.0.1:1");
  EXPECT_EQ(snapshot.endpoints[0].weight, 7U);
  EXPECT_EQ(snapshot.endpoints[0].zone, "az1");
  EXPECT_FALSE(snapshot.dns.has_value());
}

TEST_F(ClusterManagerTest, HostNamesAreWhatTheEndpointIsCalled) {
  ClusterConfig config = static_config("a", {1});
  EndpointConfig local;
  local.address = {Address::Kind::kUnix, {}, 0, "/run/fn.sock", "unix:/run/fn.sock"};
  config.endpoints.push_back(local);
  manager_.apply({config});
  EXPECT_EQ(endpoint("a", "10.0.0.1:1")->host, "10.0.0.1:1");
  EXPECT_EQ(endpoint("a", "unix:/run/fn.sock")->host, "localhost");
}

// ---- Names.

TEST_F(ClusterManagerTest, ANameBecomesItsAddresses) {
  dns_.set("o.test", {.addresses = {"10.0.0.9", "10.0.0.8", "::2"}});
  manager_.apply({dns_config("a", "o.test")});
  EXPECT_FALSE(manager_.settled());
  EXPECT_EQ(manager_.find("a")->published().endpoints->empty_reason(), ErrorCode::kDnsFailure);
  until_settled();
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.8:8080", "10.0.0.9:8080", "[::2]:8080"));
  EXPECT_EQ(endpoint("a", "10.0.0.8:8080")->host, "o.test:8080");
  EXPECT_TRUE(dns_of_first().resolved);
  EXPECT_EQ(dns_of_first().last_error, "");
}

TEST_F(ClusterManagerTest, AnAnswerThatOnlyTurnedAroundPublishesNothing) {
  dns_.set("o.test", {.addresses = {"10.0.0.9", "10.0.0.8"}});
  ClusterConfig config = dns_config("a", "o.test");
  config.dns->refresh = Millis{10};
  manager_.apply({config});
  until_settled();
  const auto before = manager_.find("a")->published().endpoints;
  const int asked = dns_.questions();
  dns_.set("o.test", {.addresses = {"10.0.0.8", "10.0.0.9"}});
  test::run_until(loop_, [&] { return dns_.questions() >= asked + 3; });
  EXPECT_EQ(manager_.find("a")->published().endpoints, before);
}

TEST_F(ClusterManagerTest, AddressesThatStayKeepTheirEndpoint) {
  dns_.set("o.test", {.addresses = {"10.0.0.8", "10.0.0.9"}});
  ClusterConfig config = dns_config("a", "o.test");
  config.dns->refresh = Millis{10};
  manager_.apply({config});
  until_settled();
  const Endpoint* const kept = endpoint("a", "10.0.0.9:8080");
  dns_.set("o.test", {.addresses = {"10.0.0.9", "10.0.0.10"}});
  test::run_until(loop_, [&] { return endpoint("a", "10.0.0.10:8080") != nullptr; });
  EXPECT_EQ(endpoint("a", "10.0.0.9:8080"), kept);
  EXPECT_EQ(endpoint("a", "10.0.0.8:8080"), nullptr);
}

TEST_F(ClusterManagerTest, TheLastGoodAnswerStaysWhileLookUpsFail) {
  dns_.set("o.test", {.addresses = {"10.0.0.8"}});
  ClusterConfig config = dns_config("a", "o.test");
  config.dns->refresh = Millis{10};
  manager_.apply({config});
  until_settled();
  dns_.set("o.test", {.addresses = {}, .rcode = 3});
  test::run_until(loop_, [&] { return dns_of_first().failures > 0; });
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.8:8080"));
  EXPECT_NE(dns_of_first().last_error, "");
  EXPECT_TRUE(dns_of_first().resolved);
  // Later than the refresh of a good answer: a broken server is not to be asked ever faster.
  EXPECT_GT(dns_of_first().next_refresh, Millis{100});
}

TEST_F(ClusterManagerTest, ANameThatNeverResolvedIsADnsFailure) {
  manager_.apply({dns_config("a", "nowhere.test")});
  until_settled();
  const auto endpoints = manager_.find("a")->published().endpoints;
  EXPECT_EQ(endpoints->eligible(), 0U);
  EXPECT_EQ(endpoints->empty_reason(), ErrorCode::kDnsFailure);
  EXPECT_FALSE(dns_of_first().resolved);
}

TEST_F(ClusterManagerTest, ANameIsAskedForAgainWhenItsTimeIsUp) {
  dns_.set("o.test", {.addresses = {"10.0.0.8"}, .ttl = 120});
  manager_.apply({dns_config("a", "o.test")});
  until_settled();
  EXPECT_GT(dns_of_first().next_refresh, Millis{110'000});
  EXPECT_LE(dns_of_first().next_refresh, Millis{120'000});
}

struct TtlCase {
  std::uint32_t ttl;
  Millis wait;
};
class TtlTest : public ClusterManagerTest, public testing::WithParamInterface<TtlCase> {};

TEST_P(TtlTest, IsHeldBetweenASecondAndFiveMinutes) {
  dns_.set("o.test", {.addresses = {"10.0.0.8"}, .ttl = GetParam().ttl});
  manager_.apply({dns_config("a", "o.test")});
  until_settled();
  EXPECT_LE(dns_of_first().next_refresh, GetParam().wait);
  EXPECT_GT(dns_of_first().next_refresh, GetParam().wait - Millis{900});
}

INSTANTIATE_TEST_SUITE_P(Ttls, TtlTest,
                         testing::Values(TtlCase{0, Millis{1'000}}, TtlCase{60, Millis{60'000}},
                                         TtlCase{86'400, Millis{300'000}}));

TEST_F(ClusterManagerTest, AReloadThatKeepsTheNameAsksNothing) {
  dns_.set("o.test", {.addresses = {"10.0.0.8"}});
  manager_.apply({dns_config("a", "o.test")});
  until_settled();
  const int asked = dns_.questions();
  ClusterConfig config = dns_config("a", "o.test");
  config.load_balancing.policy = BalancePolicy::kRoundRobin;
  manager_.apply({config});
  EXPECT_TRUE(manager_.settled());
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.8:8080"));
  EXPECT_FALSE(manager_.find("a")->published().endpoints->rotation().empty());
  settle(loop_);
  EXPECT_EQ(dns_.questions(), asked);
}

TEST_F(ClusterManagerTest, AReloadThatChangesTheNameServesTheOldAddressesUntilTheNewOnesAreKnown) {
  dns_.set("old.test", {.addresses = {"10.0.0.8"}});
  dns_.set("new.test", {.addresses = {"10.0.0.9"}});
  manager_.apply({dns_config("a", "old.test")});
  until_settled();
  manager_.apply({dns_config("a", "new.test")});
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.8:8080"));
  until_settled();
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.9:8080"));
  manager_.apply({dns_config("a", "nowhere.test")});
  until_settled();
  EXPECT_THAT(addresses("a"), ElementsAre()) << "the old name's servers are not the new name's";
}

TEST_F(ClusterManagerTest, AClusterMayTurnFromANameToAListAndBack) {
  dns_.set("o.test", {.addresses = {"10.0.0.8"}});
  manager_.apply({dns_config("a", "o.test")});
  until_settled();
  manager_.apply({static_config("a", {1})});
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.1:1"));
  EXPECT_FALSE(manager_.snapshot()[0].dns.has_value());
  manager_.apply({dns_config("a", "o.test")});
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.1:1"));
  until_settled();
  EXPECT_THAT(addresses("a"), ElementsAre("10.0.0.8:8080"));
}

TEST_F(ClusterManagerTest, AClusterMayLeaveWhileItsNameIsLookedUp) {
  dns_.set("slow.test", {.addresses = {}, .silent = true});
  manager_.apply({dns_config("a", "slow.test")});
  const int asked = dns_.questions();
  test::run_until(loop_, [&] { return dns_.questions() > asked; });
  manager_.apply({});
  EXPECT_TRUE(manager_.settled());
}

}  // namespace
}  // namespace weir::upstream
