// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "admin/metric_names.h"

namespace weir::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string page_of(Totals totals) {
  MetricsPage page(std::move(totals));
  while (page.step()) {
  }
  return page.take();
}

Totals small() {
  Totals totals;
  totals.version = "1.2.3";
  totals.ready = true;
  totals.reloads.applied = 3;
  totals.reloads.rejected = 2;
  totals.failures[static_cast<size_t>(ErrorCode::kNoRoute)] = 5;
  totals.workers.push_back({0, 0.25, 0.002, 1000, 2, 3, 4});
  totals.workers.push_back({1, 0.5, 0, 500, 0, 0, 0});
  ListenerTotals& listener = totals.listeners.emplace_back();
  listener.name = "edge";
  listener.certificates.push_back({"certs/a.pem", "CN=a.example,O=A \"quoted\"", 12.5});
  listener.requests = 10;
  listener.responses = {1, 0, 6, 0, 2, 1};
  listener.upgrades = 4;
  listener.upgrades_active = 3;
  listener.grpc_responses[14] = 2;
  listener.duration.buckets[8] = 4;   // below 256 us
  listener.duration.buckets[9] = 5;   // below 512 us: shown with those below 1024 us
  listener.duration.buckets[26] = 1;  // longer than all bounds
  listener.duration.sum_us = 2'500'000;
  ClusterTotals& cluster = totals.clusters.emplace_back();
  cluster.now.name = "blue";
  cluster.now.connections = 8;
  cluster.now.endpoints.push_back({"10.0.0.1:80", "", "", 100, 1, 2});
  cluster.requests = 9;
  cluster.responses = {0, 7, 0, 0, 2};
  return totals;
}

TEST(Metrics, SayWhatWasCounted) {
  const std::string page = page_of(small());
  for (const char* line : {
           "weir_build_info{version=\"1.2.3\"} 1\n",
           "weir_app_ready 1\n",
           "weir_config_reloads_total{result=\"applied\"} 3\n",
           "weir_config_reloads_total{result=\"rejected\"} 2\n",
           "weir_config_last_reload_success 1\n",
           "weir_memory_accounted_bytes 1500\n",
           "weir_worker_turn_seconds_max{worker=\"0\"} 0.002\n",
           "weir_tls_certificate_days_left{listener=\"edge\",certificate=\"certs/a.pem\","
           "subject=\"CN=a.example,O=A \\\"quoted\\\"\"} 12.5\n",
           "weir_proxy_failures_total{reason=\"no_route\"} 5\n",
           "weir_worker_loop_last_turn_age_seconds{worker=\"1\"} 0.5\n",
           "weir_worker_downstream_connections{worker=\"0\"} 3\n",
           "weir_listener_requests_total{listener=\"edge\"} 10\n",
           "weir_listener_responses_total{listener=\"edge\",class=\"none\"} 1\n",
           "weir_listener_responses_total{listener=\"edge\",class=\"2xx\"} 6\n",
           "weir_listener_upgrades_total{listener=\"edge\"} 4\n",
           "weir_listener_upgrades{listener=\"edge\"} 3\n",
           "weir_listener_grpc_responses_total{listener=\"edge\",status=\"14\"} 2\n",
           "weir_listener_grpc_responses_total{listener=\"edge\",status=\"none\"} 0\n",
           "weir_cluster_requests_total{cluster=\"blue\"} 9\n",
           "weir_cluster_responses_total{cluster=\"blue\",class=\"5xx\"} 2\n",
           "weir_cluster_connections{cluster=\"blue\"} 8\n",
           "weir_endpoint_connections{cluster=\"blue\",endpoint=\"10.0.0.1:80\"} 2\n",
           "weir_endpoint_series_left_out 0\n",
       }) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(Metrics, HistogramsAreCumulativeAndEndAtInfinity) {
  const std::string page = page_of(small());
  const std::string name = "weir_listener_request_duration_seconds";
  EXPECT_THAT(page, HasSubstr(name + "_bucket{listener=\"edge\",le=\"0.000256\"} 4\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{listener=\"edge\",le=\"0.001024\"} 9\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{listener=\"edge\",le=\"16.777216\"} 9\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{listener=\"edge\",le=\"+Inf\"} 10\n"));
  EXPECT_THAT(page, HasSubstr(name + "_sum{listener=\"edge\"} 2.5\n"));
  EXPECT_THAT(page, HasSubstr(name + "_count{listener=\"edge\"} 10\n"));
}

TEST(Metrics, EachHasOneHelpAndOneTypeHoweverManySteps) {
  Totals totals;
  for (int i = 0; i < 1000; ++i) {
    totals.clusters.emplace_back().now.name = "cluster-" + std::to_string(i);
  }
  // Only one of the last has a name look-up: its metric's first parts are empty.
  totals.clusters[990].now.dns.emplace().failures = 4;
  const std::string page = page_of(std::move(totals));
  std::map<std::string, int> comments;
  std::istringstream lines(page);
  size_t series = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) ++comments[line.substr(0, line.find(' ', 7))];
    if (line.starts_with("weir_cluster_requests_total{")) ++series;
  }
  for (const auto& [comment, count] : comments) EXPECT_EQ(count, 1) << comment;
  EXPECT_EQ(series, 1000U);
  EXPECT_THAT(page, HasSubstr("# TYPE weir_cluster_dns_failures gauge\n"
                              "weir_cluster_dns_failures{cluster=\"cluster-990\"} 4\n"));
}

TEST(Metrics, EndpointSeriesAreBounded) {
  Totals totals;
  ClusterTotals& cluster = totals.clusters.emplace_back();
  cluster.now.name = "blue";
  for (size_t i = 0; i < MetricsPage::kMaxEndpointSeries + 7; ++i) {
    cluster.now.endpoints.push_back({"10.0.0.1:" + std::to_string(i), "", "", 1, 0, 0});
  }
  const std::string page = page_of(std::move(totals));
  EXPECT_THAT(page, HasSubstr("weir_endpoint_series_left_out 7\n"));
  EXPECT_THAT(page, HasSubstr("endpoint=\"10.0.0.1:999\""));
  EXPECT_THAT(page, Not(HasSubstr("endpoint=\"10.0.0.1:1000\"")));
}

TEST(Metrics, LeaveOutWhatIsNotKnown) {
  const std::string page = page_of(small());
  EXPECT_THAT(page, Not(HasSubstr("weir_process_descriptors_open")));
  EXPECT_THAT(page, Not(HasSubstr("weir_memory_allocator_bytes")));
}

TEST(Metrics, SayWhyCopiesWereDroppedAndHaveFailed) {
  Totals totals = small();
  totals.mirror_requests = 7;
  totals.mirror_dropped[static_cast<size_t>(policy::MirrorDrop::kTooLarge)] = 3;
  totals.mirror_failures[static_cast<size_t>(ErrorCode::kConnectRefused)] = 2;
  totals.mirror_bytes = 4096;
  const std::string page = page_of(totals);
  EXPECT_THAT(page, HasSubstr("weir_mirror_requests_total 7"));
  EXPECT_THAT(page, HasSubstr("weir_mirror_dropped_total{reason=\"too_large\"} 3"));
  EXPECT_THAT(page, HasSubstr("weir_mirror_dropped_total{reason=\"memory\"} 0"));
  EXPECT_THAT(page, HasSubstr("weir_mirror_failed_total{reason=\"connect_refused\"} 2"));
  EXPECT_THAT(page, Not(HasSubstr("weir_mirror_failed_total{reason=\"connect_timeout\"}")));
  EXPECT_THAT(page, HasSubstr("weir_mirror_bytes 4096"));
}

TEST(MetricNames, FollowOneForm) {
  std::set<std::string_view> names;
  for (const MetricInfo& info : kMetrics) {
    EXPECT_TRUE(info.name.starts_with("weir_")) << info.name;
    EXPECT_EQ(info.name.ends_with("_total"), info.type == MetricType::kCounter) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " comes twice";
  }
}

}  // namespace
}  // namespace weir::admin
