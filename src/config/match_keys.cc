// SPDX-License-Identifier: Apache-2.0
// Keys under a route's `match`.
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

using OptionalText = std::optional<std::string>;

// One of several ways to match; nobody is told that null is the same as leaving it out.
template <class V>
ScalarPtr<std::optional<V>> maybe(ScalarPtr<V> inner) {
  ScalarSpec<std::optional<V>> spec = or_word("null", inner)->spec();
  spec.type = inner->spec().type;
  return scalar(std::move(spec));
}

// How many of a section's keys, which exclude each other, are there.
int given(const Reader& reader, NodeId id, std::initializer_list<std::string_view> keys) {
  return static_cast<int>(std::count_if(keys.begin(), keys.end(), [&](std::string_view key) {
    return reader.find(id, key) != Document::kNone;
  }));
}

SourceLocation location_of(const Reader& reader, NodeId map, std::string_view key) {
  const NodeId value = reader.find(map, key);
  return reader.document().location(value == Document::kNone ? map : value);
}

// match.path as the file has it.
struct PathKeys {
  OptionalText exact;
  OptionalText prefix;
  OptionalText regex;
};

CodecPtr<PathKeys> path_keys() {
  using S = PathKeys;
  return section<S>({
      key("exact", &S::exact, maybe(path()), "The whole path.", KeyUse::kAlternative),
      key("prefix", &S::prefix, maybe(path()),
          "Leading whole segments: /a takes /a and /a/b, not /ab. Default: /.",
          KeyUse::kAlternative),
      key("regex", &S::regex, maybe(regex()), "An RE2 pattern that the whole path must match.",
          KeyUse::kAlternative),
  });
}

PathKeys to_keys(const PathMatch& match) {
  PathKeys keys;
  OptionalText& member = match.kind == PathMatch::Kind::kExact    ? keys.exact
                         : match.kind == PathMatch::Kind::kPrefix ? keys.prefix
                                                                  : keys.regex;
  member = match.value;
  return keys;
}

void from_keys(Reader& reader, NodeId id, PathKeys&& keys, PathMatch& match) {
  using Kind = PathMatch::Kind;
  if (given(reader, id, {"exact", "prefix", "regex"}) > 1) {
    reader.error(id, {"a path is matched in one way only", "keep one of exact, prefix and regex"});
    return;
  }
  const auto take = [&](OptionalText& text, Kind kind, std::string_view key) {
    if (text) match = PathMatch{kind, std::move(*text), location_of(reader, id, key)};
  };
  take(keys.exact, Kind::kExact, "exact");
  take(keys.prefix, Kind::kPrefix, "prefix");
  take(keys.regex, Kind::kRegex, "regex");
}

CodecPtr<PathMatch> path_match() {
  return via<PathMatch, PathKeys>(path_keys(), to_keys, from_keys);
}

// A header or parameter to match, as the file has it when it is not just a text.
struct ValueKeys {
  OptionalText exact;
  OptionalText prefix;
  OptionalText regex;
  std::optional<bool> present;
};

CodecPtr<ValueKeys> value_keys() {
  using S = ValueKeys;
  return section<S>({
      key("exact", &S::exact, maybe(text()), "The whole value; the same as the text alone.",
          KeyUse::kAlternative),
      key("prefix", &S::prefix, maybe(nonempty_text()), "The beginning of the value.",
          KeyUse::kAlternative),
      key("regex", &S::regex, maybe(regex()), "An RE2 pattern that the whole value must match.",
          KeyUse::kAlternative),
      key("present", &S::present, maybe(boolean()), "true: any value will do.",
          KeyUse::kAlternative),
  });
}

// `x-canary: "1"` or `x-canary: {prefix: be}`.
class ValueMatchCodec : public Codec<ValueMatch> {
 public:
  void read(Reader& reader, NodeId id, ValueMatch& match) const override {
    match.location = reader.document().location(id);
    if (reader.document().kind(id) != NodeKind::kMap) {
      auto value = reader.text(id, "a text, or a map such as {present: true}");
      if (value) match.value = std::move(*value);
      return;
    }
    ValueKeys keys;
    keys_->read(reader, id, keys);
    const int ways = given(reader, id, {"exact", "prefix", "regex", "present"});
    const bool reported = reader.document().first_child(id) != Document::kNone;  // unknown keys
    if (ways == 0 && reported) return;
    if (ways != 1) {
      reader.error(id, {"a value is matched in exactly one way",
                        "write one of exact, prefix, regex and present"});
      return;
    }
    take(reader, id, std::move(keys), match);
  }

  void write(Emitter& emitter, const ValueMatch& match) const override {
    if (match.kind == ValueMatch::Kind::kExact) return emitter.scalar(text_scalar(match.value));
    keys_->write(emitter, to_value_keys(match));
  }
  void compare(Changes& changes, const ValueMatch& before, const ValueMatch& after) const override {
    std::string old_text = line_text(*this, before);
    std::string new_text = line_text(*this, after);
    if (old_text != new_text) changes.changed(std::move(old_text), std::move(new_text));
  }
  TypeInfo type() const override { return {"text or section", {}}; }
  void describe(Catalog& catalog, const ValueMatch&) const override {
    keys_->describe(catalog, ValueKeys());
  }

 private:
  static void take(Reader& reader, NodeId id, ValueKeys&& keys, ValueMatch& match) {
    using Kind = ValueMatch::Kind;
    const auto set = [&](OptionalText& text, Kind kind, std::string_view key) {
      if (!text) return;
      match.kind = kind;
      match.value = std::move(*text);
      match.location = location_of(reader, id, key);
    };
    set(keys.exact, Kind::kExact, "exact");
    set(keys.prefix, Kind::kPrefix, "prefix");
    set(keys.regex, Kind::kRegex, "regex");
    if (!keys.present) return;
    match.kind = Kind::kPresent;
    if (*keys.present) return;
    reader.error(reader.find(id, "present"),
                 {"absence cannot be matched", "give the route without it less priority"});
  }

  static ValueKeys to_value_keys(const ValueMatch& match) {
    ValueKeys keys;
    switch (match.kind) {
      case ValueMatch::Kind::kExact:
        keys.exact = match.value;
        break;
      case ValueMatch::Kind::kPrefix:
        keys.prefix = match.value;
        break;
      case ValueMatch::Kind::kRegex:
        keys.regex = match.value;
        break;
      case ValueMatch::Kind::kPresent:
        keys.present = true;
        break;
    }
    return keys;
  }

  CodecPtr<ValueKeys> keys_ = value_keys();
};

CodecPtr<std::vector<ValueMatch>> value_matches(ScalarPtr<std::string> name) {
  return named_map<ValueMatch>(
      std::make_shared<const ValueMatchCodec>(),
      [name](const std::string& text) { return name->spec().parse(text); });
}

}  // namespace

CodecPtr<std::vector<ValueMatch>> header_matches() { return value_matches(header_name()); }
CodecPtr<std::vector<ValueMatch>> query_matches() { return value_matches(nonempty_text()); }

CodecPtr<RouteMatch> match_section() {
  using S = RouteMatch;
  static const auto table = section<S>(
      {
          key("hosts", &S::hosts, list_of(host_pattern()),
              "Names, exact or *.example.com; empty matches every host."),
          key("path", &S::path, path_match(), "The path, after normalisation."),
          key("methods", &S::methods, list_of(method()),
              "Methods, in capitals; empty matches every method."),
          key("headers", &S::headers, header_matches(),
              "Headers that must all be there: a text, or exact, prefix, regex or present."),
          key("query", &S::query, query_matches(),
              "Query parameters that must all be there, in the same form as headers."),
      },
      [](Reader&, NodeId, S& match) {
        // A star among the hosts makes the others say nothing.
        const bool any =
            std::find(match.hosts.begin(), match.hosts.end(), "*") != match.hosts.end();
        if (any) match.hosts.clear();
      });
  return table;
}

}  // namespace weir::config
