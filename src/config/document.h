// SPDX-License-Identifier: Apache-2.0
// A YAML text as a tree of nodes that know where they stand: the only place that sees yaml-cpp.
// Not a general YAML library: anchors, aliases, tags, several documents, and texts beyond the
// limits below are errors, so that no small file can become a large tree. Built from yaml-cpp's
// events, as its own node graph costs ten times the time and memory on 100,000 routes. Immutable
// after parse(); views into it live as long as it does. One thread while parsing, any number of
// readers after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"

namespace weir::config {

struct DocumentLimits {
  std::size_t max_bytes = std::size_t{64} << 20;  // four times a file of 100,000 routes
  std::size_t max_nodes = 8'000'000;              // 28 bytes each
  std::uint32_t max_depth = 32;                   // the deepest key stands at 8
};

using NodeId = std::uint32_t;

enum class NodeKind : std::uint8_t {
  kNull,
  kScalar,
  kMap,
  kList,
  kBroken,  // reported already; whoever reads it says nothing more
};

class Document {
 public:
  // Reports every finding against `file`; nullopt when the text as a whole cannot be read.
  static std::optional<Document> parse(std::string_view text, std::uint32_t file,
                                       Diagnostics& diagnostics, const DocumentLimits& limits = {});

  static constexpr NodeId kRoot = 0;
  static constexpr NodeId kNone = UINT32_MAX;

  NodeKind kind(NodeId id) const { return nodes_[id].kind; }
  bool is_null(NodeId id) const { return kind(id) == NodeKind::kNull; }
  // kScalar: its text, unquoted.
  std::string_view text(NodeId id) const;
  SourceLocation location(NodeId id) const;

  // Children in the order of the file; those of a map alternate key, value, and every key is a
  // scalar.
  NodeId first_child(NodeId id) const { return nodes_[id].first_child; }
  NodeId next(NodeId id) const { return nodes_[id].next; }

 private:
  friend class DocumentBuilder;

  struct Node {
    NodeKind kind = NodeKind::kNull;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t text_begin = 0;
    std::uint32_t text_size = 0;
    NodeId first_child = kNone;
    NodeId next = kNone;
  };

  std::uint32_t file_ = 0;
  std::vector<Node> nodes_;
  std::string texts_;
};

}  // namespace weir::config
