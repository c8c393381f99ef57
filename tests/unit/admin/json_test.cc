// SPDX-License-Identifier: Apache-2.0
#include "admin/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_process.h"

namespace weir::admin {
namespace {

TEST(StatsJson, HasEachPart) {
  FakeProcess process;
  process.stats[0]->failures[static_cast<size_t>(ErrorCode::kNoRoute)].add(2);
  const auto json = nlohmann::json::parse(stats_json(collect(process)));
  EXPECT_EQ(json["failures"], (nlohmann::json{{"no_route", 2}}));
  EXPECT_EQ(json["listeners"][0]["name"], "edge");
  EXPECT_EQ(json["workers"].size(), 2U);
  EXPECT_EQ(json["process"]["accounted_bytes"], 2000);
  EXPECT_TRUE(json["listeners"][0]["duration"].is_null());
}

TEST(StatsJson, TellsLatenciesByTheirBucketsBounds) {
  FakeProcess process;
  base::LatencyHistogram& duration = process.current->listeners[0].shared->stats[0]->duration;
  for (int i = 0; i < 98; ++i) duration.observe_us(100);
  for (int i = 0; i < 2; ++i) duration.observe_us(5000);
  const auto json = nlohmann::json::parse(stats_json(collect(process)));
  const auto& latency = json["listeners"][0]["duration"];
  EXPECT_EQ(latency["count"], 100);
  EXPECT_EQ(latency["mean_us"], 198);
  EXPECT_EQ(latency["p50_below_us"], 128);
  EXPECT_EQ(latency["p99_below_us"], 8192);
}

TEST(ClustersJson, ShowsEndpointsAndNameLookUps) {
  upstream::ClusterSnapshot cluster;
  cluster.name = "blue";
  cluster.state = OperatorState::kDrain;
  cluster.policy = BalancePolicy::kMaglev;
  cluster.endpoints.push_back({"10.0.0.1:80", "h", "az1", 50, 1, 2});
  cluster.dns.emplace().last_error = "no such name";
  const auto json = nlohmann::json::parse(clusters_json({cluster}))["clusters"][0];
  EXPECT_EQ(json["state"], "drain");
  EXPECT_EQ(json["policy"], "maglev");
  EXPECT_EQ(json["endpoints"][0]["address"], "10.0.0.1:80");
  EXPECT_EQ(json["endpoints"][0]["weight"], 50);
  EXPECT_EQ(json["dns"]["last_error"], "no such name");
}

TEST(ReloadJson, IsValidWhateverAFindingQuotes) {
  ReloadOutcome outcome;
  config::Diagnostic finding;
  finding.message = "\"\xff\n\"";
  outcome.diagnostics.push_back(finding);
  EXPECT_FALSE(nlohmann::json::parse(reload_json(outcome), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace weir::admin
