// SPDX-License-Identifier: Apache-2.0
// What a reload does about each kind of change: one table, so that `weir diff`, the log of a reload
// and the README say the same.
#include <array>
#include <cstddef>
#include <string_view>

#include "config/changes.h"

namespace weir::config {

namespace {

// What a reload does about a change. `pattern` is matched part by part from the left; "*" stands
// for any one part. The first row that fits decides, so rows go from special to general.
struct Rule {
  std::string_view pattern;
  std::string_view effect;
  bool when_added = true;
  bool when_removed = true;
  bool when_changed = true;
  bool needs_restart = false;
};

constexpr Rule any(std::string_view pattern, std::string_view effect) { return {pattern, effect}; }
constexpr Rule restart(std::string_view pattern, std::string_view effect) {
  return {pattern, effect, true, true, true, true};
}
constexpr Rule added(std::string_view pattern, std::string_view effect) {
  return {pattern, effect, true, false, false, false};
}
constexpr Rule removed(std::string_view pattern, std::string_view effect) {
  return {pattern, effect, false, true, false, false};
}

constexpr std::array kRules{
    restart("workers", "needs a restart: threads are started once"),
    any("admin.ready_when", "from the next probe on"),
    any("admin.top_tenants", "tenants are counted anew"),
    any("admin.top_functions", "functions are counted anew"),
    any("admin.fault_injection", "at once; without it, faults that are injected end"),
    restart("admin", "needs a restart: the admin sockets are opened once"),
    any("memory", "from the next request on; what is held stays"),
    any("access_log", "from the next line on"),
    any("trusted_proxies", "from the next request on"),
    any("shutdown", "at the next shutdown"),
    any("identity", "from the next request on"),
    any("tenants", "from the next request on"),
    any("tenants_file", "from the next request on"),
    any("cells.members.*.state",
        "from the next request on; what was set by hand and not kept is over"),
    any("cells", "from the next request on; tags keep their homes while the cell is there"),
    any("region.name", "at once; the region comes anew into the answer"),
    any("region", "from the next look on; whether it is in the answer now stays"),
    restart("limits.*.max_keys", "needs a restart: a table of buckets does not change its size"),
    any("limits.*.key", "counted anew: its buckets begin full, requests in flight keep places"),
    added("limits.*", "from the next request on; its buckets begin full"),
    removed("limits.*", "from the next request on; requests in flight keep their places"),
    any("limits", "from the next request on; buckets and places keep their state"),
    any("load_shedding", "from the next turn on; who is refused now stays so if it stays enabled"),
    any("client_deadline", "from the next request on"),
    any("mirroring", "from the next copy on; copies under way stay"),
    any("listeners.*.address",
        "the new address is opened; connections of the old one finish, then it is closed"),
    any("listeners.*.limits.max_connections",
        "the listener and its connections stay; for connections to come"),
    any("listeners.*.tls.certificates",
        "the listener and its connections stay; for handshakes to come"),
    any("listeners.*.tls",
        "the listener and its connections stay as they are; for connections to come"),
    any("listeners.*.http2",
        "the listener and its connections stay as they are; for connections to come"),
    any("listeners.*.proxy_protocol",
        "the listener and its connections stay as they are; for connections to come"),
    any("listeners.*.*", "the listener and its connections stay; from the next request on"),
    added("listeners.*", "the address is opened"),
    removed("listeners.*", "connections finish their requests, then the address is closed"),
    added("clusters.*.endpoints.*", "takes requests from the next one on"),
    removed("clusters.*.endpoints.*",
            "takes no new requests; those in flight finish, then its connections are closed"),
    any("clusters.*.endpoints.*", "its connections are kept; from the next request on"),
    any("clusters.*.dns", "names are looked up anew; addresses that stay keep their pools"),
    any("clusters.*.adaptive_concurrency", "the limit that was found stays, within the new bounds"),
    any("clusters.*.pool", "connections are kept; the new bounds apply as they come back"),
    any("clusters.*.protocol",
        "requests in flight keep their connections; for connections to come"),
    any("clusters.*.tls", "requests in flight keep their connections; for connections to come"),
    any("clusters.*.http2", "requests in flight keep their connections; for connections to come"),
    any("clusters.*.proxy_protocol",
        "requests in flight keep their connections; for connections to come"),
    removed("clusters.*.circuit_breaker", "from the next request on; its state is forgotten"),
    any("clusters.*.circuit_breaker",
        "from the next request on; it keeps its window and its state"),
    any("clusters.*.*", "pools are kept; from the next request on"),
    added("clusters.*", "takes requests once a route leads to it"),
    removed("clusters.*", "requests in flight finish, then its connections are closed"),
    any("failover_groups.*.members.*", "from the next request on; requests in flight stay"),
    any("failover_groups", "from the next request on; members keep what is known of them"),
    any("releases.*.default",
        "from the next request on, for all whom no rule takes; requests in flight finish where "
        "they are"),
    any("releases.*.rules.*.weight", "from the next request on; raised, it keeps all whom it had"),
    added("releases.*.rules.*.tenants.*", "he moves with his next request"),
    removed("releases.*.rules.*.tenants.*", "he moves with his next request"),
    any("releases", "from the next request on; requests in flight finish where they are"),
    any("zone", "from the next request on"),
    any("routes", "from the next request on; requests in flight keep the old route"),
};

bool fits(std::string_view pattern, const std::vector<std::string_view>& path) {
  for (std::size_t i = 0; !pattern.empty(); ++i) {
    if (i == path.size()) return false;
    const std::size_t dot = pattern.find('.');
    const std::string_view want = pattern.substr(0, dot);
    if (want != "*" && want != path[i]) return false;
    pattern.remove_prefix(dot == std::string_view::npos ? pattern.size() : dot + 1);
  }
  return true;
}

bool applies(const Rule& rule, ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdded:
      return rule.when_added;
    case ChangeKind::kRemoved:
      return rule.when_removed;
    case ChangeKind::kChanged:
      break;
  }
  return rule.when_changed;
}

}  // namespace

void explain(Change& change, const std::vector<std::string_view>& path) {
  for (const Rule& rule : kRules) {
    if (!applies(rule, change.kind) || !fits(rule.pattern, path)) continue;
    change.effect = rule.effect;
    change.needs_restart = rule.needs_restart;
    return;
  }
}

}  // namespace weir::config
