// SPDX-License-Identifier: Apache-2.0
#include "route/path_index.h"

namespace weir::route {

std::uint32_t PathIndex::find_child(std::uint32_t parent, std::string_view segment) const {
  const std::uint64_t hash = child_hash(parent, segment);
  const std::size_t mask = children_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = children_[i];
    if (slot.id == kNone) return kNone;
    if (slot.hash != static_cast<std::uint32_t>(hash >> 32)) continue;
    const Node& node = nodes_[slot.id];
    if (node.parent == parent && segment == std::string_view{pool_.data() + node.text, node.length})
      return slot.id;
  }
}

std::uint32_t PathIndex::find_host(HostKind kind, std::string_view wanted) const {
  const std::uint64_t hash = host_hash(kind, wanted);
  const std::size_t mask = host_slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = host_slots_[i];
    if (slot.id == kNone) return kNone;
    if (slot.hash != static_cast<std::uint32_t>(hash >> 32)) continue;
    const Host& host = hosts_[slot.id];
    if (host.kind == kind && text(host) == wanted) return slot.id;
  }
}

PathIndex::Descent PathIndex::descend(std::uint32_t root, std::string_view path) const {
  // "*" (RFC 9112, 3.2.4) is no path below a root: no prefix takes it.
  if (!path.starts_with('/')) return {kNone, false};
  std::uint32_t node = root;
  for (std::size_t begin = 1;;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    const std::uint32_t child =
        segment.size() > longest_segment_ ? kNone : find_child(node, segment);
    if (child == kNone) return {node, false};
    node = child;
    if (end == path.size()) return {node, true};
    begin = end + 1;
  }
}

std::size_t PathIndex::bytes() const {
  return sizeof(*this) + children_.capacity() * sizeof(Slot) +
         host_slots_.capacity() * sizeof(Slot) + hosts_.capacity() * sizeof(Host) +
         nodes_.capacity() * sizeof(Node) + entries_.capacity() * sizeof(Entry) +
         regexes_.capacity() * sizeof(RegexEntry) + pool_.capacity();
}

}  // namespace weir::route
