// SPDX-License-Identifier: Apache-2.0
#include "app/explain_placement.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/request_head.h"
#include "upstream/recent_latency.h"

namespace weir::app {
namespace {

// The first thing that keeps it from being hedged whatever happens; empty: nothing does.
std::string why_never(const route::Route& route, const RequestHead& head, bool trusted) {
  if (!route.config().hedge) return "the route has no `hedge`";
  const bool safe = head.method == Method::kGet || head.method == Method::kHead ||
                    head.method == Method::kOptions;
  if (!safe) return "only GET, HEAD and OPTIONS are";
  if (head.body.kind != BodyFraming::Kind::kNone) return "it has a body";
  if (!head.protocol.empty()) return "it asks for a tunnel";
  const bool repeated = trusted && std::ranges::any_of(head.headers, [](const Header& header) {
                          return proxy::is_attempt_header(header) && header.value != "1";
                        });
  return repeated ? "another weir tries it again already" : "";
}

std::string moment_of(const HedgeConfig& hedge) {
  if (const auto* fixed = std::get_if<Millis>(&hedge.after)) {
    return std::to_string(fixed->count()) + " ms";
  }
  const auto percentile = std::get<LatencyPercentile>(hedge.after);
  return "p" + std::to_string(percentile.percent) +
         " of what the cluster's answers have lately taken, once it has given " +
         std::to_string(upstream::RecentLatency::kLeast);
}

// A cluster or group that the target leads to.
std::string words_of(const Compiled& compiled, uint32_t end) {
  const Config& config = *compiled.config;
  const RegionConfig& region = *config.region;
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  std::string out;
  bool required = false;
  if ((end & proxy::kGroupBit) != 0) {
    const upstream::FailoverInstance& instance = compiled.targets.groups[end & ~proxy::kGroupBit];
    const FailoverGroupConfig& group = instance.config;
    required = has(region.failover_groups, config.failover_groups[instance.group].name);
    out = "  failover group " + group.name;
    std::string here;
    for (const FailoverMemberConfig& member : group.members) {
      if (member.region == region.name) here += (here.empty() ? "" : ", ") + member.cluster;
    }
    if (!here.empty()) out += ", by its members here: " + here;
  } else {
    const std::string& name = config.clusters[end].name;
    required = has(region.clusters, name);
    out = "  cluster " + name;
  }
  return out + (required ? "; without it the region leaves the answer\n" : "\n");
}

}  // namespace

std::string explain_hedge(const route::Route& route, const RequestHead& head, bool trusted) {
  if (!is_forwarded(route.target())) return {};
  const std::string never = why_never(route, head, trusted);
  if (!never.empty()) return "hedge: never, " + never + "\n";
  return "hedge: to a second endpoint when no answer has begun after " +
         moment_of(*route.config().hedge) + "; the retry budget pays\n";
}

std::string explain_region(const Compiled& compiled, const route::Route& route) {
  const Config& config = *compiled.config;
  if (!config.region) return {};
  const RegionConfig& region = *config.region;
  std::set<uint32_t> ends;
  proxy::each_used(config, compiled.targets, route.index(),
                   [&ends](uint32_t end) { ends.insert(end); });
  const std::string title = "region: " + region.name + " ";
  if (ends.empty()) return title + "is not judged by this route\n";
  std::string out = title + "is judged by\n";
  for (const uint32_t end : ends) out += words_of(compiled, end);
  return out;
}

}  // namespace weir::app
