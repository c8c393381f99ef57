// SPDX-License-Identifier: Apache-2.0
// A Codec is all that is known about one type of value in a configuration: how it is read, written,
// compared and described. The tables of keys (*_keys.cc) join codecs to members, and parser, dump,
// diff and schema follow from the same tables, so that they cannot drift apart.
// Codecs are immutable and shared by any thread; they are built once, on first use.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/changes.h"
#include "config/emitter.h"
#include "config/reader.h"
#include "config/schema.h"
#include "config/values.h"

namespace weir::config {

template <class V>
class Codec {
 public:
  virtual ~Codec() = default;

  // Reports what is wrong and leaves `value` as it was where it can.
  virtual void read(Reader& reader, NodeId id, V& value) const = 0;
  virtual void write(Emitter& emitter, const V& value) const = 0;
  virtual void compare(Changes& changes, const V& before, const V& after) const = 0;
  virtual TypeInfo type() const = 0;
  // Adds the keys below this value, if it has any.
  virtual void describe(Catalog&, const V&) const {}
};

template <class V>
using CodecPtr = std::shared_ptr<const Codec<V>>;

// The value on one line, as a change list shows it.
template <class V>
std::string line_text(const Codec<V>& codec, const V& value) {
  Emitter emitter(Style::kLine, Secrets::kRedact);
  codec.write(emitter, value);
  return emitter.take();
}

// How a scalar becomes text and back.
template <class V>
struct ScalarSpec {
  TypeInfo type;
  std::function<Parsed<V>(const std::string&)> parse;
  std::function<Scalar(const V&)> format;
  // What YAML's null stands for, where it stands for anything.
  std::optional<V> null_value = std::nullopt;
};

template <std::equality_comparable V>
class ScalarCodec : public Codec<V> {
 public:
  explicit ScalarCodec(ScalarSpec<V> spec) : spec_(std::move(spec)) {}

  const ScalarSpec<V>& spec() const { return spec_; }

  void read(Reader& reader, NodeId id, V& value) const override {
    if (spec_.null_value && reader.document().is_null(id)) {
      value = *spec_.null_value;
      return;
    }
    const auto text = reader.text(id, "a single value (" + spec_.type.name + ")");
    if (!text) return;
    Parsed<V> parsed = spec_.parse(*text);
    if (parsed) {
      value = std::move(*parsed);
      return;
    }
    Finding finding = std::move(parsed.error());
    reader.error(id, {quoted(*text) + " is " + finding.message, std::move(finding.hint)});
  }

  void write(Emitter& emitter, const V& value) const override {
    if (spec_.null_value && value == *spec_.null_value) return emitter.scalar(null_scalar());
    emitter.scalar(spec_.format(value));
  }

  void compare(Changes& changes, const V& before, const V& after) const override {
    if (before == after) return;
    changes.changed(line_text(*this, before), line_text(*this, after));
  }

  TypeInfo type() const override { return spec_.type; }

 private:
  ScalarSpec<V> spec_;
};

template <class V>
using ScalarPtr = std::shared_ptr<const ScalarCodec<V>>;

template <class V>
ScalarPtr<V> scalar(ScalarSpec<V> spec) {
  return std::make_shared<const ScalarCodec<V>>(std::move(spec));
}

// A scalar that may also be absent, which is written as `word` (`auto`, `off`, `null`).
template <class V>
ScalarPtr<std::optional<V>> or_word(std::string_view word, ScalarPtr<V> inner) {
  using Optional = std::optional<V>;
  const bool is_null = word == "null";
  ScalarSpec<Optional> spec;
  spec.type = inner->spec().type;
  spec.type.name += " or `" + std::string(word) + "`";
  spec.parse = [inner, word, is_null](const std::string& text) -> Parsed<Optional> {
    if (!is_null && text == word) return Optional();
    auto parsed = inner->spec().parse(text);
    if (parsed) return Optional(std::move(*parsed));
    return std::unexpected(std::move(parsed.error()));
  };
  spec.format = [inner, word](const Optional& value) {
    return value ? inner->spec().format(*value) : text_scalar(std::string(word));
  };
  if (is_null) spec.null_value = Optional();
  return scalar(std::move(spec));
}

// A structure that may be absent; only for keys that are left out when they are.
template <class V>
class OptionalCodec : public Codec<std::optional<V>> {
 public:
  explicit OptionalCodec(CodecPtr<V> inner) : inner_(std::move(inner)) {}

  void read(Reader& reader, NodeId id, std::optional<V>& value) const override {
    inner_->read(reader, id, value.emplace());
  }
  void write(Emitter& emitter, const std::optional<V>& value) const override {
    if (!value) return emitter.scalar(null_scalar());
    inner_->write(emitter, *value);
  }
  void compare(Changes& changes, const std::optional<V>& before,
               const std::optional<V>& after) const override {
    if (before && after) return inner_->compare(changes, *before, *after);
    if (before) changes.removed(line_text(*inner_, *before));
    if (after) changes.added(line_text(*inner_, *after));
  }
  TypeInfo type() const override { return inner_->type(); }
  void describe(Catalog& catalog, const std::optional<V>& value) const override {
    inner_->describe(catalog, value ? *value : V());
  }

 private:
  CodecPtr<V> inner_;
};

template <class V>
CodecPtr<std::optional<V>> optional(CodecPtr<V> inner) {
  return std::make_shared<const OptionalCodec<V>>(std::move(inner));
}

}  // namespace weir::config
