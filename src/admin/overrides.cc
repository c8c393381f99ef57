// SPDX-License-Identifier: Apache-2.0
#include "admin/overrides.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "admin/metrics_rooms.h"
#include "admin/override_json.h"

namespace weir::admin {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(OverrideKind::kCount)> kWords{
    "endpoint", "weight", "cluster", "cell", "breaker", "fault"};

// "1h5m", "4m59s": whole seconds, rounded up.
std::string round_time(Millis time) {
  const auto all = std::chrono::ceil<std::chrono::seconds>(time).count();
  std::string out;
  if (all >= 3600) out += std::to_string(all / 3600) + "h";
  if (all / 60 % 60 != 0) out += std::to_string(all / 60 % 60) + "m";
  if (all % 60 != 0 || all == 0) out += std::to_string(all % 60) + "s";
  return out;
}

// A cluster with what was set of it and of its endpoints.
struct ClusterLines {
  std::string state;
  std::map<std::string, std::string> endpoints;  ///< Their keys, by address.
};

void add_endpoint(const OverrideRow& row, const char* key,
                  std::map<std::string, ClusterLines>& clusters) {
  clusters[row.cluster].endpoints[row.part] +=
      "        " + std::string(key) + ": " + row.yaml + "\n";
}

std::string cluster_lines(const std::map<std::string, ClusterLines>& clusters) {
  if (clusters.empty()) return {};
  std::string out = "clusters:\n";
  for (const auto& [name, lines] : clusters) {
    out += "  " + name + ":\n";
    if (!lines.state.empty()) out += "    state: " + lines.state + "\n";
    if (!lines.endpoints.empty()) out += "    endpoints:\n";
    for (const auto& [address, keys] : lines.endpoints) {
      out += "      - address: \"" + address + "\"\n" + keys;
    }
  }
  return out;
}

}  // namespace

std::string_view override_word(OverrideKind kind) { return kWords[static_cast<size_t>(kind)]; }

std::optional<OverrideKind> override_kind(std::string_view word) {
  const auto found = std::ranges::find(kWords, word);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<OverrideKind>(found - kWords.begin());
}

std::string_view end_word(OverrideEnd end) {
  switch (end) {
    case OverrideEnd::kReload:
      return "reload";
    case OverrideEnd::kTime:
      return "time";
    case OverrideEnd::kNever:
      break;
  }
  return "kept";
}

std::string override_end(const OverrideRow& row) {
  switch (row.end) {
    case OverrideEnd::kReload:
      return "until the next reload";
    case OverrideEnd::kTime:
      return "for " + round_time(row.left) + " more";
    case OverrideEnd::kNever:
      break;
  }
  return "until it is taken back";
}

std::string override_line(const OverrideRow& row) {
  std::string out = std::string(override_word(row.kind)) + " " + row.name + ": ";
  if (!row.configured.empty()) out += row.configured + " -> ";
  out += row.value + ", " + override_end(row);
  if (row.age >= std::chrono::seconds(2)) out += "; set " + round_time(row.age) + " ago";
  return row.who.empty() ? out : out + " by " + row.who;
}

std::string overrides_json(const std::vector<OverrideRow>& rows) {
  using Json = nlohmann::ordered_json;
  return Json{{"overrides", override_array<Json>(rows)}}.dump(2, ' ', false,
                                                              Json::error_handler_t::replace) +
         "\n";
}

std::string overrides_yaml(const std::vector<OverrideRow>& rows) {
  std::map<std::string, ClusterLines> clusters;
  std::string cells;
  std::string rest;
  for (const OverrideRow& row : rows) {
    if (row.yaml.empty()) {
      rest += "# No key says this: " + override_line(row) + "\n";
    } else if (row.kind == OverrideKind::kEndpoint) {
      add_endpoint(row, "state", clusters);
    } else if (row.kind == OverrideKind::kWeight) {
      add_endpoint(row, "weight", clusters);
    } else if (row.kind == OverrideKind::kCluster) {
      clusters[row.name].state = row.yaml;
    } else {
      cells += "    " + row.name + ":\n      state: " + row.yaml + "\n";
    }
  }
  if (!cells.empty()) cells = "cells:\n  members:\n" + cells;
  const std::string keys = cluster_lines(clusters) + cells;
  if (rows.empty()) return "# Nothing is set by hand.\n";
  return (keys.empty()
              ? ""
              : "# Change these lines of the config, leave the others, then reload.\n" + keys) +
         rest;
}

const OverrideRow* find_override(const std::vector<OverrideRow>& rows, OverrideKind kind,
                                 std::string_view name) {
  const auto found = std::ranges::find_if(
      rows, [&](const OverrideRow& row) { return row.kind == kind && row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

bool add_overrides(Metric metric, const Totals& totals, Samples& out) {
  if (metric != Metric::kOverrides) return false;
  for (size_t i = 0; i < kWords.size(); ++i) {
    const auto count =
        std::ranges::count(totals.overrides, static_cast<OverrideKind>(i), &OverrideRow::kind);
    out.add(count, {{"kind", std::string(kWords[i])}});
  }
  return true;
}

}  // namespace weir::admin
