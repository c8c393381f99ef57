// SPDX-License-Identifier: Apache-2.0
#include "config/reader.h"

#include <algorithm>
#include <unordered_map>

namespace weir::config {

namespace {

constexpr std::size_t kMaxQuotedText = 60;
// Below this many keys comparing them all is faster than hashing them.
constexpr std::size_t kFewKeys = 16;

std::string_view kind_words(NodeKind kind) {
  switch (kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kScalar:
      return "a single value";
    case NodeKind::kMap:
      return "a map of keys";
    case NodeKind::kList:
      return "a list";
    case NodeKind::kBroken:
      break;
  }
  return "something unreadable";
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out.append(text.substr(0, kMaxQuotedText));
  if (text.size() > kMaxQuotedText) out += "...";
  return out + "\"";
}

std::string Reader::path() const {
  std::string out;
  for (const auto& [name, index] : path_) {
    if (name.empty()) {
      out += "[" + std::to_string(index) + "]";
      continue;
    }
    if (!out.empty()) out += '.';
    out += name.substr(0, kMaxQuotedText);
  }
  return out;
}

void Reader::error_at(const SourceLocation& at, Finding finding) {
  context_.diagnostics.error(at, path(), std::move(finding));
}

void Reader::error(NodeId at, Finding finding) {
  error_at(document_.location(at), std::move(finding));
}

void Reader::warning(NodeId at, Finding finding) {
  context_.diagnostics.warning(document_.location(at), path(), std::move(finding));
}

void Reader::report_kind(NodeId id, std::string_view expected) {
  const NodeKind kind = document_.kind(id);
  if (kind == NodeKind::kBroken) return;
  std::string message = kind == NodeKind::kNull ? "has no value"
                                                : std::string(kind_words(kind)) + " where " +
                                                      std::string(expected) + " should be";
  std::string hint = kind == NodeKind::kNull ? "leave the key out to keep its default, or write " +
                                                   std::string(expected)
                                             : std::string();
  error(id, {std::move(message), std::move(hint)});
}

std::optional<std::string> Reader::text(NodeId id, std::string_view expected) {
  if (document_.kind(id) != NodeKind::kScalar) {
    report_kind(id, expected);
    return std::nullopt;
  }
  const std::string_view raw = document_.text(id);
  if (raw.find("${") == std::string_view::npos) return std::string(raw);
  auto expanded = expand(raw, context_.environment);
  if (expanded) return std::move(*expanded);
  error(id, std::move(expanded.error()));
  return std::nullopt;
}

void Reader::report_repeats(std::vector<std::pair<NodeId, NodeId>>& entries) {
  const auto repeated = [&](NodeId first, NodeId again) {
    const SourceLocation where = document_.location(first);
    const Step step(*this, document_.text(again));
    error(again, {"the key is there twice, first in line " + std::to_string(where.line),
                  "keep one of them"});
  };
  if (entries.size() <= kFewKeys) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      const std::string_view key = document_.text(entries[i].first);
      const auto end = entries.begin() + static_cast<std::ptrdiff_t>(i);
      const auto first = std::find_if(entries.begin(), end, [&](const auto& entry) {
        return document_.text(entry.first) == key;
      });
      if (first == end) continue;
      repeated(first->first, entries[i].first);
      entries.erase(end);
      --i;
    }
    return;
  }
  std::unordered_map<std::string_view, NodeId> seen;
  std::erase_if(entries, [&](const auto& entry) {
    const auto [at, is_new] = seen.emplace(document_.text(entry.first), entry.first);
    if (!is_new) repeated(at->second, entry.first);
    return !is_new;
  });
}

std::vector<std::pair<NodeId, NodeId>> Reader::entries(NodeId id, std::string_view expected) {
  std::vector<std::pair<NodeId, NodeId>> found;
  if (document_.kind(id) != NodeKind::kMap) {
    report_kind(id, expected);
    return found;
  }
  for (NodeId key = document_.first_child(id); key != Document::kNone;) {
    const NodeId value = document_.next(key);
    found.emplace_back(key, value);
    key = document_.next(value);
  }
  report_repeats(found);
  return found;
}

std::vector<NodeId> Reader::items(NodeId id, std::string_view expected) {
  std::vector<NodeId> found;
  if (document_.kind(id) != NodeKind::kList) {
    report_kind(id, expected);
    return found;
  }
  for (NodeId item = document_.first_child(id); item != Document::kNone;
       item = document_.next(item)) {
    found.push_back(item);
  }
  return found;
}

NodeId Reader::find(NodeId map, std::string_view key) const {
  if (document_.kind(map) != NodeKind::kMap) return Document::kNone;
  for (NodeId at = document_.first_child(map); at != Document::kNone;) {
    const NodeId value = document_.next(at);
    if (document_.text(at) == key) return value;
    at = document_.next(value);
  }
  return Document::kNone;
}

void read_file_of(Reader& reader, NodeId at, const std::string& file,
                  const std::function<void(Reader&)>& read) {
  const ReadContext& context = reader.context();
  auto content = context.read_file(file);
  if (!content) {
    return reader.error(at, {"cannot be read: " + content.error(),
                             "relative paths start at the folder of this file"});
  }
  const std::uint32_t source = context.diagnostics.add_source(file, std::move(*content));
  const auto document =
      Document::parse(context.diagnostics.source_text(source), source, context.diagnostics);
  if (!document) return;
  Reader inner(*document, context);
  const std::string path = reader.path();
  const Reader::Step inside(inner, path);
  read(inner);
}

}  // namespace weir::config
