// SPDX-License-Identifier: Apache-2.0
// Where the routes stand by host and path: a hash of hosts, each with a trie of path segments whose
// edges share one hash table, and with its regexes. Knows nothing of methods and conditions: it
// shows all routes whose host and path match, most specific first, until the visitor has found one.
//
//   hosts:  "api.example.com" -> root    nodes:  root -"v1"-> n7 -"orders"-> n9
//           ".example.com"    -> root    lists:  n9: exact [r4 r2]  below [r8]  at [r1]
//
// `exact` are routes of that very path, `at` prefixes written without a final slash ("/v1/orders"),
// `below` those with one ("/v1/orders/"). A look-up goes down as far as there are children, at most
// as deep as the config, and back up through the parents: longest prefix first.
// All numbers are 32 bits: 100,000 routes cost some 6 MB. Immutable after build; any thread.
#pragma once

#include <weir/message.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "route/pattern.h"

namespace weir::route {

/// A route at one place, with what settles most requests without touching the route itself.
struct Entry {
  static constexpr std::uint16_t kOtherMethods = 1;  ///< Methods beyond those of the mask.
  static constexpr std::uint16_t kConditions = 2;    ///< Header or query conditions.

  std::uint32_t route = 0;
  std::uint16_t methods = 0;
  std::uint16_t flags = 0;
};

struct RegexEntry {
  Entry entry;
  const Pattern* pattern = nullptr;  ///< The route's.
};

class PathIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  enum class HostKind : std::uint8_t { kExact, kWildcard, kAny };
  struct Host {
    std::uint32_t text = 0;  ///< In the pool; of a wildcard with its first dot, without the star.
    std::uint32_t length = 0;
    std::uint32_t root = 0;
    std::uint32_t regex_begin = 0;
    std::uint32_t regex_end = 0;
    HostKind kind = HostKind::kExact;
  };
  /// Entries of a node, ordered: [exact, below) are exact, then below, then at, until `end`.
  struct Node {
    std::uint32_t parent = kNone;
    std::uint32_t text = 0;
    std::uint32_t length = 0;
    std::uint32_t exact = 0;
    std::uint32_t below = 0;
    std::uint32_t at = 0;
    std::uint32_t end = 0;
  };

  /// Calls `visit(host, entry)` for all routes whose host and path match, in order, until it
  /// returns true. Returns whether it did.
  template <typename Visit>
  bool visit(std::string_view host, std::string_view path, Visit visit) const;
  /// Calls `visit(host)` for the hosts that match, most specific first, until it returns true.
  template <typename Visit>
  bool visit_hosts(std::string_view host, Visit visit) const;

  std::string_view text(const Host& host) const { return {pool_.data() + host.text, host.length}; }
  const std::vector<Host>& hosts() const { return hosts_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<RegexEntry>& regexes() const { return regexes_; }
  std::size_t bytes() const;

 private:
  friend class PathIndexBuilder;

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t id = kNone;
  };
  struct Descent {
    std::uint32_t node;
    bool whole;  // the path ends here; else it goes on below
  };

  std::uint64_t child_hash(std::uint32_t parent, std::string_view segment) const {
    return base::hash64(segment, seed_ + parent);
  }
  std::uint64_t host_hash(HostKind kind, std::string_view text) const {
    return base::hash64(text, seed_ - 1 - static_cast<std::uint64_t>(kind));
  }
  std::uint32_t find_child(std::uint32_t parent, std::string_view segment) const;
  std::uint32_t find_host(HostKind kind, std::string_view text) const;
  Descent descend(std::uint32_t root, std::string_view path) const;
  template <typename Visit>
  bool visit_paths(const Host& host, std::string_view path, Visit& visit) const;
  template <typename Visit>
  bool visit_range(const Host& host, std::uint32_t begin, std::uint32_t end, Visit& visit) const {
    for (std::uint32_t i = begin; i < end; ++i) {
      if (visit(host, entries_[i])) return true;
    }
    return false;
  }

  // Random, as tenants write routes: nobody can make their names fall into one bucket.
  std::uint64_t seed_ = 0;
  std::vector<Slot> children_;    // open addressing, a power of two; never full
  std::vector<Slot> host_slots_;  // the same
  std::vector<Host> hosts_;
  std::vector<Node> nodes_;
  std::vector<Entry> entries_;
  std::vector<RegexEntry> regexes_;
  std::string pool_;
  std::uint32_t any_host_ = kNone;
  // What is longer cannot be in the tables: bounds the work that a long host or path can cause.
  std::size_t longest_host_ = 0;
  std::size_t longest_wildcard_ = 0;
  std::size_t longest_segment_ = 0;
};

template <typename Visit>
bool PathIndex::visit_hosts(std::string_view host, Visit visit) const {
  if (host.size() <= longest_host_) {
    const std::uint32_t exact = find_host(HostKind::kExact, host);
    if (exact != kNone && visit(hosts_[exact])) return true;
  }
  if (longest_wildcard_ != 0 && !host.empty()) {
    const std::size_t from =
        host.size() > longest_wildcard_ ? host.size() - longest_wildcard_ : std::size_t{1};
    for (std::size_t dot = host.find('.', from); dot != std::string_view::npos;
         dot = host.find('.', dot + 1)) {
      const std::uint32_t wildcard = find_host(HostKind::kWildcard, host.substr(dot));
      if (wildcard != kNone && visit(hosts_[wildcard])) return true;
    }
  }
  return any_host_ != kNone && visit(hosts_[any_host_]);
}

template <typename Visit>
bool PathIndex::visit(std::string_view host, std::string_view path, Visit visit) const {
  return visit_hosts(host, [&](const Host& found) { return visit_paths(found, path, visit); });
}

template <typename Visit>
bool PathIndex::visit_paths(const Host& host, std::string_view path, Visit& visit) const {
  const Descent deepest = descend(host.root, path);
  if (deepest.whole) {
    const Node& node = nodes_[deepest.node];
    if (visit_range(host, node.exact, node.below, visit)) return true;
  }
  for (std::uint32_t i = host.regex_begin; i < host.regex_end; ++i) {
    if (regexes_[i].pattern->matches(path) && visit(host, regexes_[i].entry)) return true;
  }
  bool goes_on = !deepest.whole;
  for (std::uint32_t id = deepest.node; id != kNone; id = nodes_[id].parent) {
    const Node& node = nodes_[id];
    if (goes_on && visit_range(host, node.below, node.at, visit)) return true;
    if (visit_range(host, node.at, node.end, visit)) return true;
    goes_on = true;
  }
  return false;
}

}  // namespace weir::route
