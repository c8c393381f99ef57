// SPDX-License-Identifier: Apache-2.0
#include "upstream/cluster_manager.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "upstream/dns_cluster.h"
#include "upstream/membership.h"

namespace weir::upstream {

struct ClusterManager::Entry {
  Entry(HealthOffice& office, const std::string& name)
      : cluster(std::make_shared<Cluster>(name)), membership(office, cluster) {}

  const std::shared_ptr<Cluster> cluster;
  Membership membership;
  std::vector<EndpointSpec> specs;  ///< As published; of a static cluster.
  BalancePolicy policy = BalancePolicy::kLeastRequest;
  std::string zone;                 ///< Its own, where the cluster is zone-aware.
  std::unique_ptr<DnsCluster> dns;  ///< Null for a static cluster.
};

namespace {

std::vector<EndpointSpec> specs_of(const ClusterConfig& config) {
  std::vector<EndpointSpec> specs;
  specs.reserve(config.endpoints.size());
  for (const EndpointConfig& endpoint : config.endpoints) {
    // A path is no host name; what listens there takes the local machine's.
    const bool is_unix = endpoint.address.kind == Address::Kind::kUnix;
    specs.push_back({endpoint.address, is_unix ? "localhost" : endpoint.address.text,
                     endpoint.weight, endpoint.zone, endpoint.state});
  }
  return specs;
}

Millis millis(Duration duration) {
  return std::max(Millis{0}, std::chrono::duration_cast<Millis>(duration));
}

EndpointSnapshot endpoint_of(const EndpointSet::Member& member, const HealthRules& rules,
                             TimePoint now) {
  const Endpoint& endpoint = *member.endpoint;
  const EndpointHealth& health = endpoint.health;
  EndpointSnapshot out;
  out.address = endpoint.text;
  out.host = endpoint.host;
  out.zone = member.zone;
  out.weight = member.weight;
  out.state = member.state;
  out.active_requests = endpoint.active_requests.load(std::memory_order_relaxed);
  out.connections = endpoint.connections.load(std::memory_order_relaxed);
  out.health = health.state(rules, now);
  out.reason = health.reason();
  if (health.standing() == Standing::kIn && member.state == OperatorState::kReady) {
    out.weight_now = static_cast<std::uint32_t>(std::uint64_t{member.weight} *
                                                health.ramp(rules, now) / EndpointSet::kWholeRamp);
  }
  out.since = millis(now - health.since());
  if (out.health == HealthState::kEjected) out.ejected_for = millis(health.ejected_until() - now);
  out.ejections = health.ejections();
  return out;
}

}  // namespace

ClusterManager::ClusterManager(net::Loop& loop, net::Resolver& resolver, AutoLimits automatic)
    : loop_(loop),
      resolver_(resolver),
      automatic_(automatic),
      office_(loop, static_cast<std::uint64_t>(loop.wall().time_since_epoch().count()),
              std::clamp(automatic.max_connections / 8, 16U, 1'024U)) {}

ClusterManager::~ClusterManager() = default;

std::shared_ptr<const ClusterList> ClusterManager::apply(const std::vector<ClusterConfig>& configs,
                                                         const TlsContexts& tls) {
  DCHECK(tls.empty() || tls.size() == configs.size());
  std::vector<std::unique_ptr<Entry>> entries;
  std::vector<std::shared_ptr<Cluster>> clusters;
  for (const ClusterConfig& config : configs) {
    const std::size_t place = entries.size();
    entries.push_back(take_or_make(config.name));
    update(*entries.back(), config, tls.empty() ? nullptr : tls[place]);
    clusters.push_back(entries.back()->cluster);
  }
  // Those that have no entry any more live on where exchanges use them.
  by_name_.clear();
  entries_ = std::move(entries);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    by_name_.emplace(entries_[i]->cluster->name(), i);
  }
  return std::make_shared<const ClusterList>(std::move(clusters));
}

std::unique_ptr<ClusterManager::Entry> ClusterManager::take_or_make(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return std::exchange(entries_[found->second], nullptr);
  return std::make_unique<Entry>(office_, name);
}

void ClusterManager::update(Entry& entry, const ClusterConfig& config,
                            std::shared_ptr<const net::TlsClientContext> tls) {
  const auto shared = std::make_shared<const ClusterConfig>(config);
  entry.membership.configure(shared, tls);
  entry.cluster->publish(shared, ClusterLimits::from(config, automatic_), std::move(tls),
                         entry.membership.port());
  if (config.dns) {
    follow_name(entry, config);
  } else {
    publish_static(entry, config);
  }
}

void ClusterManager::publish_static(Entry& entry, const ClusterConfig& config) {
  std::vector<EndpointSpec> specs = specs_of(config);
  const BalancePolicy policy = config.load_balancing.policy;
  const auto previous = entry.cluster->published().endpoints;
  const bool was_static = entry.dns == nullptr && previous != nullptr;
  // A hash table or a rotation takes milliseconds to work out: not for nothing at each reload.
  const std::string& zone = config.load_balancing.own_zone;
  if (was_static && specs == entry.specs && policy == entry.policy && zone == entry.zone) return;
  entry.dns = nullptr;
  entry.membership.set(specs, policy);
  entry.specs = std::move(specs);
  entry.policy = policy;
  entry.zone = zone;
}

void ClusterManager::follow_name(Entry& entry, const ClusterConfig& config) {
  if (entry.dns != nullptr && entry.dns->serves(*config.dns)) {
    entry.dns->set_policy(config.load_balancing.policy);
    return;
  }
  if (entry.cluster->published().endpoints == nullptr) {
    entry.membership.set({}, config.load_balancing.policy, ErrorCode::kDnsFailure);
  }
  entry.specs.clear();
  entry.dns = std::make_unique<DnsCluster>(loop_, resolver_, entry.membership, config);
}

Cluster* ClusterManager::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : entries_[found->second]->cluster.get();
}

bool ClusterManager::set_state(std::string_view name, std::optional<OperatorState> state) {
  Cluster* const cluster = find(name);
  if (cluster == nullptr) return false;
  cluster->set_state(state);
  return true;
}

bool ClusterManager::set_endpoint(std::string_view cluster, const std::string& address,
                                  const EndpointOverride& said) {
  const auto found = by_name_.find(cluster);
  if (found == by_name_.end()) return false;
  entries_[found->second]->membership.say(address, said);
  return true;
}

const std::vector<EndpointSpec>* ClusterManager::specs(std::string_view cluster) const {
  const auto found = by_name_.find(cluster);
  return found == by_name_.end() ? nullptr : &entries_[found->second]->membership.specs();
}

bool ClusterManager::settled() const {
  return std::ranges::all_of(entries_, [](const auto& entry) {
    return (entry->dns == nullptr || entry->dns->settled()) && entry->membership.settled();
  });
}

std::vector<ClusterSnapshot> ClusterManager::snapshot() const {
  std::vector<ClusterSnapshot> out;
  for (const auto& entry : entries_) {
    const Cluster& cluster = *entry->cluster;
    const Cluster::Published published = cluster.published();
    ClusterSnapshot& each = out.emplace_back();
    each.name = cluster.name();
    each.state = published.state;
    each.policy = published.config->load_balancing.policy;
    each.limits = cluster.limits();
    if (cluster.adaptive().enabled()) each.adaptive_limit = cluster.adaptive().limit();
    each.requests = cluster.requests();
    each.retries = cluster.retries();
    each.connections = cluster.connections();
    each.idle = cluster.idle();
    each.pending = cluster.pending();
    const Membership& membership = entry->membership;
    each.checked = membership.rules().checked;
    each.ejects = membership.rules().ejects;
    each.health = membership.counts();
    each.eligible = static_cast<std::uint32_t>(published.endpoints->eligible());
    for (const EndpointSet::Member& member : published.endpoints->members()) {
      each.endpoints.push_back(endpoint_of(member, membership.rules(), loop_.now()));
    }
    if (entry->dns != nullptr) each.dns = entry->dns->snapshot();
  }
  return out;
}

}  // namespace weir::upstream
