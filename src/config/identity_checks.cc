// SPDX-License-Identifier: Apache-2.0
// What identity, tenants, limits, listeners and routes must make of each other: names that do not
// exist, keys that can never match, and what is configured but believed from nobody.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.h"
#include "config/limit_parts.h"
#include "config/nearest.h"

namespace weir::config {

namespace {

// A name that is believed from nobody never comes.
void warn_untrusted(Reader& reader, NodeId id, Config& config) {
  if (!config.identity) return;
  const NodeId trusted = reader.find(id, "trusted_proxies");
  const bool any =
      trusted != Document::kNone && reader.document().first_child(trusted) != Document::kNone;
  const bool unix_only = !config.listeners.empty() &&
                         std::ranges::all_of(config.listeners, [](const ListenerConfig& listener) {
                           return listener.address.kind == Address::Kind::kUnix;
                         });
  if (any || unix_only) return;
  const NodeId identity = reader.find(id, "identity");
  const Reader::Step step(reader, "identity");
  for (const std::string_view part : {"tenant", "function", "class", "priority"}) {
    const NodeId list = reader.find(identity, part);
    if (list == Document::kNone || reader.document().kind(list) != NodeKind::kList) continue;
    const Reader::Step inside(reader, part);
    for (NodeId rule = reader.document().first_child(list); rule != Document::kNone;
         rule = reader.document().next(rule)) {
      const NodeId header = reader.find(rule, "header");
      if (header == Document::kNone) continue;
      reader.warning(header,
                     {"no peer is trusted, so this header is never believed over TCP",
                      "add trusted_proxies: [10.0.0.0/8], the networks of those who set it"});
    }
  }
}

// Priorities are numbers: names of routes and certificates are none.
void check_priority(Reader& reader, NodeId id, const Config& config) {
  if (!config.identity) return;
  const Reader::Step step(reader, "identity");
  const NodeId list = reader.find(reader.find(id, "identity"), "priority");
  if (list == Document::kNone || reader.document().kind(list) != NodeKind::kList) return;
  const Reader::Step inside(reader, "priority");
  NodeId rule = reader.document().first_child(list);
  for (const IdentityRule& each : config.identity->priority) {
    if (rule == Document::kNone) return;
    using Kind = IdentityRule::Kind;
    const bool value_is_none = each.kind == Kind::kValue && !each.text.empty() &&
                               (each.text.size() != 1 || each.text < "0" || each.text > "5");
    if (value_is_none) {
      reader.error(rule, {"`" + each.text + "` is no priority", "write value: 0 to value: 5"});
    } else if (each.kind == Kind::kRoute || each.kind == Kind::kClientSubject ||
               each.kind == Kind::kClientSan) {
      reader.error(rule,
                   {"a name is no priority",
                    "use header, host_regex, path_regex or value; routes have shed_priority"});
    }
    rule = reader.document().next(rule);
  }
}

using Names = std::vector<std::string_view>;

template <class S>
Names names_of(const std::vector<S>& objects) {
  Names out;
  for (const S& each : objects) out.push_back(each.name);
  return out;
}

void report_unknown(Reader& reader, NodeId at, std::string_view what, std::string_view name,
                    const Names& known) {
  const std::string_view close = nearest(name, known);
  std::string hint = "did you mean `" + std::string(close) + "`?";
  if (close.empty()) {
    hint = known.empty() ? "there is none at all" : "there is " + either_of(known);
  }
  reader.error(at, {"there is no " + std::string(what) + " `" + std::string(name) + "`", hint});
}

bool has(const Names& known, std::string_view name) {
  return name.empty() || std::ranges::find(known, name) != known.end();
}

void check_names(Reader& reader, NodeId match, std::string_view key, std::string_view what,
                 const Names& known) {
  const NodeId list = reader.find(match, key);
  if (list == Document::kNone || reader.document().kind(list) != NodeKind::kList) return;
  const Reader::Step step(reader, key);
  for (NodeId item = reader.document().first_child(list); item != Document::kNone;
       item = reader.document().next(item)) {
    const std::string_view name = reader.document().text(item);
    if (!has(known, name)) report_unknown(reader, item, what, name, known);
  }
}

struct Standing {
  const Config& config;
  Names classes;
  Names routes;
  Names listeners;
};

bool counts_by(const LimitConfig& limit, LimitDimension::Kind kind) {
  return std::ranges::find(limit.key, kind, &LimitDimension::kind) != limit.key.end();
}

// A part of the key that is the same for all requests.
void check_key(Reader& reader, NodeId at, const LimitConfig& limit, const Config& config) {
  const auto missing = [&](LimitDimension::Kind kind, std::string_view part, auto rules) {
    if (!counts_by(limit, kind) || (config.identity && !rules(*config.identity).empty())) return;
    const Reader::Step step(reader, "key");
    reader.error(reader.find(at, "key"),
                 {"nobody has a " + std::string(part) + ": identity has no rule for it",
                  "add identity: {" + std::string(part) + ": [...]}"});
  };
  missing(LimitDimension::Kind::kTenant, "tenant", [](const auto& i) { return i.tenant; });
  missing(LimitDimension::Kind::kFunction, "function", [](const auto& i) { return i.function; });
  if (!counts_by(limit, LimitDimension::Kind::kCell) || config.cells) return;
  const Reader::Step step(reader, "key");
  reader.error(reader.find(at, "key"),
               {"nobody has a cell: there are no cells", "add cells: {members: {c1: {}, c2: {}}}"});
}

// Where an override stands: its name, or the file that it comes from.
NodeId place_of(Reader& reader, NodeId at, const LimitConfig& limit, const LimitOverride& each) {
  if (!limit.overrides_file.empty()) return reader.find(at, "overrides_file");
  const NodeId map = reader.find(at, "overrides");
  for (NodeId name = reader.document().first_child(map); name != Document::kNone;
       name = reader.document().next(reader.document().next(name))) {
    if (split_values(reader.document().text(name)) == each.values) return name;
  }
  return map;
}

// Whom a closed directory does not list is counted as `unknown`, whatever he is called.
void check_closed(Reader& reader, NodeId at, const LimitConfig& limit, const Config& config) {
  if (!counts_by(limit, LimitDimension::Kind::kTenant) || config.tenants.open) return;
  if (config.tenants.members.empty()) {
    const Reader::Step step(reader, "key");
    return reader.warning(reader.find(at, "key"),
                          {"no tenant is listed, so all share one bucket, `unknown`",
                           "list them under tenants.members, or set tenants: {open: true}"});
  }
  const auto place = static_cast<std::size_t>(
      std::ranges::find(limit.key, LimitDimension::Kind::kTenant, &LimitDimension::kind) -
      limit.key.begin());
  Names members;
  for (const TenantMember& member : config.tenants.members) members.push_back(member.tenant);
  std::ranges::sort(members);
  for (const LimitOverride& each : limit.overrides) {
    if (each.values.size() != limit.key.size()) return;
    const std::string& tenant = each.values[place];
    if (tenant == "unknown" || std::ranges::binary_search(members, tenant)) continue;
    const std::string_view where = limit.overrides_file.empty() ? "overrides" : "overrides_file";
    const Reader::Step step(reader, where);
    return reader.error(place_of(reader, at, limit, each),
                        {"`" + tenant + "` can never match: it is not under tenants.members",
                         "list it there, or set tenants: {open: true}"});
  }
}

// Names of routes and listeners that are in the key, and that nothing has.
void check_override_names(Reader& reader, NodeId at, const LimitConfig& limit,
                          const Standing& standing) {
  const std::string_view where = limit.overrides_file.empty() ? "overrides" : "overrides_file";
  const Reader::Step step(reader, where);
  for (std::size_t i = 0; i < limit.key.size(); ++i) {
    const bool route = limit.key[i].kind == LimitDimension::Kind::kRoute;
    if (!route && limit.key[i].kind != LimitDimension::Kind::kListener) continue;
    const Names& known = route ? standing.routes : standing.listeners;
    for (const LimitOverride& each : limit.overrides) {
      if (each.values.size() != limit.key.size() || has(known, each.values[i])) continue;
      report_unknown(reader, place_of(reader, at, limit, each), route ? "route" : "listener",
                     each.values[i], known);
    }
  }
}

void check_limit_names(Reader& reader, NodeId at, const LimitConfig& limit,
                       const Standing& standing) {
  const NodeId match = reader.find(at, "match");
  if (match != Document::kNone && reader.document().kind(match) == NodeKind::kMap) {
    const Reader::Step step(reader, "match");
    check_names(reader, match, "routes", "route", standing.routes);
    check_names(reader, match, "listeners", "listener", standing.listeners);
    check_names(reader, match, "classes", "class", standing.classes);
  }
  const NodeId classes = reader.find(at, "classes");
  const Reader::Step step(reader, "classes");
  for (const ClassOverride& each : limit.classes) {
    const auto& taken = limit.match.classes;
    if (!has(standing.classes, each.class_name)) {
      report_unknown(reader, classes, "class", each.class_name, standing.classes);
    } else if (!taken.empty() && std::ranges::find(taken, each.class_name) == taken.end()) {
      reader.error(reader.find(classes, each.class_name),
                   {"`" + each.class_name + "` can never match: it is not under match.classes",
                    "add it there, or take it out here"});
    }
  }
}

void check_limits(Reader& reader, NodeId id, const Config& config) {
  const NodeId list = reader.find(id, "limits");
  if (list == Document::kNone || reader.document().kind(list) != NodeKind::kList) return;
  const Standing standing{config, names_of(config.tenants.classes), names_of(config.routes),
                          names_of(config.listeners)};
  const Reader::Step step(reader, "limits");
  NodeId at = reader.document().first_child(list);
  for (std::size_t i = 0; i < config.limits.size() && at != Document::kNone; ++i) {
    const LimitConfig& limit = config.limits[i];
    const Reader::Step inside(reader, std::string_view(limit.name));
    for (std::size_t k = 0; k < i && !limit.name.empty(); ++k) {
      if (config.limits[k].name != limit.name) continue;
      reader.error(at, {"two limits have this name",
                        "names tell limits apart in logs and metrics; give each its own"});
      break;
    }
    if (reader.document().kind(at) == NodeKind::kMap) {
      check_key(reader, at, limit, config);
      check_closed(reader, at, limit, config);
      check_limit_names(reader, at, limit, standing);
      check_override_names(reader, at, limit, standing);
    }
    at = reader.document().next(at);
  }
}

}  // namespace

void check_tenants(Reader& reader, NodeId tenants, const TenantsConfig& config) {
  const Names known = names_of(config.classes);
  if (!has(known, config.default_class)) {
    const Reader::Step inside(reader, "default_class");
    report_unknown(reader, reader.find(tenants, "default_class"), "class", config.default_class,
                   known);
  }
  const NodeId members = reader.find(tenants, "members");
  const Reader::Step inside(reader, "members");
  for (const TenantMember& member : config.members) {
    if (has(known, member.class_name)) continue;
    const Reader::Step at(reader, member.tenant);
    report_unknown(reader, reader.find(members, member.tenant), "class", member.class_name, known);
  }
}

void read_tenants_file(Reader& reader, NodeId id, Config& config) {
  if (config.tenants_file.empty()) return;
  const Reader::Step step(reader, "tenants_file");
  const NodeId at = reader.find(id, "tenants_file");
  if (reader.find(id, "tenants") != Document::kNone) {
    return reader.error(at, {"tenants come from one place only", "keep tenants or tenants_file"});
  }
  read_file_of(reader, at, config.tenants_file, [&](Reader& inner) {
    tenants_section()->read(inner, Document::kRoot, config.tenants);
  });
}

void check_identity(Reader& reader, NodeId id, Config& config) {
  warn_untrusted(reader, id, config);
  check_priority(reader, id, config);
  check_limits(reader, id, config);
}

}  // namespace weir::config
