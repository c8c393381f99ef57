// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <istream>
#include <streambuf>
#include <utility>

#include "config/text_check.h"

namespace weir::config {

namespace {

// Thrown through yaml-cpp to leave it early; never leaves this file.
struct LimitReached {
  YAML::Mark mark;
  Finding finding;
};

SourceLocation to_location(std::uint32_t file, const YAML::Mark& mark) {
  if (mark.is_null()) return {file, 0, 0};
  return {file, static_cast<std::uint32_t>(mark.line) + 1,
          static_cast<std::uint32_t>(mark.column) + 1};
}

class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    // The get area is never written to: no putback of a different byte happens in a parser.
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

class DocumentBuilder : public YAML::EventHandler {
 public:
  DocumentBuilder(std::uint32_t file, Diagnostics& diagnostics, const DocumentLimits& limits)
      : diagnostics_(diagnostics), limits_(limits) {
    document_.file_ = file;
  }

  Document take() {
    if (document_.nodes_.empty()) document_.nodes_.push_back({});
    return std::move(document_);
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(mark, NodeKind::kNull);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    report(mark, {"aliases (*name) are not accepted", "write the value out"});
    add(mark, NodeKind::kBroken);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    refuse_anchor(mark, anchor);
    Document::Node& node = document_.nodes_[add(mark, NodeKind::kScalar)];
    node.text_begin = static_cast<std::uint32_t>(document_.texts_.size());
    node.text_size = static_cast<std::uint32_t>(value.size());
    document_.texts_ += value;
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    refuse_anchor(mark, anchor);
    open(mark, NodeKind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    refuse_anchor(mark, anchor);
    open(mark, NodeKind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    NodeId id;
    NodeId last_child = Document::kNone;
    bool key_next = true;
  };

  void report(const YAML::Mark& mark, Finding finding) {
    diagnostics_.error(to_location(document_.file_, mark), "", std::move(finding));
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    report(mark, {"anchors (&name) are not accepted", "remove the anchor and write values out"});
  }

  // "?" and "!" are yaml-cpp's way to say plain and quoted.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    report(mark, {"tags (" + tag.substr(0, 40) + ") are not accepted",
                  "remove the tag; the key decides the type"});
  }

  void open(const YAML::Mark& mark, NodeKind kind) {
    const NodeId id = add(mark, kind);
    open_.push_back(Open{id});
    if (open_.size() > limits_.max_depth) {
      throw LimitReached{mark,
                         {"nested deeper than " + std::to_string(limits_.max_depth) + " levels",
                          "no key stands that deep; check the indentation and the brackets"}};
    }
  }

  NodeId add(const YAML::Mark& mark, NodeKind kind) {
    if (document_.nodes_.size() >= limits_.max_nodes) {
      throw LimitReached{mark,
                         {"more than " + std::to_string(limits_.max_nodes) + " values",
                          "split the routes over several instances"}};
    }
    const auto id = static_cast<NodeId>(document_.nodes_.size());
    const SourceLocation at = to_location(document_.file_, mark);
    Document::Node node;
    node.kind = kind;
    node.line = at.line;
    node.column = at.column;
    document_.nodes_.push_back(node);
    link(id, mark);
    return id;
  }

  void link(NodeId id, const YAML::Mark& mark) {
    if (open_.empty()) return;
    Open& parent = open_.back();
    Document::Node& up = document_.nodes_[parent.id];
    if (up.kind == NodeKind::kMap) {
      if (parent.key_next) {
        check_key(id, mark);
      } else if (document_.nodes_[id].kind == NodeKind::kNull) {
        place_at_key(id, parent.last_child);
      }
      parent.key_next = !parent.key_next;
    }
    if (parent.last_child == Document::kNone) {
      up.first_child = id;
    } else {
      document_.nodes_[parent.last_child].next = id;
    }
    parent.last_child = id;
  }

  // An absent value has the place of whatever comes after it, which would blame the next line.
  void place_at_key(NodeId id, NodeId key) {
    document_.nodes_[id].line = document_.nodes_[key].line;
    document_.nodes_[id].column = document_.nodes_[key].column;
  }

  // A key that is a map or list would need a second pass to be skipped; nobody writes one on
  // purpose, so the parse ends there.
  void check_key(NodeId id, const YAML::Mark& mark) {
    const NodeKind kind = document_.nodes_[id].kind;
    if (kind == NodeKind::kScalar) return;
    throw LimitReached{mark, {"a key must be a word", "check the text before the colon"}};
  }

  Document document_;
  Diagnostics& diagnostics_;
  const DocumentLimits& limits_;
  std::vector<Open> open_;
};

namespace {

void refuse_second_document(YAML::Parser& parser, std::uint32_t file, Diagnostics& diagnostics) {
  const DocumentLimits limits;
  Diagnostics unused;
  DocumentBuilder rest(file, unused, limits);
  if (parser && parser.HandleNextDocument(rest)) {
    const Document document = rest.take();
    diagnostics.error(document.location(Document::kRoot), "",
                      {"a second document in one file", "remove the line of three dashes"});
  }
}

Finding explain(const YAML::ParserException& e, std::string_view text) {
  std::string hint = "check indentation, quotes and brackets near here";
  const std::string_view line = line_at(text, e.mark.line);
  const std::size_t first = line.find_first_not_of(' ');
  if (first != std::string_view::npos && line[first] == '\t') {
    hint = "indent with spaces; YAML does not take tabs";
  } else if (line.find("${") != std::string_view::npos) {
    hint = "within {...} and [...] a value with ${NAME} needs quotes: \"${NAME}\"";
  }
  return {"not valid YAML: " + e.msg, std::move(hint)};
}

bool feed(std::string_view text, std::uint32_t file, DocumentBuilder& builder,
          Diagnostics& diagnostics) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    refuse_second_document(parser, file, diagnostics);
    return true;
  } catch (const LimitReached& limit) {
    diagnostics.error(to_location(file, limit.mark), "", limit.finding);
  } catch (const YAML::ParserException& e) {
    diagnostics.error(to_location(file, e.mark), "", explain(e, text));
  } catch (const std::exception& e) {
    diagnostics.error({file, 0, 0}, "", {std::string("not valid YAML: ") + e.what(), ""});
  }
  return false;
}

}  // namespace

std::string_view Document::text(NodeId id) const {
  const Node& node = nodes_[id];
  return std::string_view(texts_).substr(node.text_begin, node.text_size);
}

SourceLocation Document::location(NodeId id) const {
  return {file_, nodes_[id].line, nodes_[id].column};
}

std::optional<Document> Document::parse(std::string_view text, std::uint32_t file,
                                        Diagnostics& diagnostics, const DocumentLimits& limits) {
  if (text.size() > limits.max_bytes) {
    diagnostics.error({file, 0, 0}, "",
                      {"larger than " + std::to_string(limits.max_bytes >> 20) + " MiB",
                       "split the routes over several instances"});
    return std::nullopt;
  }
  if (const auto bad = find_bad_byte(text)) {
    diagnostics.error({file, bad->line, bad->column}, "", bad->finding);
    return std::nullopt;
  }
  DocumentBuilder builder(file, diagnostics, limits);
  if (!feed(text, file, builder, diagnostics)) return std::nullopt;
  return builder.take();
}

}  // namespace weir::config
