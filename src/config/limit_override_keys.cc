// SPDX-License-Identifier: Apache-2.0
// Other amounts of a limit: maps from the values of its key, or from classes, and the file of them.
#include "config/limit_parts.h"
#include "config/lists.h"

namespace weir::config {

namespace {

// S: LimitOverride or ClassOverride; Name says how its key reads.
template <class S, class ToName, class FromName>
class AmountsMapCodec : public Codec<std::vector<S>> {
 public:
  AmountsMapCodec(ToName to, FromName from) : to_(to), from_(from) {}

  void read(Reader& reader, NodeId id, std::vector<S>& values) const override {
    values.clear();
    for (const auto& [name, value] : reader.entries(id, "a map from names to amounts")) {
      const std::string_view text = reader.document().text(name);
      const Reader::Step step(reader, text);
      S& each = values.emplace_back();
      from_(text, each);
      amounts_section()->read(reader, value, each.amounts);
      if (reader.document().kind(value) == NodeKind::kMap &&
          reader.document().first_child(value) == Document::kNone) {
        reader.error(value, {"changes nothing", "write requests, bandwidth, cost or concurrency"});
      }
    }
  }
  void write(Emitter& emitter, const std::vector<S>& values) const override {
    emitter.begin_map();
    for (const S& each : values) {
      emitter.key(to_(each));
      amounts_section()->write(emitter, each.amounts);
    }
    emitter.end_map();
  }
  // Names are composed, so both sides get theirs first: compare_by_name() wants views.
  void compare(Changes& changes, const std::vector<S>& before,
               const std::vector<S>& after) const override {
    const auto named = [this](const std::vector<S>& values) {
      std::vector<Named> out;
      for (const S& each : values) out.push_back({to_(each), each.amounts});
      return out;
    };
    compare_by_name(
        changes, *named_, named(before), named(after),
        [](const Named& n) { return std::string_view(n.name); },
        [](std::string_view text) { return std::string(text); });
  }
  TypeInfo type() const override { return {"map of sections", {}}; }
  void describe(Catalog& catalog, const std::vector<S>&) const override {
    const std::string outer = catalog.path;
    catalog.path += ".<name>";
    amounts_section()->describe(catalog, LimitAmounts());
    catalog.path = outer;
  }

 private:
  struct Named {
    std::string name;
    LimitAmounts amounts;
  };
  class NamedCodec : public Codec<Named> {
   public:
    void read(Reader&, NodeId, Named&) const override {}
    void write(Emitter& emitter, const Named& n) const override {
      amounts_section()->write(emitter, n.amounts);
    }
    void compare(Changes& changes, const Named& a, const Named& b) const override {
      amounts_section()->compare(changes, a.amounts, b.amounts);
    }
    TypeInfo type() const override { return {"section", {}}; }
  };
  ToName to_;
  FromName from_;
  CodecPtr<Named> named_ = std::make_shared<const NamedCodec>();
};

}  // namespace

std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.emplace_back(part);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return out;
}

CodecPtr<std::vector<LimitOverride>> overrides_map() {
  const auto to = [](const LimitOverride& each) { return joined(each.values); };
  const auto from = [](std::string_view text, LimitOverride& each) {
    each.values = split_values(text);
  };
  static const auto codec =
      std::make_shared<const AmountsMapCodec<LimitOverride, decltype(to), decltype(from)>>(to,
                                                                                           from);
  return codec;
}

CodecPtr<std::vector<ClassOverride>> classes_map() {
  const auto to = [](const ClassOverride& each) { return each.class_name; };
  const auto from = [](std::string_view text, ClassOverride& each) { each.class_name = text; };
  static const auto codec =
      std::make_shared<const AmountsMapCodec<ClassOverride, decltype(to), decltype(from)>>(to,
                                                                                           from);
  return codec;
}

void check_overrides(Reader& reader, NodeId map, const LimitConfig& limit) {
  const Document& document = reader.document();
  if (document.kind(map) != NodeKind::kMap) return;
  for (NodeId name = document.first_child(map); name != Document::kNone;
       name = document.next(document.next(name))) {
    const std::vector<std::string> values = split_values(document.text(name));
    const auto never = [&](const std::string& why, const std::string& hint) {
      reader.error(name, {"`" + joined(values) + "` can never match: " + why, hint});
    };
    if (values.size() != limit.key.size()) {
      never("`key` has " + std::to_string(limit.key.size()) + " parts",
            "write one value for each, with commas between: \"acme, resize\"");
      continue;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (limit.key[i].kind != LimitDimension::Kind::kClientIp || parse_ip(values[i])) continue;
      never("`" + values[i] + "` is no address",
            "write an address, such as 10.0.0.1 or 2001:db8::1");
    }
  }
}

void read_overrides_file(Reader& reader, NodeId id, LimitConfig& limit) {
  const Reader::Step step(reader, "overrides_file");
  read_file_of(reader, reader.find(id, "overrides_file"), limit.overrides_file, [&](Reader& inner) {
    overrides_map()->read(inner, Document::kRoot, limit.overrides);
    if (!limit.key.empty()) check_overrides(inner, Document::kRoot, limit);
  });
}

}  // namespace weir::config
