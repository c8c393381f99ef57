// SPDX-License-Identifier: Apache-2.0
#include "proxy/snapshot.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::proxy {
namespace {

using Places = std::unordered_map<std::string_view, uint32_t>;

template <typename Named>
Places places_of(const std::vector<Named>& all, uint32_t bit) {
  Places out;
  for (uint32_t i = 0; i < all.size(); ++i) out[all[i].name] = i | bit;
  return out;
}

class Resolver {
 public:
  explicit Resolver(const Config& config)
      : config_(config),
        clusters_(places_of(config.clusters, 0)),
        releases_(places_of(config.releases, kReleaseBit)) {
    add_groups();
  }

  Targets run() {
    for (const ReleaseConfig& release : config_.releases) {
      auto& places = out_.of_release.emplace_back();
      for (const ReleaseRule& rule : release.rules) places.push_back(place(rule.to));
      places.push_back(place(release.default_to));
    }
    for (const RouteConfig& route : config_.routes) resolve(route.target);
    if (std::ranges::any_of(config_.routes, [](const auto& r) { return r.mirror.has_value(); })) {
      for (const RouteConfig& route : config_.routes) {
        out_.mirror_of_route.push_back(route.mirror ? clusters_.at(route.mirror->cluster) : 0);
      }
    }
    return std::move(out_);
  }

 private:
  void add_groups() {
    out_.groups = upstream::failover_instances(config_);
    for (uint32_t i = 0; i < out_.groups.size(); ++i) {
      const upstream::FailoverInstance& each = out_.groups[i];
      auto& own = out_.of_group.emplace_back();
      for (const uint32_t member : each.own) {
        own.push_back(clusters_.at(each.config.members[member].cluster));
      }
      const std::string& name = config_.failover_groups[each.group].name;
      if (each.own.empty()) {
        groups_[name] = i | kGroupBit;
        continue;
      }
      const auto next = static_cast<uint32_t>(out_.of_cells.size());
      const auto [place, first] = groups_.emplace(name, next | kCellsBit);
      if (first) out_.of_cells.emplace_back();
      out_.of_cells[place->second & ~kCellsBit].push_back(i | kGroupBit);
    }
  }

  void resolve(const RouteTarget& target) {
    auto& places = out_.of_route.emplace_back();
    if (const auto* one = std::get_if<ClusterTarget>(&target)) {
      places.push_back(cluster(one->cluster));
    } else if (const auto* group = std::get_if<FailoverTarget>(&target)) {
      places.push_back(groups_.at(group->group));
    } else if (const auto* release = std::get_if<ReleaseTarget>(&target)) {
      places.push_back(releases_.at(release->release));
    } else if (const auto* split = std::get_if<WeightedTarget>(&target)) {
      for (const WeightedCluster& each : split->clusters) {
        places.push_back(each.group.empty() ? cluster(each.cluster) : groups_.at(each.group));
      }
    }
  }

  uint32_t place(const std::string& name) {
    const auto group = groups_.find(name);
    return group == groups_.end() ? cluster(name) : group->second;
  }

  uint32_t cluster(const std::string& name) {
    const size_t at = name.find(kCellPlaceholder);
    if (at == std::string::npos) return clusters_.at(name);
    const auto known = templates_.find(name);
    if (known != templates_.end()) return known->second;
    const auto index = static_cast<uint32_t>(out_.of_cells.size()) | kCellsBit;
    auto& members = out_.of_cells.emplace_back();
    for (const CellConfig& cell : config_.cells->members) {
      std::string one = name;
      one.replace(at, std::string_view(kCellPlaceholder).size(), cell.name);
      members.push_back(clusters_.at(one));
    }
    return templates_[name] = index;
  }

  const Config& config_;
  const Places clusters_;
  Places groups_;
  const Places releases_;
  std::unordered_map<std::string, uint32_t> templates_;
  Targets out_;
};

// As Targets::in_cell.
std::vector<std::vector<uint32_t>> clusters_in_cells(const Config& config, const Targets& targets) {
  std::vector<std::vector<uint32_t>> out(config.cells->members.size());
  std::vector<bool> owned(config.clusters.size(), false);
  for (const auto& members : targets.of_cells) {
    for (size_t cell = 0; cell < members.size(); ++cell) {
      targets.each_in_cell(members[cell], [&](uint32_t cluster) {
        if (!owned[cluster]) out[cell].push_back(cluster);
        owned[cluster] = true;
      });
    }
  }
  const auto self = std::ranges::find(config.cells->members, config.cells->self, &CellConfig::name);
  if (self == config.cells->members.end()) return out;
  auto& here = out[static_cast<size_t>(self - config.cells->members.begin())];
  for (uint32_t i = 0; i < owned.size(); ++i) {
    if (!owned[i]) here.push_back(i);
  }
  return out;
}

}  // namespace

Targets resolve_targets(const Config& config) {
  Targets out = Resolver(config).run();
  if (config.cells) out.in_cell = clusters_in_cells(config, out);
  return out;
}

}  // namespace weir::proxy
