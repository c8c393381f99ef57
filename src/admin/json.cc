// SPDX-License-Identifier: Apache-2.0
#include "admin/json.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "admin/override_json.h"

namespace weir::admin {
namespace {

// Keys in the order of writing: a page that reads like its struct.
using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  // Names come from configs, which are UTF-8; `replace` rather than an exception if one is not.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const char* word(OperatorState state) {
  switch (state) {
    case OperatorState::kReady:
      return "ready";
    case OperatorState::kDrain:
      return "drain";
    case OperatorState::kMaint:
      break;
  }
  return "maint";
}

const char* word(BalancePolicy policy) {
  switch (policy) {
    case BalancePolicy::kLeastRequest:
      return "least_request";
    case BalancePolicy::kRoundRobin:
      return "round_robin";
    case BalancePolicy::kRandom:
      return "random";
    case BalancePolicy::kMaglev:
      break;
  }
  return "maglev";
}

Json latency(const Latency& latency) {
  // Buckets are powers of two of a microsecond: the bound of the one that holds the quantile.
  const auto quantile_us = [&](double share) {
    const auto wanted = static_cast<double>(latency.count()) * share;
    double seen = 0;
    for (size_t i = 0; i < latency.buckets.size(); ++i) {
      seen += static_cast<double>(latency.buckets[i]);
      if (seen >= wanted) return base::LatencyHistogram::bound_us(i);
    }
    return base::LatencyHistogram::bound_us(latency.buckets.size() - 1);
  };
  if (latency.count() == 0) return nullptr;
  return {{"count", latency.count()},
          {"mean_us", latency.sum_us / latency.count()},
          {"p50_below_us", quantile_us(0.5)},
          {"p99_below_us", quantile_us(0.99)}};
}

Json listener(const ListenerTotals& l) {
  return {{"name", l.name},
          {"address", l.address},
          {"connections", l.connections},
          {"max_connections", l.max_connections},
          {"connections_accepted", l.accepted},
          {"connections_refused", std::accumulate(l.refused.begin(), l.refused.end(), uint64_t{0})},
          {"exchanges", l.exchanges},
          {"requests", l.requests},
          {"responses",
           {{"none", l.responses[0]},
            {"1xx", l.responses[1]},
            {"2xx", l.responses[2]},
            {"3xx", l.responses[3]},
            {"4xx", l.responses[4]},
            {"5xx", l.responses[5]}}},
          {"bytes_received", l.bytes_received},
          {"bytes_sent", l.bytes_sent},
          {"duration", latency(l.duration)}};
}

Json worker(const WorkerTotals& w) {
  return {{"index", w.index},
          {"last_turn_age_ms", static_cast<int64_t>(w.turn_age_seconds * 1000)},
          {"exchanges", w.exchanges},
          {"downstream_connections", w.downstream_connections},
          {"upstream_connections", w.upstream_connections},
          {"accounted_bytes", w.accounted_bytes}};
}

// Endpoints that health has taken out, as `weir status` shows them: not all of thousands.
Json endpoints_out(const upstream::ClusterSnapshot& c) {
  constexpr size_t kMost = 20;
  Json out = Json::array();
  for (const upstream::EndpointSnapshot& e : c.endpoints) {
    if (upstream::is_in(e.health)) continue;
    if (out.size() == kMost) break;
    out.push_back({{"address", e.address},
                   {"health", upstream::health_word(e.health)},
                   {"reason", e.reason},
                   {"since_ms", e.since.count()}});
  }
  return out;
}

Json cluster(const ClusterTotals& c) {
  return {{"name", c.now.name},
          {"requests", c.requests},
          {"attempts", c.attempts},
          {"retries", c.retries},
          {"retries_over_budget", c.retries_over_budget},
          {"hedges", c.hedges},
          {"hedges_won", c.hedges_won},
          {"responses",
           {{"1xx", c.responses[0]},
            {"2xx", c.responses[1]},
            {"3xx", c.responses[2]},
            {"4xx", c.responses[3]},
            {"5xx", c.responses[4]}}},
          {"connects", c.connects},
          {"connect_failures", c.connect_failures},
          {"connections_reused", c.reused},
          {"resets", c.resets},
          {"timeouts", c.timeouts},
          {"refused", c.refused},
          {"waited", c.waited},
          {"bytes_sent", c.bytes_sent},
          {"bytes_received", c.bytes_received},
          {"active_requests", c.now.requests},
          {"connections", c.now.connections},
          {"endpoints", c.now.endpoints.size()},
          {"endpoints_eligible", c.now.eligible},
          {"endpoints_out", endpoints_out(c.now)},
          {"connect_time", latency(c.connect_time)},
          {"response_time", latency(c.response_time)}};
}

Json traffic(const std::vector<policy::TrafficTable::Line>& lines) {
  Json json = Json::array();
  for (const auto& line : lines) {
    const auto& requests = line.counts.requests;
    const uint64_t answered = line.counts.total() - requests[3];
    json.push_back({{"name", line.name},
                    {"ok", requests[0]},
                    {"client_error", requests[1]},
                    {"server_error", requests[2]},
                    {"refused", requests[3]},
                    {"mean_us", answered == 0 ? 0 : line.counts.latency_us / answered}});
  }
  return json;
}

Json process(const Totals& totals) {
  const ResourceTotals& r = totals.resources;
  Json json{
      {"version", totals.version},
      {"uptime_seconds", totals.uptime_seconds},
      {"ready", totals.ready},
      {"cpu_seconds", r.cpu_seconds},
      {"resident_bytes", r.resident_bytes},
      {"accounted_bytes", totals.accounted_bytes()},
      {"memory",
       {{"budget_bytes", totals.memory.budget_bytes},
        {"error_bound_bytes", totals.memory.error_bytes},
        {"stage_percent", base::MemoryBudget::kLines[static_cast<size_t>(totals.memory.stage)]}}},
      {"descriptors_max", r.max_descriptors}};
  if (r.open_descriptors) json["descriptors_open"] = *r.open_descriptors;
  if (r.allocator) {
    json["allocator"] = {{"allocated_bytes", r.allocator->allocated},
                         {"active_bytes", r.allocator->active},
                         {"resident_bytes", r.allocator->resident},
                         {"mapped_bytes", r.allocator->mapped}};
  }
  return json;
}

Json failures(const Totals& totals) {
  Json json = Json::object();
  for (size_t i = 0; i < totals.failures.size(); ++i) {
    if (totals.failures[i] == 0) continue;
    json[std::string(error_info(static_cast<ErrorCode>(i)).reason)] = totals.failures[i];
  }
  return json;
}

Json dns(const upstream::DnsSnapshot& dns) {
  return {{"name", dns.name},
          {"resolved", dns.resolved},
          {"last_error", dns.last_error},
          {"failures_in_a_row", dns.failures},
          {"age_ms", dns.age.count()},
          {"next_refresh_ms", dns.next_refresh.count()}};
}

Json state(const upstream::ClusterSnapshot& c, const std::vector<OverrideRow>& set) {
  Json endpoints = Json::array();
  for (const upstream::EndpointSnapshot& e : c.endpoints) {
    endpoints.push_back({{"address", e.address},
                         {"host", e.host},
                         {"zone", e.zone},
                         {"state", word(e.state)},
                         {"weight", e.weight},
                         {"active_requests", e.active_requests},
                         {"connections", e.connections},
                         {"health", upstream::health_word(e.health)},
                         {"reason", e.reason},
                         {"weight_now", e.weight_now},
                         {"since_ms", e.since.count()},
                         {"ejected_for_ms", e.ejected_for.count()},
                         {"ejections", e.ejections}});
    add_override(endpoints.back(), set, OverrideKind::kEndpoint, c.name + "/" + e.address);
    add_override(endpoints.back(), set, OverrideKind::kWeight, c.name + "/" + e.address);
  }
  Json json{{"name", c.name},
            {"state", word(c.state)},
            {"policy", word(c.policy)},
            {"requests", c.requests},
            {"max_requests", c.limits.max_requests},
            {"retries", c.retries},
            {"pending", c.pending},
            {"max_pending", c.limits.max_pending},
            {"connections", c.connections},
            {"max_connections", c.limits.max_connections},
            {"idle", c.idle},
            {"max_idle", c.limits.max_idle},
            {"eligible", c.eligible},
            {"health_checks", c.checked},
            {"outlier_detection", c.ejects},
            {"endpoints", std::move(endpoints)}};
  if (c.dns) json["dns"] = dns(*c.dns);
  add_override(json, set, OverrideKind::kCluster, c.name);
  return json;
}

}  // namespace

std::string stats_json(const Totals& totals) {
  Json json;
  json["process"] = process(totals);
  json["config"] = {{"version", totals.reloads.version},
                    {"applied", totals.reloads.applied},
                    {"rejected", totals.reloads.rejected},
                    {"last_reload_succeeded", totals.reloads.last_succeeded}};
  if (totals.region) {
    json["region"] = {{"name", totals.region->name},
                      {"in_answer", totals.region->in_answer},
                      {"weight", totals.region->weight},
                      {"phase", upstream::phase_word(totals.region->phase)},
                      {"reason", totals.region->reason}};
  }
  json["access_log"] = {{"lines_dropped", totals.log_lines_dropped},
                        {"bytes_written", totals.log.bytes_written},
                        {"bytes_lost", totals.log.bytes_lost}};
  json["spliced_bytes"] = totals.spliced_bytes;
  json["failures"] = failures(totals);
  json["workers"] = Json::array();
  for (const WorkerTotals& w : totals.workers) json["workers"].push_back(worker(w));
  json["listeners"] = Json::array();
  for (const ListenerTotals& l : totals.listeners) json["listeners"].push_back(listener(l));
  json["clusters"] = Json::array();
  for (const ClusterTotals& c : totals.clusters) json["clusters"].push_back(cluster(c));
  json["overrides"] = override_array<Json>(totals.overrides);
  if (!totals.tenants.empty()) json["tenants"] = traffic(totals.tenants);
  if (!totals.functions.empty()) json["functions"] = traffic(totals.functions);
  return text_of(json);
}

std::string clusters_json(const std::vector<upstream::ClusterSnapshot>& clusters,
                          const std::vector<OverrideRow>& set) {
  Json json = Json::array();
  for (const upstream::ClusterSnapshot& cluster : clusters) json.push_back(state(cluster, set));
  return text_of({{"clusters", std::move(json)}});
}

std::string reload_json(const ReloadOutcome& outcome) {
  Json json{{"applied", outcome.applied}, {"version", outcome.version}};
  if (!outcome.message.empty()) json["message"] = outcome.message;
  json["report"] = config::render(outcome.diagnostics, config::ReportFormat::kText);
  json["findings"] =
      Json::parse(config::render(outcome.diagnostics, config::ReportFormat::kJson), nullptr, false);
  return text_of(json);
}

}  // namespace weir::admin
