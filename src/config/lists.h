// SPDX-License-Identifier: Apache-2.0
// Codecs of many values: lists of scalars, lists of sections, and maps from a name to a section.
// Elements are compared by the key that names them, so that an insertion is one change and not a
// shift of all that follow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/codec.h"

namespace weir::config {

enum class Repeats : std::uint8_t { kTaken, kRefused };

template <class V>
class ScalarListCodec : public Codec<std::vector<V>> {
 public:
  ScalarListCodec(ScalarPtr<V> item, Repeats repeats) : item_(std::move(item)), repeats_(repeats) {}

  void read(Reader& reader, NodeId id, std::vector<V>& values) const override {
    const auto items = reader.items(id, "a list such as [a, b]");
    values.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Reader::Step step(reader, i);
      const std::size_t errors = reader.context().diagnostics.errors();
      V value{};
      item_->read(reader, items[i], value);
      if (reader.context().diagnostics.errors() != errors) continue;
      if (repeats_ == Repeats::kRefused &&
          std::find(values.begin(), values.end(), value) != values.end()) {
        const std::string text = item_->spec().format(value).text;
        reader.error(items[i], {"`" + text + "` is there twice", "keep one of them"});
        continue;
      }
      values.push_back(std::move(value));
    }
  }
  void write(Emitter& emitter, const std::vector<V>& values) const override {
    emitter.begin_list();
    for (const V& value : values) item_->write(emitter, value);
    emitter.end_list();
  }
  void compare(Changes& changes, const std::vector<V>& before,
               const std::vector<V>& after) const override {
    if (before == after) return;
    changes.changed(line_text(*this, before), line_text(*this, after));
  }
  TypeInfo type() const override {
    TypeInfo info = item_->type();
    if (info.name.starts_with("one of ")) info.name.replace(0, 3, "any");
    info.name = "list of " + info.name;
    return info;
  }

 private:
  ScalarPtr<V> item_;
  Repeats repeats_;
};

template <class V>
CodecPtr<std::vector<V>> list_of(ScalarPtr<V> item, Repeats repeats = Repeats::kTaken) {
  return std::make_shared<const ScalarListCodec<V>>(std::move(item), repeats);
}

// Compares two lists element by element, by name. `name` returns what tells elements apart and
// `label` how a path shows it.
template <class S>
void compare_by_name(Changes& changes, const Codec<S>& item, const std::vector<S>& before,
                     const std::vector<S>& after, const auto& name, const auto& label) {
  std::unordered_map<std::string_view, const S*> old;
  for (const S& element : before) old.emplace(name(element), &element);
  for (const S& element : after) {
    const std::string text = label(name(element));
    const Changes::Step step(changes, text);
    const auto found = old.find(name(element));
    if (found == old.end()) {
      changes.added(line_text(item, element));
      continue;
    }
    item.compare(changes, *found->second, element);
    old.erase(found);
  }
  for (const S& element : before) {
    if (!old.contains(name(element))) continue;
    const std::string text = label(name(element));
    const Changes::Step step(changes, text);
    changes.removed(line_text(item, element));
  }
}

// A YAML list of sections. `name` reads what tells elements apart.
template <class S>
class SectionListCodec : public Codec<std::vector<S>> {
 public:
  using Name = std::function<std::string_view(const S&)>;

  // `label_key` is the key whose text stands for the element in paths; empty: its index does.
  SectionListCodec(CodecPtr<S> item, Name name, std::string_view label_key)
      : item_(std::move(item)), name_(std::move(name)), label_key_(label_key) {}

  void read(Reader& reader, NodeId id, std::vector<S>& values) const override {
    const auto items = reader.items(id, "a list of sections, each behind a dash");
    values.clear();
    values.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string_view label = label_of(reader, items[i]);
      if (label.empty()) {
        read_item(reader, Reader::Step(reader, i), items[i], values);
      } else {
        read_item(reader, Reader::Step(reader, label), items[i], values);
      }
    }
  }
  void write(Emitter& emitter, const std::vector<S>& values) const override {
    emitter.begin_list();
    for (const S& value : values) item_->write(emitter, value);
    emitter.end_list();
  }
  void compare(Changes& changes, const std::vector<S>& before,
               const std::vector<S>& after) const override {
    const bool by_label = !label_key_.empty();
    compare_by_name(changes, *item_, before, after, name_, [by_label](std::string_view text) {
      return by_label ? std::string(text) : "[" + std::string(text) + "]";
    });
  }
  TypeInfo type() const override { return {"list of sections", {}}; }
  void describe(Catalog& catalog, const std::vector<S>&) const override {
    const std::string outer = catalog.path;
    catalog.path += "[]";
    item_->describe(catalog, S());
    catalog.path = outer;
  }

 private:
  void read_item(Reader& reader, const Reader::Step&, NodeId id, std::vector<S>& values) const {
    item_->read(reader, id, values.emplace_back());
  }
  std::string_view label_of(const Reader& reader, NodeId item) const {
    if (label_key_.empty()) return {};
    const NodeId label = reader.find(item, label_key_);
    if (label == Document::kNone || reader.document().kind(label) != NodeKind::kScalar) return {};
    return reader.document().text(label);
  }

  CodecPtr<S> item_;
  Name name_;
  std::string_view label_key_;
};

template <class S>
CodecPtr<std::vector<S>> section_list(CodecPtr<S> item, typename SectionListCodec<S>::Name name,
                                      std::string_view label_key = {}) {
  return std::make_shared<const SectionListCodec<S>>(std::move(item), std::move(name), label_key);
}

// A YAML map from a name to a section or value; S has members `name` and `location`.
template <class S>
class NamedMapCodec : public Codec<std::vector<S>> {
 public:
  NamedMapCodec(CodecPtr<S> item, std::function<Parsed<std::string>(const std::string&)> parse_name)
      : item_(std::move(item)), parse_name_(std::move(parse_name)) {}

  void read(Reader& reader, NodeId id, std::vector<S>& values) const override {
    values.clear();
    for (const auto& [name, value] : reader.entries(id, "a map from names to sections")) {
      const std::string_view text = reader.document().text(name);
      const Reader::Step step(reader, text);
      const Parsed<std::string> parsed = parse_name_(std::string(text));
      if (!parsed) {
        reader.error(name, {quoted(text) + " is " + parsed.error().message, parsed.error().hint});
      }
      S& object = values.emplace_back();
      object.name = parsed ? *parsed : std::string(text);
      if constexpr (requires { object.location; }) {
        object.location = reader.document().location(name);
      }
      item_->read(reader, value, object);
    }
  }
  void write(Emitter& emitter, const std::vector<S>& values) const override {
    emitter.begin_map();
    for (const S& value : values) {
      emitter.key(value.name);
      item_->write(emitter, value);
    }
    emitter.end_map();
  }
  void compare(Changes& changes, const std::vector<S>& before,
               const std::vector<S>& after) const override {
    compare_by_name(
        changes, *item_, before, after, [](const S& s) { return std::string_view(s.name); },
        [](std::string_view text) { return std::string(text); });
  }
  TypeInfo type() const override { return {"map of sections", {}}; }
  void describe(Catalog& catalog, const std::vector<S>&) const override {
    const std::string outer = catalog.path;
    catalog.path += ".<name>";
    item_->describe(catalog, S());
    catalog.path = outer;
  }

 private:
  CodecPtr<S> item_;
  std::function<Parsed<std::string>(const std::string&)> parse_name_;
};

template <class S>
CodecPtr<std::vector<S>> named_map(CodecPtr<S> item,
                                   std::function<Parsed<std::string>(const std::string&)> parse) {
  return std::make_shared<const NamedMapCodec<S>>(std::move(item), std::move(parse));
}

}  // namespace weir::config
