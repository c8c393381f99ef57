// SPDX-License-Identifier: Apache-2.0
// What cells, identity and trusted peers must make of each other: names that do not exist, weights
// that add up to nothing, tags that nobody would be believed.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.h"
#include "config/nearest.h"

namespace weir::config {

namespace {

// Cells of a request are kept as bits of one word.
constexpr std::size_t kMaxCells = 64;

using Kind = CellRule::Kind;

class CellCheck {
 public:
  CellCheck(Reader& reader, NodeId root, const Config& config)
      : reader_(reader), config_(config), cells_(*config.cells) {
    at_ = reader.find(root, "cells");
    const NodeId trusted = reader.find(root, "trusted_proxies");
    trusts_ =
        trusted != Document::kNone && reader.document().first_child(trusted) != Document::kNone;
    for (const CellConfig& cell : cells_.members) names_.push_back(cell.name);
  }

  void run() {
    const Reader::Step step(reader_, "cells");
    if (names_.empty()) return empty();
    if (names_.size() > kMaxCells) {
      reader_.error(reader_.find(at_, "members"),
                    {"more than 64 cells", "group them: a front door for each 64"});
    }
    check_self();
    check_rules();
    check_weights();
    check_tag();
    check_reattach();
    check_assigners();
    check_breaker();
  }

 private:
  // Missing members have been reported by their table.
  void empty() {
    const NodeId members = reader_.find(at_, "members");
    if (members == Document::kNone || reader_.document().first_child(members) != Document::kNone) {
      return;
    }
    const Reader::Step step(reader_, "members");
    reader_.error(members, {"no cells", "write members: {c1: {}, c2: {}}, or take cells out"});
  }

  bool known(std::string_view name) const {
    return name.empty() || std::ranges::find(names_, name) != names_.end();
  }

  void report(NodeId at, std::string_view name) {
    const std::string_view close = nearest(name, names_);
    const std::string hint = close.empty() ? "there is " + either_of(names_)
                                           : "did you mean `" + std::string(close) + "`?";
    reader_.error(at, {"there is no cell `" + std::string(name) + "`", hint});
  }

  void check_self() {
    if (known(cells_.self)) return;
    const Reader::Step step(reader_, "self");
    report(reader_.find(at_, "self"), cells_.self);
  }

  void check_rules() {
    const NodeId list = reader_.find(at_, "assign");
    const bool listed = list != Document::kNone && reader_.document().kind(list) == NodeKind::kList;
    const Reader::Step step(reader_, "assign");
    NodeId rule = listed ? reader_.document().first_child(list) : Document::kNone;
    for (std::size_t i = 0; i < cells_.assign.size() && rule != Document::kNone; ++i) {
      const Reader::Step inside(reader_, i);
      check_rule(rule, cells_.assign[i]);
      rule = reader_.document().next(rule);
    }
  }

  void check_rule(NodeId at, const CellRule& rule) {
    if (rule.kind == Kind::kPins) return check_pins(at, rule);
    if (rule.kind == Kind::kMatch && !known(rule.cell)) {
      const Reader::Step step(reader_, "cell");
      return report(reader_.find(at, "cell"), rule.cell);
    }
    if (rule.kind == Kind::kHash) return check_hash(at, rule);
    const bool somewhere = !cells_.region.empty() || !cells_.self.empty();
    if (rule.kind == Kind::kNearest && !somewhere) {
      reader_.error(at, {"nobody knows where this weir stands", "add cells.region, or cells.self"});
    }
  }

  void check_pins(NodeId at, const CellRule& rule) {
    const bool from_file = !rule.pins_file.empty();
    const NodeId pins = reader_.find(at, from_file ? "pins_file" : "pins");
    const Reader::Step step(reader_, from_file ? "pins_file" : "pins");
    for (const CellPin& pin : rule.pins) {
      if (known(pin.cell)) continue;
      const Reader::Step inside(reader_, std::string_view(pin.tenant));
      report(from_file ? pins : reader_.find(pins, pin.tenant), pin.cell);
    }
    check_identified(pins, "tenant");
  }

  void check_hash(NodeId at, const CellRule& rule) {
    const Reader::Step step(reader_, "hash");
    const NodeId hash = reader_.find(at, "hash");
    if (rule.hash.kind == CellKey::Kind::kTenant) check_identified(hash, "tenant");
    if (rule.hash.kind == CellKey::Kind::kFunction) check_identified(hash, "function");
  }

  void check_identified(NodeId at, std::string_view part) {
    // What could not be read has been reported.
    if (at == Document::kNone) return;
    const auto& identity = config_.identity;
    const bool tenant = part == "tenant";
    if (identity && !(tenant ? identity->tenant : identity->function).empty()) return;
    const std::string what(part);
    reader_.error(at, {"no rule under identity." + what + " says who the " + what + " is",
                       tenant ? "add identity: {tenant: [{header: x-tenant-id}]}"
                              : "add identity: {function: [{path_regex: '^/functions/([^/]+)'}]}"});
  }

  // Whom no rule knows is hashed, so there must always be weight.
  void check_weights() {
    std::uint64_t sum = 0;
    for (const CellConfig& cell : cells_.members) {
      const bool takes = cell.state != CellState::kDraining && cell.state != CellState::kDrained;
      sum += takes ? cell.weight : 0;
    }
    if (sum != 0) return;
    const Reader::Step step(reader_, "members");
    reader_.error(reader_.find(at_, "members"),
                  {"the weights of the cells that take new homes add up to 0",
                   "give at least one cell a weight above 0 and another state"});
  }

  void check_tag() {
    const NodeId tag = reader_.find(at_, "tag");
    const Reader::Step step(reader_, "tag");
    if (cells_.tag.header == cells_.served_header) {
      reader_.error(tag == Document::kNone ? at_ : tag,
                    {"`header` and `served_header` are the same", "give each its own name"});
    }
    const bool unix_only = !config_.listeners.empty() &&
                           std::ranges::all_of(config_.listeners, [](const auto& listener) {
                             return listener.address.kind == Address::Kind::kUnix;
                           });
    if (cells_.tag.trust != TagTrust::kAny || trusts_ || unix_only) return;
    const Reader::Step inside(reader_, "trust");
    reader_.warning(reader_.find(tag, "trust"),
                    {"no peer is trusted, so no tag is ever believed over TCP",
                     "add trusted_proxies: [10.0.0.0/8], the networks of those who set it"});
  }

  // What is said of a cluster and means nothing of a cell.
  void check_breaker() {
    if (!cells_.circuit_breaker) return;
    const NodeId breaker = reader_.find(at_, "circuit_breaker");
    const Reader::Step step(reader_, "circuit_breaker");
    for (const std::string_view key : {"per", "fallback"}) {
      const NodeId at = reader_.find(breaker, key);
      const bool usual = key == "per" && cells_.circuit_breaker->per == CircuitBreakerConfig{}.per;
      if (at == Document::kNone || usual) continue;
      const Reader::Step inside(reader_, key);
      reader_.error(at, {"has no meaning for a cell as a whole",
                         "write it under circuit_breaker of its clusters"});
    }
  }

  void check_reattach() {
    const NodeId reattach = reader_.find(at_, "reattach");
    const NodeId list =
        reattach == Document::kNone ? Document::kNone : reader_.find(reattach, "listeners");
    if (list == Document::kNone || reader_.document().kind(list) != NodeKind::kList) return;
    const Reader::Step step(reader_, "reattach");
    const Reader::Step inside(reader_, "listeners");
    NodeId at = reader_.document().first_child(list);
    for (std::size_t i = 0; at != Document::kNone; ++i, at = reader_.document().next(at)) {
      const Reader::Step item(reader_, i);
      check_outbound(at, reader_.document().text(at));
    }
  }

  void check_assigners() {
    const NodeId list = reader_.find(at_, "upstream_may_assign");
    if (list == Document::kNone || reader_.document().kind(list) != NodeKind::kList) return;
    const Reader::Step step(reader_, "upstream_may_assign");
    NodeId at = reader_.document().first_child(list);
    for (std::size_t i = 0; at != Document::kNone; ++i, at = reader_.document().next(at)) {
      const Reader::Step item(reader_, i);
      for (const std::string& name :
           cells_.cluster_names(std::string(reader_.document().text(at)))) {
        if (std::ranges::find(config_.clusters, name, &ClusterConfig::name) !=
            config_.clusters.end()) {
          continue;
        }
        std::vector<std::string_view> known;
        for (const ClusterConfig& cluster : config_.clusters) known.push_back(cluster.name);
        const std::string_view close = nearest(name, known);
        reader_.error(at, {"there is no cluster `" + name + "`",
                           close.empty() ? "add it under clusters:"
                                         : "did you mean `" + std::string(close) + "`?"});
      }
    }
    const bool told = cells_.tag.response_header || !cells_.tag.cookie.empty();
    if (told || cells_.upstream_may_assign.empty()) return;
    reader_.error(list, {"clients are told no tag, so a new home would never reach them",
                         "set tag.response_header: true, or tag.cookie"});
  }

  void check_outbound(NodeId at, std::string_view name) {
    const auto found = std::ranges::find(config_.listeners, name, &ListenerConfig::name);
    if (found == config_.listeners.end()) {
      reader_.error(at, {"there is no listener `" + std::string(name) + "`",
                         "name the listener by which the application makes its calls"});
    } else if (found->profile == Profile::kEdge) {
      reader_.error(at,
                    {"a listener at the edge begins its own traces, so none is ever known there",
                     "give listeners." + found->name + " profile: sidecar"});
    }
  }

  Reader& reader_;
  const Config& config_;
  const CellsConfig& cells_;
  NodeId at_ = Document::kNone;
  bool trusts_ = false;
  std::vector<std::string_view> names_;
};

}  // namespace

void check_cells(Reader& reader, NodeId id, Config& config) {
  if (config.cells) CellCheck(reader, id, config).run();
}

}  // namespace weir::config
