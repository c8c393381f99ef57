// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/commands.h"
#include "app/compile.h"
#include "app/exit_code.h"
#include "app/explain_cells.h"
#include "app/explain_owner.h"
#include "app/explain_placement.h"
#include "app/explain_release.h"
#include "base/arena.h"
#include "http/head.h"
#include "route/explain.h"
#include "route/order.h"
#include "route/rewrite.h"

namespace weir::app {
namespace {

constexpr size_t kBlock = 4096;

/// The request as its bytes would come, so that it is read by the parser that reads requests.
std::string request_text(const Options& options) {
  std::string url = options.url;
  const size_t scheme = url.find("://");
  if (scheme != std::string::npos) url.erase(0, scheme + 3);
  const size_t slash = std::min(url.find_first_of("/?"), url.size());
  const std::string authority = url.substr(0, slash);
  std::string target = url.substr(slash);
  if (!target.starts_with('/')) target.insert(0, "/");
  std::string text = options.method + " " + target + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  for (const std::string& header : options.headers) text += header + "\r\n";
  return text + "\r\n";
}

std::string describe(const route::Route& route) {
  struct Visitor {
    std::string operator()(const ClusterTarget& t) const { return "cluster " + t.cluster; }
    std::string operator()(const FailoverTarget& t) const { return "failover group " + t.group; }
    std::string operator()(const WeightedTarget& t) const {
      std::string text = "one of";
      for (const WeightedCluster& c : t.clusters) {
        text += " " + (c.cluster.empty() ? "failover group " + c.group : c.cluster) + " (weight " +
                std::to_string(c.weight) + ")";
      }
      return text;
    }
    std::string operator()(const ReleaseTarget& t) const { return "release " + t.release; }
    std::string operator()(const DirectTarget& t) const {
      return "a direct answer with status " + std::to_string(t.status);
    }
    std::string operator()(const RedirectTarget& t) const {
      return "a redirect with status " + std::to_string(t.status);
    }
  };
  return std::visit(Visitor{}, route.target());
}

// The groups that a target may lead to, each with its members in the order in which they are asked.
void print_group(const Config& config, std::string_view name) {
  const auto group = std::ranges::find(config.failover_groups, name, &FailoverGroupConfig::name);
  if (group == config.failover_groups.end()) return;
  std::vector<FailoverMemberConfig> members = group->members;
  const auto foreign = [&](const FailoverMemberConfig& m) {
    return config.zone.empty() || m.zone != config.zone;
  };
  std::ranges::stable_sort(members, {}, [&](const FailoverMemberConfig& m) {
    return std::pair(m.priority, foreign(m));
  });
  std::printf("failover group %s, in this order:\n", group->name.c_str());
  for (const FailoverMemberConfig& member : members) {
    std::string line = "  " + member.cluster + " (priority " + std::to_string(member.priority);
    if (member.capacity) {
      line += ", at most " +
              std::to_string(std::max(1U, *member.capacity / std::max(1U, group->fleet_size))) +
              " requests at once";
    }
    if (!member.region.empty()) line += ", region " + member.region;
    if (!member.zone.empty()) line += ", zone " + member.zone;
    std::printf("%s)\n", line.c_str());
  }
}

// Names of what a target may lead to; empty ones are of the other kind.
struct Places {
  std::vector<std::string> clusters;
  std::vector<std::string> groups;
};

// A release is asked which one.
Places places_of(const RouteTarget& target) {
  if (const auto* one = std::get_if<ClusterTarget>(&target)) return {{one->cluster}, {}};
  if (const auto* group = std::get_if<FailoverTarget>(&target)) return {{}, {group->group}};
  Places out;
  if (const auto* weighted = std::get_if<WeightedTarget>(&target)) {
    for (const WeightedCluster& part : weighted->clusters) {
      out.clusters.push_back(part.cluster);
      out.groups.push_back(part.group);
    }
  }
  return out;
}

// The members of a group that stand for cells are places of theirs.
void add_cells_of(const Config& config, std::string_view name, std::vector<std::string>& out) {
  const auto group = std::ranges::find(config.failover_groups, name, &FailoverGroupConfig::name);
  if (group == config.failover_groups.end()) return;
  for (const FailoverMemberConfig& member : group->members) {
    if (member.cluster.find(kCellPlaceholder) != std::string::npos) out.push_back(member.cluster);
  }
}

// What the origin would see; nothing for routes that weir answers itself.
void print_as_sent(const route::Route& route, const RequestHead& head, base::Arena& arena) {
  if (!is_forwarded(route.target())) return;
  const auto path = route::rewrite_path(route, head.path, arena);
  if (!path) {
    std::puts("sent as: nothing, because the rewrite makes no valid path of it");
    return;
  }
  const std::string_view host = route::rewrite_host(route, head.authority, "(the endpoint's)");
  const std::string line = std::string(head.method_text) + " " + std::string(*path) +
                           (head.has_query ? "?" + std::string(head.query) : std::string()) +
                           " with Host: " + std::string(host);
  std::printf("sent as: %s\n", line.c_str());
}

void print_mirror(const route::Route& route) {
  const auto& mirror = route.config().mirror;
  if (!mirror) return;
  std::printf("mirror: %g %% of them are copied to cluster %s, with bodies up to %llu bytes\n",
              static_cast<double>(mirror->sample.ppm) / 1e4, mirror->cluster.c_str(),
              static_cast<unsigned long long>(mirror->max_body_bytes));
}

int explain_request(const Options& options, Compiled& compiled) {
  const route::Table& table = *compiled.routes;
  const std::optional<Sender> sender = find_sender(options, *compiled.config);
  if (!sender) return kExitUsage;
  base::Account account;
  base::BlockPool blocks(kBlock, 1);
  base::Arena arena(blocks, account);
  const std::string text = request_text(options);
  const http::HeadLimits limits;
  RequestHead head;
  const auto end = http::find_head_end(text, 0, limits, http::MessageKind::kRequest);
  Result<void> parsed = end ? http::parse_request_head(text, limits, arena, head)
                            : Result<void>(std::unexpected(end.error()));
  if (!parsed || *end != text.size()) {
    const ErrorInfo& info = error_info(parsed ? ErrorCode::kBadHeader : parsed.error().code);
    const char* const detail = parsed ? nullptr : parsed.error().detail;
    std::printf("no route is asked: weir answers %u %.*s\n  %s%s%.*s\n", unsigned{info.status},
                static_cast<int>(info.reason.size()), info.reason.data(), detail ? detail : "",
                detail ? "; " : "", static_cast<int>(info.hint.size()), info.hint.data());
    return kExitNoRoute;
  }
  const route::Explanation explanation = route::explain(table, head);
  std::fputs(route::to_text(table, explanation).c_str(), stdout);
  if (explanation.route == nullptr) return kExitNoRoute;
  std::printf("target: %s\n", describe(*explanation.route).c_str());
  Places places = places_of(explanation.route->target());
  if (std::holds_alternative<ReleaseTarget>(explanation.route->target())) {
    ReleaseWords words = explain_release(compiled, *sender, *explanation.route, head, arena);
    std::fputs(words.text.c_str(), stdout);
    places = {{words.to}, {words.to}};
  }
  for (const std::string& group : places.groups) {
    print_group(*compiled.config, group);
    add_cells_of(*compiled.config, group, places.clusters);
  }
  std::fputs(explain_cells(compiled, *explanation.route, head, places.clusters, arena).c_str(),
             stdout);
  print_as_sent(*explanation.route, head, arena);
  print_mirror(*explanation.route);
  std::fputs(explain_hedge(*explanation.route, head, sender->trusted).c_str(), stdout);
  std::fputs(explain_region(compiled, *explanation.route).c_str(), stdout);
  print_owner(compiled, *sender, head, *explanation.route);
  return kExitOk;
}

}  // namespace

int run_explain(const Options& options) {
  CompileResult compiled = compile_file(options.config, nullptr);
  if (!compiled) {
    std::fputs(config::render(compiled.error(), config::ReportFormat::kText).c_str(), stderr);
    return kExitConfig;
  }
  if (options.order) std::fputs(route::print_order(*compiled->routes).c_str(), stdout);
  return options.url.empty() ? kExitOk : explain_request(options, *compiled);
}

}  // namespace weir::app
