// SPDX-License-Identifier: Apache-2.0
#include "admin/breakers.h"

#include <nlohmann/json.hpp>

#include "admin/metrics_rooms.h"
#include "admin/override_json.h"

namespace weir::admin {
namespace {

using Json = nlohmann::ordered_json;

int64_t millis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

Json counts(const base::OutcomeCounts& c) {
  return {{"calls", c.calls}, {"failures", c.failures}, {"slow", c.slow}, {"refused", c.refused}};
}

Json row_of(std::string_view level, const policy::ClusterBreakers::Row& row) {
  const policy::Breaker::Reading& r = row.reading;
  Json json{{"level", row.function.empty() ? level : "function"}};
  if (!row.function.empty()) json["function"] = row.function;
  json["state"] = breaker_word(r.state);
  json["forced"] = r.forced;
  if (r.until > Duration{0}) json["for_ms"] = millis(r.until);
  json["refused_at_random_percent"] = static_cast<double>(r.refused_ppm) / 1e4;
  json["window"] = counts(r.window);
  if (r.cause.calls > 0) json["last_opened_on"] = counts(r.cause);
  return json;
}

}  // namespace

std::string_view breaker_word(policy::BreakerState state) {
  switch (state) {
    case policy::BreakerState::kClosed:
      return "closed";
    case policy::BreakerState::kOpen:
      return "open";
    case policy::BreakerState::kHalfOpen:
      return "half_open";
    case policy::BreakerState::kRamp:
      return "ramp";
  }
  return {};
}

std::vector<BreakerTotals> breaker_totals(const proxy::Snapshot& snapshot, TimePoint now) {
  std::vector<BreakerTotals> out;
  for (size_t i = 0; i < snapshot.breakers.size(); ++i) {
    if (!snapshot.breakers[i]) continue;
    const ClusterConfig& config = snapshot.config->clusters[i];
    out.push_back({config.name, snapshot.breakers[i]->read(*config.circuit_breaker, now), {}});
  }
  const proxy::Cells* const cells = snapshot.cells.get();
  if (cells == nullptr || !cells->config().circuit_breaker) return out;
  for (uint32_t i = 0; i < cells->size(); ++i) {
    const auto reading = cells->record(i).breaker.read(*cells->config().circuit_breaker, now);
    out.push_back({{}, {{{}, reading}}, cells->member(i).name});
  }
  return out;
}

std::string breakers_json(const std::vector<BreakerTotals>& totals,
                          const std::vector<OverrideRow>& set) {
  Json clusters = Json::array();
  for (const BreakerTotals& of : totals) {
    Json rows = Json::array();
    for (const auto& row : of.rows) {
      Json json = row_of(of.level(), row);
      const std::string name = row.function.empty() ? of.name() : of.cluster + "/" + row.function;
      if (of.cell.empty()) add_override(json, set, OverrideKind::kBreaker, name);
      rows.push_back(std::move(json));
    }
    clusters.push_back({{of.level(), of.name()}, {"breakers", std::move(rows)}});
  }
  return Json{{"breakers", std::move(clusters)}}.dump(2, ' ', false,
                                                      Json::error_handler_t::replace) +
         "\n";
}

bool add_breakers(Metric metric, const Totals& t, Samples& out) {
  for (const BreakerTotals& of : t.breakers) {
    const policy::Breaker::Reading& own = of.rows.front().reading;
    switch (metric) {
      case Metric::kBreakerState:
        for (const auto state : {policy::BreakerState::kClosed, policy::BreakerState::kOpen,
                                 policy::BreakerState::kHalfOpen, policy::BreakerState::kRamp}) {
          out.add(own.state == state ? 1.0 : 0.0, {{std::string(of.level()), of.name()},
                                                   {"state", std::string(breaker_word(state))}});
        }
        break;
      case Metric::kBreakerChanges:
        out.add(own.changes, {{std::string(of.level()), of.name()}});
        break;
      case Metric::kBreakerFunctions: {
        if (!of.cell.empty()) break;
        double open = 0;
        for (const auto& row : of.rows) {
          if (!row.function.empty() && row.reading.state != policy::BreakerState::kClosed) ++open;
        }
        out.add(open, {{"cluster", of.cluster}});
        break;
      }
      default:
        return false;
    }
  }
  return metric == Metric::kBreakerState || metric == Metric::kBreakerChanges ||
         metric == Metric::kBreakerFunctions;
}

}  // namespace weir::admin
