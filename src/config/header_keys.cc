// SPDX-License-Identifier: Apache-2.0
// Keys that name headers and give them values.
#include <algorithm>
#include <array>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::string_view kHidden = "[hidden]";

// Names that usually carry a credential. Too many hidden is a nuisance, too few a leak.
bool is_secret_name(std::string_view name) {
  constexpr std::array<std::string_view, 7> kParts{"auth",   "cookie",   "token",     "secret",
                                                   "apikey", "password", "credential"};
  std::string letters;
  std::copy_if(name.begin(), name.end(), std::back_inserter(letters),
               [](char c) { return c != '-' && c != '_'; });
  return letters.ends_with("key") ||
         std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) {
           return letters.find(part) != std::string::npos;
         });
}

class HeaderValuesCodec : public Codec<HeaderPairs> {
 public:
  void read(Reader& reader, NodeId id, HeaderPairs& pairs) const override {
    pairs.clear();
    for (const auto& [key, value] : reader.entries(id, "a map from header names to values")) {
      const Reader::Step step(reader, reader.document().text(key));
      std::string header;
      name_->read(reader, key, header);
      if (!header.empty()) read_values(reader, value, header, pairs);
    }
  }

  void write(Emitter& emitter, const HeaderPairs& pairs) const override {
    emitter.begin_map();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (is_repeat(pairs, i)) continue;
      emitter.key(pairs[i].first);
      write_values(emitter, pairs, pairs[i].first);
    }
    emitter.end_map();
  }

  void compare(Changes& changes, const HeaderPairs& before,
               const HeaderPairs& after) const override {
    if (before != after) changes.changed(line_text(*this, before), line_text(*this, after));
  }

  TypeInfo type() const override { return {"map of texts", {}}; }

 private:
  void read_values(Reader& reader, NodeId id, const std::string& header, HeaderPairs& pairs) const {
    const auto read_one = [&](NodeId value) {
      std::string text;
      const std::size_t errors = reader.context().diagnostics.errors();
      value_->read(reader, value, text);
      if (reader.context().diagnostics.errors() == errors) pairs.emplace_back(header, text);
    };
    if (reader.document().kind(id) != NodeKind::kList) return read_one(id);
    for (const NodeId value : reader.items(id, "a list of values")) read_one(value);
  }

  static bool is_repeat(const HeaderPairs& pairs, std::size_t at) {
    const auto end = pairs.begin() + static_cast<std::ptrdiff_t>(at);
    return std::any_of(pairs.begin(), end,
                       [&](const auto& pair) { return pair.first == pairs[at].first; });
  }

  static void write_values(Emitter& emitter, const HeaderPairs& pairs, const std::string& header) {
    const bool hide = emitter.redacts() && is_secret_name(header);
    const auto write_one = [&](const std::string& value) {
      emitter.scalar(text_scalar(hide ? std::string(kHidden) : value));
    };
    const auto same = [&](const auto& pair) { return pair.first == header; };
    if (std::count_if(pairs.begin(), pairs.end(), same) == 1) {
      return write_one(std::find_if(pairs.begin(), pairs.end(), same)->second);
    }
    emitter.begin_list();
    for (const auto& [name, value] : pairs) {
      if (name == header) write_one(value);
    }
    emitter.end_list();
  }

  ScalarPtr<std::string> name_ = editable_header_name();
  ScalarPtr<std::string> value_ = header_value();
};

}  // namespace

CodecPtr<HeaderPairs> header_values() {
  static const CodecPtr<HeaderPairs> codec = std::make_shared<const HeaderValuesCodec>();
  return codec;
}

CodecPtr<HeaderOps> header_ops_section() {
  using S = HeaderOps;
  static const auto table = section<S>({
      key("set", &S::set, header_values(), "Fields that replace all of their name."),
      key("add", &S::add, header_values(), "Fields that come on top; a list adds several."),
      key("remove", &S::remove, list_of(editable_header_name()),
          "Names whose fields are dropped, before set and add."),
  });
  return table;
}

}  // namespace weir::config
