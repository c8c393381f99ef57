// SPDX-License-Identifier: Apache-2.0
#include "config/validate.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/nearest.h"

namespace weir::config {

namespace {

std::string line_of(const SourceLocation& at) { return "line " + std::to_string(at.line); }

class CrossCheck {
 public:
  CrossCheck(const Config& config, Diagnostics& out) : config_(config), out_(out) {}

  void run() {
    check_listeners();
    for (const ClusterConfig& cluster : config_.clusters) clusters_.insert(cluster.name);
    for (const ClusterConfig& cluster : config_.clusters) check_endpoints(cluster);
    for (const FailoverGroupConfig& group : config_.failover_groups) check_group(group);
    for (const std::string& name : config_.admin.ready_when) check_ready_when(name);
    if (config_.region) check_region(*config_.region);
    for (const ClusterConfig& cluster : config_.clusters) check_fallback(cluster);
    for (const ReleaseConfig& release : config_.releases) check_release(release);
    for (const RouteConfig& route : config_.routes) check_route(route);
    warn_unused();
  }

 private:
  void take_address(const Address& address, const std::string& by, const SourceLocation& at) {
    const bool any_port = address.kind == Address::Kind::kIp && address.port == 0;
    if (any_port || address.text.empty()) return;
    const auto [taken, is_new] = addresses_.emplace(address.text, by);
    if (is_new) return;
    out_.error(at, by,
               {"`" + address.text + "` is taken by " + taken->second,
                "give each its own port or socket"});
  }

  void check_listeners() {
    const AdminConfig& admin = config_.admin;
    if (admin.address) take_address(*admin.address, "admin.address", admin.location);
    if (admin.metrics) take_address(*admin.metrics, "admin.metrics", admin.location);
    for (const ListenerConfig& listener : config_.listeners) {
      take_address(listener.address, "listeners." + listener.name + ".address", listener.location);
    }
    if (!config_.listeners.empty()) return;
    out_.error({0, 0, 0}, "listeners",
               {"no listener, so there is nothing to serve",
                "add listeners: {edge: {address: 127.0.0.1:8080}}"});
  }

  void check_ready_when(const std::string& name) {
    check_known(name, clusters_, {config_.admin.location, "admin.ready_when", "cluster"});
  }

  void check_region(const RegionConfig& region) {
    for (const std::string& name : region.clusters) {
      check_known(name, clusters_, {region.location, "region.clusters", "cluster"});
    }
    for (const std::string& name : region.failover_groups) {
      check_known(name, groups_, {region.location, "region.failover_groups", "failover group"});
    }
  }

  struct Mention {
    const SourceLocation& at;
    std::string key;
    std::string what;
  };

  void check_known(const std::string& name, const std::unordered_set<std::string_view>& names,
                   const Mention& mention) {
    if (names.contains(name)) return;
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view close = nearest(name, known);
    const std::string where = mention.what == "cluster" ? "clusters:" : "failover_groups:";
    out_.error(
        mention.at, mention.key,
        {"there is no " + mention.what + " `" + name + "`",
         close.empty() ? "add it under " + where : "did you mean `" + std::string(close) + "`?"});
  }

  void check_endpoints(const ClusterConfig& cluster) {
    const std::string key = "clusters." + cluster.name + ".endpoints";
    std::unordered_map<std::string_view, const EndpointConfig*> seen;
    bool any_weight = cluster.endpoints.empty();
    for (const EndpointConfig& endpoint : cluster.endpoints) {
      any_weight = any_weight || endpoint.weight != 0;
      if (endpoint.address.text.empty()) continue;
      const auto [first, is_new] = seen.emplace(endpoint.address.text, &endpoint);
      if (is_new) continue;
      out_.error(endpoint.location, key,
                 {"`" + endpoint.address.text + "` is there twice, first in " +
                      line_of(first->second->location),
                  "list it once; weight gives it a larger part"});
    }
    if (any_weight) return;
    out_.error(cluster.location, key,
               {"the weights add up to 0",
                "give at least one endpoint a weight above 0; "
                "state: drain takes the whole cluster out"});
  }

  void check_route(const RouteConfig& route) {
    if (!route.name.empty()) {
      const auto [first, is_new] = routes_.emplace(route.name, &route);
      if (!is_new) {
        out_.error(route.location, "routes." + route.name,
                   {"two routes have this name, the first in " + line_of(first->second->location),
                    "names tell routes apart in logs and metrics; give each its own"});
      }
    }
    if (const auto* one = std::get_if<ClusterTarget>(&route.target)) {
      check_clusters(one->cluster, route.target_location, key_of(route, "target.cluster"));
    } else if (const auto* many = std::get_if<WeightedTarget>(&route.target)) {
      for (const WeightedCluster& part : many->clusters) {
        if (!part.group.empty()) {
          check_group_name(part.group, part.location, key_of(route, "target.weighted"));
        } else {
          check_clusters(part.cluster, part.location, key_of(route, "target.weighted"));
        }
      }
    } else if (const auto* group = std::get_if<FailoverTarget>(&route.target)) {
      check_group_name(group->group, route.target_location, key_of(route, "target.failover_group"));
    } else if (const auto* release = std::get_if<ReleaseTarget>(&route.target)) {
      check_release_name(release->release, route);
    }
    check_timeouts(route);
    if (route.mirror) check_mirror(route);
  }

  void check_mirror(const RouteConfig& route) {
    const MirrorConfig& mirror = *route.mirror;
    const std::string key = key_of(route, "mirror.cluster");
    if (leads_to(route.target, mirror.cluster)) {
      out_.error(
          mirror.location, key,
          {"the route itself leads to `" + mirror.cluster + "`, which would get its requests twice",
           "name a cluster that stands beside it"});
    } else {
      check_cluster_name(mirror.cluster, mirror.location, key);
    }
    if (mirror.max_body_bytes <= config_.mirroring.max_bytes) return;
    out_.warning(mirror.location, key_of(route, "mirror.max_body"),
                 {"more than mirroring.max_bytes, so such bodies are never copied", ""});
  }

  // Whether it may be where requests for `target` go. Clusters of cells are told apart by their
  // cell.
  bool leads_to(const RouteTarget& target, const std::string& cluster) const {
    if (const auto* one = std::get_if<ClusterTarget>(&target)) return asks(one->cluster, cluster);
    if (const auto* group = std::get_if<FailoverTarget>(&target)) {
      return group_holds(group->group, cluster);
    }
    if (const auto* many = std::get_if<WeightedTarget>(&target)) {
      return std::ranges::any_of(many->clusters, [&](const WeightedCluster& part) {
        return asks(part.cluster, cluster) || group_holds(part.group, cluster);
      });
    }
    const auto* by = std::get_if<ReleaseTarget>(&target);
    if (by == nullptr) return false;
    const auto release = std::ranges::find(config_.releases, by->release, &ReleaseConfig::name);
    if (release == config_.releases.end()) return false;
    const auto is = [&](const std::string& place) {
      return asks(place, cluster) || group_holds(place, cluster);
    };
    return is(release->default_to) || std::ranges::any_of(release->rules, is, &ReleaseRule::to);
  }

  bool group_holds(const std::string& name, const std::string& cluster) const {
    const auto group = std::ranges::find(config_.failover_groups, name, &FailoverGroupConfig::name);
    return group != config_.failover_groups.end() &&
           std::ranges::any_of(group->members, [&](const FailoverMemberConfig& member) {
             return asks(member.cluster, cluster);
           });
  }

  // A cluster gets what is meant for it, and what another one's open breaker sends there.
  bool asks(const std::string& place, const std::string& cluster) const {
    if (place == cluster) return true;
    const auto at = std::ranges::find(config_.clusters, place, &ClusterConfig::name);
    return at != config_.clusters.end() && at->circuit_breaker && at->circuit_breaker->fallback &&
           at->circuit_breaker->fallback->cluster == cluster;
  }

  void check_fallback(const ClusterConfig& cluster) {
    if (!cluster.circuit_breaker || !cluster.circuit_breaker->fallback) return;
    const BreakerFallback& fallback = *cluster.circuit_breaker->fallback;
    const std::string key = "clusters." + cluster.name + ".circuit_breaker.fallback.cluster";
    if (fallback.cluster == cluster.name && !cluster.name.empty()) {
      out_.error(fallback.location, key,
                 {"falls back on itself", "name another cluster, or give a direct answer"});
      return;
    }
    check_cluster_name(fallback.cluster, fallback.location, key);
  }

  static std::string key_of(const RouteConfig& route, std::string_view key) {
    return "routes." + route.name + "." + std::string(key);
  }

  // A cluster, or one for each cell.
  void check_clusters(const std::string& name, const SourceLocation& where,
                      const std::string& key) {
    const std::size_t at = name.find(kCellPlaceholder);
    if (at == std::string::npos) return check_cluster_name(name, where, key);
    if (!config_.cells) {
      return out_.error(where, key,
                        {"`{cell}` without cells", "add cells: {members: {c1: {}, c2: {}}}"});
    }
    for (const CellConfig& cell : config_.cells->members) {
      std::string one = name;
      one.replace(at, std::string_view(kCellPlaceholder).size(), cell.name);
      const auto found = clusters_.find(one);
      if (found != clusters_.end()) {
        used_.insert(*found);
        continue;
      }
      out_.error(
          where, key,
          {"cell `" + cell.name + "` has no endpoint here: there is no cluster `" + one + "`",
           "add it under clusters:"});
    }
  }

  void check_release(const ReleaseConfig& release) {
    releases_.insert(release.name);
    const std::string key = "releases." + release.name;
    check_place(release.default_to, release.default_location, key + ".default");
    for (const ReleaseRule& rule : release.rules) {
      check_place(rule.to, rule.to_location, key + ".rules." + rule.label + ".to");
    }
  }

  // A cluster, one for each cell, or a failover group.
  void check_place(const std::string& name, const SourceLocation& at, const std::string& key) {
    if (!groups_.contains(name)) {
      const bool exact = name.find(kCellPlaceholder) == std::string::npos;
      const std::vector<std::string_view> groups(groups_.begin(), groups_.end());
      const std::string_view close = nearest(name, groups);
      if (!exact || clusters_.contains(name) || close.empty()) {
        return check_clusters(name, at, key);
      }
      return check_group_name(name, at, key);
    }
    used_groups_.insert(name);
    if (!clusters_.contains(name)) return;
    used_.insert(name);
    out_.error(at, key,
               {"`" + name + "` is both a cluster and a failover group", "rename one of them"});
  }

  void check_release_name(const std::string& name, const RouteConfig& route) {
    used_releases_.insert(name);
    if (name.empty() || releases_.contains(name)) return;
    const std::vector<std::string_view> known(releases_.begin(), releases_.end());
    const std::string_view close = nearest(name, known);
    used_releases_.insert(close);
    out_.error(
        route.target_location, key_of(route, "target.release"),
        {"there is no release `" + name + "`",
         close.empty() ? "add it under releases:" : "did you mean `" + std::string(close) + "`?"});
  }

  void check_cluster_name(const std::string& name, const SourceLocation& at,
                          const std::string& key) {
    if (name.empty() || clusters_.contains(name)) {
      used_.insert(name);
      return;
    }
    const std::vector<std::string_view> known(clusters_.begin(), clusters_.end());
    const std::string_view close = nearest(name, known);
    used_.insert(close);  // a misspelt use is a use
    std::string hint = "did you mean `" + std::string(close) + "`?";
    if (close.empty()) hint = known.empty() ? "clusters: is empty" : "add it under clusters:";
    out_.error(at, key, {"there is no cluster `" + name + "`", std::move(hint)});
  }

  void check_group(const FailoverGroupConfig& group) {
    groups_.insert(group.name);
    for (const FailoverMemberConfig& member : group.members) {
      check_clusters(member.cluster, member.location, "failover_groups." + group.name + ".members");
    }
    if (config_.cells) check_repeated(group);
  }

  // What is there twice only where {cell} stands for a cell.
  void check_repeated(const FailoverGroupConfig& group) {
    std::unordered_map<std::string, std::string> named;
    for (const FailoverMemberConfig& member : group.members) {
      for (const std::string& cluster : config_.cells->cluster_names(member.cluster)) {
        const auto [first, is_new] = named.emplace(cluster, member.cluster);
        if (is_new || first->second == member.cluster) continue;
        out_.error(member.location, "failover_groups." + group.name + ".members",
                   {"`" + cluster + "` is a member already, as `" + first->second + "`",
                    "keep one of them"});
      }
    }
  }

  void check_group_name(const std::string& name, const SourceLocation& at, const std::string& key) {
    if (name.empty() || groups_.contains(name)) {
      used_groups_.insert(name);
      return;
    }
    const std::vector<std::string_view> known(groups_.begin(), groups_.end());
    const std::string_view close = nearest(name, known);
    used_groups_.insert(close);
    out_.error(at, key,
               {"there is no failover group `" + name + "`",
                close.empty() ? "add it under failover_groups:"
                              : "did you mean `" + std::string(close) + "`?"});
  }

  void check_timeouts(const RouteConfig& route) {
    const auto& per_try = route.retry.per_try_timeout;
    if (!route.timeout || !per_try || *per_try <= *route.timeout) return;
    out_.warning(route.location, "routes." + route.name + ".retry.per_try_timeout",
                 {"longer than the route's timeout, so it never ends a try", ""});
  }

  void warn_unused() {
    for (const ClusterConfig& cluster : config_.clusters) {
      if (used_.contains(cluster.name)) continue;
      out_.warning(cluster.location, "clusters." + cluster.name,
                   {"no route leads to this cluster", ""});
    }
    for (const FailoverGroupConfig& group : config_.failover_groups) {
      if (used_groups_.contains(group.name)) continue;
      out_.warning(group.location, "failover_groups." + group.name,
                   {"no route leads to this group", ""});
    }
    for (const ReleaseConfig& release : config_.releases) {
      if (used_releases_.contains(release.name)) continue;
      out_.warning(release.location, "releases." + release.name,
                   {"no route leads to this release", ""});
    }
    if (!config_.routes.empty()) return;
    out_.warning({0, 0, 0}, "routes", {"no route, so every request gets 404", ""});
  }

  const Config& config_;
  Diagnostics& out_;
  std::unordered_map<std::string, std::string> addresses_;
  std::unordered_set<std::string_view> clusters_;
  std::unordered_set<std::string_view> used_;
  std::unordered_set<std::string_view> groups_;
  std::unordered_set<std::string_view> used_groups_;
  std::unordered_set<std::string_view> releases_;
  std::unordered_set<std::string_view> used_releases_;
  std::unordered_map<std::string_view, const RouteConfig*> routes_;
};

}  // namespace

void validate(const Config& config, Diagnostics& diagnostics) {
  CrossCheck(config, diagnostics).run();
}

}  // namespace weir::config
