// SPDX-License-Identifier: Apache-2.0
// Builds a PathIndex: first every route at all its places, then the ordered lists of each node.
// Used once, by Table::compile; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "route/path_index.h"
#include "route/route.h"

namespace weir::route {

class PathIndexBuilder {
 public:
  explicit PathIndexBuilder(std::uint64_t seed);
  /// Places `route` at each of its hosts. Routes that tie are tried in the order in which they are
  /// added, so the caller adds them by falling specificity. The route outlives the index.
  void add(const Route& route);
  std::unique_ptr<const PathIndex> finish();

 private:
  enum class List : std::uint8_t { kExact, kBelow, kAt };
  struct Placement {
    std::uint32_t node;
    List list;
    std::uint32_t turn;  // as added: keeps the order among equals
    Entry entry;
  };
  struct RegexPlacement {
    std::uint32_t host;
    std::uint32_t turn;
    RegexEntry regex;
  };

  void add_at(std::uint32_t host, const Route& route);
  std::uint32_t host_of(std::string_view name);
  std::uint32_t child_of(std::uint32_t parent, std::string_view segment);
  std::uint32_t new_node(std::uint32_t parent, std::string_view segment);
  std::uint32_t pool(std::string_view text);
  static void insert_slot(std::vector<PathIndex::Slot>& slots, std::uint64_t hash,
                          std::uint32_t id);
  void grow_children();
  void grow_hosts();
  void place_entries();
  void place_regexes();

  std::unique_ptr<PathIndex> index_;
  std::vector<Placement> placements_;
  std::vector<RegexPlacement> regexes_;
};

}  // namespace weir::route
