// SPDX-License-Identifier: Apache-2.0
// Cells of a config as plain values: which there are, how a request gets its home cell, how the tag
// that names it is trusted, and when a request may be served away from home. In-class values are
// the defaults. Not behaviour: proxy/cells compiles it. Immutable once loaded; any thread may read.
#pragma once

#include <weir/breaker_config.h>
#include <weir/failover_config.h>
#include <weir/units.h>
#include <weir/value_match.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir {

// active; draining: no new homes; drained: its requests hop out; fenced: takes no guests;
// isolated: takes no guests and its requests stay.
enum class CellState : std::uint8_t { kActive, kDraining, kDrained, kFenced, kIsolated };

// strict: served at home or not at all.
enum class CellFallback : std::uint8_t { kStrict, kPermissive };

// Which requests may be served away from home.
enum class CellHop : std::uint8_t { kNever, kSafeMethods, kAlways };

// Whose tags are believed: nobody's; those with a signature, whoever sends them; any of a trusted
// peer's.
enum class TagTrust : std::uint8_t { kNone, kSigned, kAny };

struct CellTagConfig {
  std::string header = "x-weir-cell";
  bool response_header = true;  // tell the client
  std::string cookie;           // and in this cookie; empty: none
  TagTrust trust = TagTrust::kNone;
  std::string keys_file;    // kSigned: lines of `ID HEX`; the first signs, all verify
  Millis ttl{604'800'000};  // how long a signed tag or a cookie is good for
  SourceLocation location;
};

struct CellPin {
  std::string tenant;
  std::string cell;
};

// What a request's home is hashed from.
struct CellKey {
  enum class Kind : std::uint8_t { kTenant, kFunction, kClientIp, kHeader };

  Kind kind = Kind::kTenant;
  std::string header;  // kHeader: lower-case name
  bool operator==(const CellKey&) const = default;
};

// One way to find a home. The first rule of the list that yields a cell wins.
struct CellRule {
  enum class Kind : std::uint8_t { kPins, kMatch, kHash, kNearest, kRandom };

  Kind kind = Kind::kHash;
  // kPins. `pins_file` is read at load into `pins`; YAML has one of the two.
  std::vector<CellPin> pins;
  std::string pins_file;
  std::uint32_t epoch = 0;  // tags of these tenants that are older are assigned anew
  // kMatch
  std::vector<ValueMatch> headers;
  std::vector<ValueMatch> query;
  std::string cell;
  CellKey hash;  // kHash
  SourceLocation location;
};

struct CellConfig {
  std::string name;
  std::uint32_t weight = 100;  // its part of the homes that a hash decides; 0 takes none
  std::string region;
  CellState state = CellState::kActive;
  // Requests that it can serve at once; nullopt: what its cluster takes.
  std::optional<std::uint32_t> capacity;
  // Guests that it serves at once: a number, or a share of `capacity`; monostate: no limit.
  std::variant<std::monostate, std::uint32_t, Share> guest_capacity;
  SourceLocation location;
};

// A sidecar puts the tag that came in on the calls that its application makes out with the same
// trace (W3C Trace Context).
struct CellReattachConfig {
  std::vector<std::string> listeners;  // by which calls out come; empty: off
  std::uint32_t entries = 1024;        // traces that are known at once
  Millis ttl{60'000};                  // how long after its last request a trace is known
  SourceLocation location;
};

struct CellsConfig {
  std::string self;    // the cell that this weir stands in; empty: a front door
  std::string region;  // where it stands; empty: that of `self`
  CellTagConfig tag;
  std::string served_header = "x-weir-cell-served";
  // Empty: where `self` is set, home is here; else by a hash of the tenant.
  std::vector<CellRule> assign;
  CellFallback fallback = CellFallback::kPermissive;
  CellHop hop = CellHop::kSafeMethods;
  std::uint32_t max_hops = 1;  // of one leg between weirs
  FailbackConfig failback;     // of a cell's own requests, when it can serve again
  // Clusters, perhaps with {cell}, whose answers may name a new home in the tag's header.
  std::vector<std::string> upstream_may_assign;
  CellReattachConfig reattach;
  // Of each cell as a whole; `per` and `fallback` are its clusters'. nullopt: none.
  std::optional<CircuitBreakerConfig> circuit_breaker;
  std::vector<CellConfig> members;
  SourceLocation location;

  // The clusters that `name` stands for: one for each cell if there is a {cell} in it.
  std::vector<std::string> cluster_names(const std::string& name) const;
};

// What a route says otherwise.
struct RouteCellsConfig {
  std::optional<CellFallback> fallback;
  std::optional<CellHop> hop;
};

// Stands for the cell in a target's cluster: "orders-{cell}".
inline constexpr const char* kCellPlaceholder = "{cell}";

inline std::vector<std::string> CellsConfig::cluster_names(const std::string& name) const {
  const std::size_t at = name.find(kCellPlaceholder);
  if (at == std::string::npos) return {name};
  std::vector<std::string> out;
  for (const CellConfig& cell : members) {
    out.push_back(name);
    out.back().replace(at, std::string_view(kCellPlaceholder).size(), cell.name);
  }
  return out;
}

}  // namespace weir
