// SPDX-License-Identifier: Apache-2.0
#include "route/path_index_builder.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::route {
namespace {

constexpr std::size_t kFirstSlots = 16;

Entry entry_of(const Route& route) {
  std::uint16_t flags = 0;
  if (!route.methods().others().empty()) flags |= Entry::kOtherMethods;
  if (!route.conditions().empty()) flags |= Entry::kConditions;
  return {route.index(), route.methods().bits(), flags};
}

}  // namespace

PathIndexBuilder::PathIndexBuilder(std::uint64_t seed) : index_(std::make_unique<PathIndex>()) {
  index_->seed_ = seed;
  index_->children_.resize(kFirstSlots);
  index_->host_slots_.resize(kFirstSlots);
}

void PathIndexBuilder::add(const Route& route) {
  const std::vector<std::string>& names = route.config().match.hosts;
  if (names.empty()) {
    add_at(host_of("*"), route);
    return;
  }
  for (const std::string& name : names) add_at(host_of(name), route);
}

void PathIndexBuilder::add_at(std::uint32_t host, const Route& route) {
  const PathMatch& path = route.config().match.path;
  const Entry entry = entry_of(route);
  if (path.kind == PathMatch::Kind::kRegex) {
    regexes_.push_back(
        {host, static_cast<std::uint32_t>(regexes_.size()), {entry, route.path_pattern()}});
    return;
  }
  std::string_view rest = path.value;
  rest.remove_prefix(1);
  List list = List::kExact;
  if (path.kind == PathMatch::Kind::kPrefix) {
    list = path.value.ends_with('/') ? List::kBelow : List::kAt;
    if (list == List::kBelow) rest = rest.substr(0, rest.empty() ? 0 : rest.size() - 1);
  }
  std::uint32_t node = index_->hosts_[host].root;
  const bool root_itself = list == List::kBelow && rest.empty();
  while (!root_itself) {
    const std::size_t slash = rest.find('/');
    node = child_of(node, rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  placements_.push_back({node, list, static_cast<std::uint32_t>(placements_.size()), entry});
}

std::uint32_t PathIndexBuilder::host_of(std::string_view name) {
  using Kind = PathIndex::HostKind;
  const Kind kind = name == "*"              ? Kind::kAny
                    : name.starts_with("*.") ? Kind::kWildcard
                                             : Kind::kExact;
  const std::string_view text = kind == Kind::kExact ? name : name.substr(1);
  const std::uint32_t known = index_->find_host(kind, text);
  if (known != PathIndex::kNone) return known;

  const std::uint32_t id = static_cast<std::uint32_t>(index_->hosts_.size());
  PathIndex::Host host;
  host.text = pool(text);
  host.length = static_cast<std::uint32_t>(text.size());
  host.root = new_node(PathIndex::kNone, {});
  host.kind = kind;
  index_->hosts_.push_back(host);
  if ((index_->hosts_.size() + 1) * 3 > index_->host_slots_.size() * 2) grow_hosts();
  const std::uint64_t hash = index_->host_hash(kind, text);
  insert_slot(index_->host_slots_, hash, id);
  if (kind == Kind::kAny) index_->any_host_ = id;
  std::size_t& longest =
      kind == Kind::kWildcard ? index_->longest_wildcard_ : index_->longest_host_;
  longest = std::max(longest, text.size());
  return id;
}

std::uint32_t PathIndexBuilder::child_of(std::uint32_t parent, std::string_view segment) {
  const std::uint32_t known = index_->find_child(parent, segment);
  if (known != PathIndex::kNone) return known;
  const std::uint32_t id = new_node(parent, segment);
  if ((index_->nodes_.size() + 1) * 3 > index_->children_.size() * 2) grow_children();
  insert_slot(index_->children_, index_->child_hash(parent, segment), id);
  index_->longest_segment_ = std::max(index_->longest_segment_, segment.size());
  return id;
}

std::uint32_t PathIndexBuilder::new_node(std::uint32_t parent, std::string_view segment) {
  PathIndex::Node node;
  node.parent = parent;
  node.text = pool(segment);
  node.length = static_cast<std::uint32_t>(segment.size());
  index_->nodes_.push_back(node);
  return static_cast<std::uint32_t>(index_->nodes_.size() - 1);
}

std::uint32_t PathIndexBuilder::pool(std::string_view text) {
  const std::size_t at = index_->pool_.size();
  index_->pool_ += text;
  return static_cast<std::uint32_t>(at);
}

void PathIndexBuilder::insert_slot(std::vector<PathIndex::Slot>& slots, std::uint64_t hash,
                                   std::uint32_t id) {
  const std::size_t mask = slots.size() - 1;
  std::size_t i = hash & mask;
  while (slots[i].id != PathIndex::kNone) i = (i + 1) & mask;
  slots[i] = {static_cast<std::uint32_t>(hash >> 32), id};
}

void PathIndexBuilder::grow_children() {
  std::vector<PathIndex::Slot> larger(index_->children_.size() * 2);
  for (const PathIndex::Slot& slot : index_->children_) {
    if (slot.id == PathIndex::kNone) continue;
    const PathIndex::Node& node = index_->nodes_[slot.id];
    const std::string_view segment{index_->pool_.data() + node.text, node.length};
    insert_slot(larger, index_->child_hash(node.parent, segment), slot.id);
  }
  index_->children_ = std::move(larger);
}

void PathIndexBuilder::grow_hosts() {
  std::vector<PathIndex::Slot> larger(index_->host_slots_.size() * 2);
  for (const PathIndex::Slot& slot : index_->host_slots_) {
    if (slot.id == PathIndex::kNone) continue;
    const PathIndex::Host& host = index_->hosts_[slot.id];
    insert_slot(larger, index_->host_hash(host.kind, index_->text(host)), slot.id);
  }
  index_->host_slots_ = std::move(larger);
}

void PathIndexBuilder::place_entries() {
  std::ranges::sort(placements_, {}, [](const Placement& placement) {
    return std::tuple(placement.node, placement.list, placement.turn);
  });
  index_->entries_.reserve(placements_.size());
  auto next = placements_.begin();
  const auto take = [&](std::uint32_t node, List list) {
    const auto begin = static_cast<std::uint32_t>(index_->entries_.size());
    for (; next != placements_.end() && next->node == node && next->list == list; ++next) {
      const bool again =  // its hosts name this one twice
          index_->entries_.size() > begin && index_->entries_.back().route == next->entry.route;
      if (!again) index_->entries_.push_back(next->entry);
    }
    return begin;
  };
  for (std::uint32_t id = 0; id < index_->nodes_.size(); ++id) {
    PathIndex::Node& node = index_->nodes_[id];
    node.exact = take(id, List::kExact);
    node.below = take(id, List::kBelow);
    node.at = take(id, List::kAt);
    node.end = static_cast<std::uint32_t>(index_->entries_.size());
  }
}

void PathIndexBuilder::place_regexes() {
  std::ranges::sort(regexes_, {}, [](const RegexPlacement& placement) {
    return std::pair(placement.host, placement.turn);
  });
  index_->regexes_.reserve(regexes_.size());
  auto next = regexes_.begin();
  for (std::uint32_t id = 0; id < index_->hosts_.size(); ++id) {
    PathIndex::Host& host = index_->hosts_[id];
    host.regex_begin = static_cast<std::uint32_t>(index_->regexes_.size());
    for (; next != regexes_.end() && next->host == id; ++next) {
      const bool again = index_->regexes_.size() > host.regex_begin &&
                         index_->regexes_.back().entry.route == next->regex.entry.route;
      if (!again) index_->regexes_.push_back(next->regex);
    }
    host.regex_end = static_cast<std::uint32_t>(index_->regexes_.size());
  }
}

std::unique_ptr<const PathIndex> PathIndexBuilder::finish() {
  place_entries();
  place_regexes();
  index_->hosts_.shrink_to_fit();
  index_->nodes_.shrink_to_fit();
  index_->pool_.shrink_to_fit();
  return std::move(index_);
}

}  // namespace weir::route
