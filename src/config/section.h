// SPDX-License-Identifier: Apache-2.0
// A Section is a table of keys for one struct: name, member, codec, sentence. It reads a YAML map
// strictly (unknown and missing keys are findings) and writes every key with its value.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/codec.h"
#include "config/nearest.h"

namespace weir::config {

enum class KeyUse : std::uint8_t {
  kOptional,
  kRequired,
  kAlternative,  // one of several that exclude each other: not written when unset
};

inline bool is_unset(const std::string& value) { return value.empty(); }
inline bool is_unset(const HashOn& value) { return value.kind == HashOn::Kind::kNone; }
template <class V>
bool is_unset(const std::optional<V>& value) {
  return !value.has_value();
}
template <class V>
bool is_unset(const std::vector<V>& value) {
  return value.empty();
}
template <class V>
bool is_unset(const V&) {
  return false;
}

// One row of a table, with the type of its member hidden.
template <class S>
class Key {
 public:
  Key(std::string_view name, std::string_view sentence, KeyUse use)
      : name_(name), sentence_(sentence), use_(use) {}
  virtual ~Key() = default;

  std::string_view name() const { return name_; }
  std::string_view sentence() const { return sentence_; }
  KeyUse use() const { return use_; }

  virtual void read(Reader& reader, NodeId id, S& object) const = 0;
  virtual void write(Emitter& emitter, const S& object) const = 0;
  virtual void compare(Changes& changes, const S& before, const S& after) const = 0;
  virtual void describe(Catalog& catalog, const S& defaults) const = 0;

 private:
  std::string_view name_;
  std::string_view sentence_;
  KeyUse use_;
};

template <class S, class V>
class MemberKey : public Key<S> {
 public:
  // `hidden` tells objects that the key is not written for.
  using Hidden = bool (*)(const S&);

  MemberKey(std::string_view name, V S::*member, CodecPtr<V> codec, std::string_view sentence,
            KeyUse use, Hidden hidden)
      : Key<S>(name, sentence, use), member_(member), codec_(std::move(codec)), hidden_(hidden) {}

  void read(Reader& reader, NodeId id, S& object) const override {
    const Reader::Step step(reader, this->name());
    codec_->read(reader, id, object.*member_);
  }
  void write(Emitter& emitter, const S& object) const override {
    if (this->use() == KeyUse::kAlternative && is_unset(object.*member_)) return;
    if (hidden_ != nullptr && hidden_(object)) return;
    emitter.key(this->name());
    codec_->write(emitter, object.*member_);
  }
  void compare(Changes& changes, const S& before, const S& after) const override {
    const Changes::Step step(changes, this->name());
    codec_->compare(changes, before.*member_, after.*member_);
  }
  void describe(Catalog& catalog, const S& defaults) const override {
    const std::string outer = catalog.path;
    if (!catalog.path.empty()) catalog.path += '.';
    catalog.path += this->name();
    KeyInfo info{.path = {},
                 .name = std::string(this->name()),
                 .type = codec_->type(),
                 .default_text = {},
                 .sentence = std::string(this->sentence()),
                 .required = this->use() == KeyUse::kRequired};
    const bool has_default = this->use() == KeyUse::kOptional && info.type.name != "section";
    if (has_default) info.default_text = line_text(*codec_, defaults.*member_);
    catalog.add(std::move(info));
    codec_->describe(catalog, defaults.*member_);
    catalog.path = outer;
  }

 private:
  V S::*member_;
  CodecPtr<V> codec_;
  Hidden hidden_;
};

template <class S>
using KeyPtr = std::shared_ptr<const Key<S>>;

// The codec comes as any pointer that converts, so that tables read as rows.
template <class S, class V>
KeyPtr<S> key(std::string_view name, V S::*member, std::type_identity_t<CodecPtr<V>> codec,
              std::string_view sentence, KeyUse use = KeyUse::kOptional,
              typename MemberKey<S, V>::Hidden hidden = nullptr) {
  return std::make_shared<const MemberKey<S, V>>(name, member, std::move(codec), sentence, use,
                                                 hidden);
}

// What a table reports about keys that it does not have; not a template, to keep tables small.
Finding unknown_key(std::string_view name, const std::vector<std::string_view>& known);

template <class S>
class Section : public Codec<S> {
 public:
  // Sees the map before or after its keys are read: defaults that depend on a key, checks over
  // keys.
  using Hook = std::function<void(Reader&, NodeId, S&)>;

  explicit Section(std::vector<KeyPtr<S>> keys, Hook after = {}, Hook before = {})
      : keys_(std::move(keys)),
        after_(std::move(after)),
        before_(std::move(before)),
        example_(keys_.empty()
                     ? std::string("an empty map: {}")
                     : "a map such as {" + std::string(keys_.front()->name()) + ": ...}") {}

  void read(Reader& reader, NodeId id, S& object) const override {
    const auto entries = reader.entries(id, example_);
    place(reader, id, object);
    if (reader.document().kind(id) != NodeKind::kMap) return;
    if (before_) before_(reader, id, object);
    for (const auto& [name, value] : entries) read_key(reader, name, value, object);
    report_missing(reader, id, entries);
    if (after_) after_(reader, id, object);
  }

  void write(Emitter& emitter, const S& object) const override {
    emitter.begin_map();
    for (const auto& row : keys_) row->write(emitter, object);
    emitter.end_map();
  }

  void compare(Changes& changes, const S& before, const S& after) const override {
    for (const auto& row : keys_) row->compare(changes, before, after);
  }

  TypeInfo type() const override { return {"section", {}}; }

  void describe(Catalog& catalog, const S& defaults) const override {
    for (const auto& row : keys_) row->describe(catalog, defaults);
  }

 private:
  // A named map has put its objects at their names already.
  static void place(const Reader& reader, NodeId id, S& object) {
    if constexpr (requires { object.location; }) {
      if (object.location.line == 0) object.location = reader.document().location(id);
    }
  }

  const Key<S>* find(std::string_view name) const {
    for (const auto& row : keys_) {
      if (row->name() == name) return row.get();
    }
    return nullptr;
  }

  void read_key(Reader& reader, NodeId name, NodeId value, S& object) const {
    const std::string_view text = reader.document().text(name);
    if (const Key<S>* row = find(text)) return row->read(reader, value, object);
    std::vector<std::string_view> known;
    for (const auto& row : keys_) known.push_back(row->name());
    const Reader::Step step(reader, text);
    reader.error(name, unknown_key(text, known));
  }

  void report_missing(Reader& reader, NodeId id,
                      const std::vector<std::pair<NodeId, NodeId>>& entries) const {
    for (const auto& row : keys_) {
      if (row->use() != KeyUse::kRequired) continue;
      bool seen = false;
      for (const auto& [name, value] : entries) {
        seen = seen || reader.document().text(name) == row->name();
      }
      if (seen) continue;
      reader.error(id, {"`" + std::string(row->name()) + "` is missing and has no default",
                        std::string(row->sentence())});
    }
  }

  std::vector<KeyPtr<S>> keys_;
  Hook after_;
  Hook before_;
  std::string example_;
};

template <class S>
CodecPtr<S> section(std::vector<KeyPtr<S>> keys, typename Section<S>::Hook after = {},
                    typename Section<S>::Hook before = {}) {
  return std::make_shared<const Section<S>>(std::move(keys), std::move(after), std::move(before));
}

// A value whose YAML form is another struct: a variant written as keys that exclude each other.
template <class V, class Surface>
class ViaCodec : public Codec<V> {
 public:
  using ToSurface = std::function<Surface(const V&)>;
  using FromSurface = std::function<void(Reader&, NodeId, Surface&&, V&)>;

  ViaCodec(CodecPtr<Surface> inner, ToSurface to, FromSurface from)
      : inner_(std::move(inner)), to_(std::move(to)), from_(std::move(from)) {}

  void read(Reader& reader, NodeId id, V& value) const override {
    Surface surface;
    inner_->read(reader, id, surface);
    const NodeKind kind = reader.document().kind(id);
    if (kind != NodeKind::kMap && kind != NodeKind::kList) return;
    from_(reader, id, std::move(surface), value);
  }
  void write(Emitter& emitter, const V& value) const override {
    inner_->write(emitter, to_(value));
  }
  void compare(Changes& changes, const V& before, const V& after) const override {
    inner_->compare(changes, to_(before), to_(after));
  }
  TypeInfo type() const override { return inner_->type(); }
  void describe(Catalog& catalog, const V& value) const override {
    inner_->describe(catalog, to_(value));
  }

 private:
  CodecPtr<Surface> inner_;
  ToSurface to_;
  FromSurface from_;
};

template <class V, class Surface>
CodecPtr<V> via(CodecPtr<Surface> inner, typename ViaCodec<V, Surface>::ToSurface to,
                typename ViaCodec<V, Surface>::FromSurface from) {
  return std::make_shared<const ViaCodec<V, Surface>>(std::move(inner), std::move(to),
                                                      std::move(from));
}

}  // namespace weir::config
