// SPDX-License-Identifier: Apache-2.0
// Keys of releases: which version of a service a request gets.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/release_parts.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

using Kind = ReleaseRule::Kind;

// Names of tenants, as many as there are: each is a change of its own.
class TenantNamesCodec : public Codec<std::vector<std::string>> {
 public:
  void read(Reader& reader, NodeId id, std::vector<std::string>& names) const override {
    names.clear();
    std::unordered_set<std::string> seen;
    const auto items = reader.items(id, "a list of tenants such as [acme, initech]");
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Reader::Step step(reader, i);
      std::string name;
      item_->read(reader, items[i], name);
      if (name.empty()) continue;
      if (seen.insert(name).second) {
        names.push_back(std::move(name));
      } else {
        reader.error(items[i], {"`" + name + "` is there twice", "keep one of them"});
      }
    }
  }
  void write(Emitter& emitter, const std::vector<std::string>& names) const override {
    emitter.begin_list();
    for (const std::string& name : names) item_->write(emitter, name);
    emitter.end_list();
  }
  void compare(Changes& changes, const std::vector<std::string>& before,
               const std::vector<std::string>& after) const override {
    compare_by_name(
        changes, *item_, before, after,
        [](const std::string& name) { return std::string_view(name); },
        [](std::string_view text) { return std::string(text); });
  }
  TypeInfo type() const override { return {"list of text", {}}; }

 private:
  ScalarPtr<std::string> item_ = nonempty_text();
};

ScalarPtr<ReleaseSticky> sticky() {
  static constexpr std::array<std::pair<std::string_view, ReleaseSticky::Kind>, 3> kWords{
      {{"tenant", ReleaseSticky::Kind::kTenant},
       {"client_ip", ReleaseSticky::Kind::kClientIp},
       {"none", ReleaseSticky::Kind::kNone}}};
  ScalarSpec<ReleaseSticky> spec;
  spec.type = {"tenant, client_ip, header:NAME or none", {}};
  spec.parse = [](const std::string& text) -> Parsed<ReleaseSticky> {
    if (text.starts_with("header:")) {
      auto header = header_name()->spec().parse(text.substr(7));
      if (!header) return std::unexpected(std::move(header.error()));
      return ReleaseSticky{ReleaseSticky::Kind::kHeader, std::move(*header)};
    }
    std::vector<std::string_view> known;
    for (const auto& [word, kind] : kWords) {
      if (word == text) return ReleaseSticky{kind, {}};
      known.push_back(word);
    }
    known.emplace_back("header:NAME");
    return std::unexpected(unknown_word(text, known));
  };
  spec.format = [](const ReleaseSticky& value) {
    if (value.kind == ReleaseSticky::Kind::kHeader) return text_scalar("header:" + value.header);
    const auto word =
        std::ranges::find(kWords, value.kind, [](const auto& each) { return each.second; });
    return text_scalar(std::string(word->first));
  };
  return scalar(std::move(spec));
}

// A rule as the file has it: one of tenants, tenants_file, match and weight.
struct RuleKeys {
  struct Match {
    std::vector<ValueMatch> headers;
    std::vector<ValueMatch> query;
  };
  std::string name;
  std::vector<std::string> tenants;
  std::string tenants_file;
  std::optional<Match> match;
  Share weight{0};
  ReleaseSticky sticky;
  std::string to;
  bool splits = false;  // weight is there
};

CodecPtr<RuleKeys::Match> rule_match() {
  using S = RuleKeys::Match;
  return section<S>({
      key("headers", &S::headers, header_matches(), "Headers that must all be there.",
          KeyUse::kAlternative),
      key("query", &S::query, query_matches(), "Query parameters that must all be there.",
          KeyUse::kAlternative),
  });
}

CodecPtr<RuleKeys> rule_keys() {
  using S = RuleKeys;
  constexpr auto kOne = KeyUse::kAlternative;
  const auto no_split = [](const S& rule) { return !rule.splits; };
  return section<S>({
      key("name", &S::name, name(),
          "Its name in logs and metrics; left out: tenants, match or weight.", kOne),
      key("tenants", &S::tenants, std::make_shared<const TenantNamesCodec>(), "Named tenants.",
          kOne, [](const S& rule) { return !rule.tenants_file.empty(); }),
      key("tenants_file", &S::tenants_file, nonempty_text(),
          "A YAML file with a list as under tenants, read at every load.", kOne),
      key("match", &S::match, optional(rule_match()), "Requests that say so themselves.", kOne),
      key("weight", &S::weight, share(), "A part of all; raised, it keeps all whom it had.", kOne,
          no_split),
      key("sticky", &S::sticky, sticky(),
          "With weight: what stays on its side, tenant unless given; none is at random.", kOne,
          no_split),
      key("to", &S::to, cluster_or_template(), "Where they go: a cluster or a failover group.",
          KeyUse::kRequired),
  });
}

RuleKeys to_keys(const ReleaseRule& rule) {
  RuleKeys keys;
  keys.name = rule.name;
  keys.to = rule.to;
  keys.tenants = rule.tenants;
  keys.tenants_file = rule.tenants_file;
  keys.splits = rule.kind == Kind::kWeight;
  keys.weight = rule.weight;
  keys.sticky = rule.sticky;
  if (rule.kind == Kind::kMatch) keys.match = RuleKeys::Match{rule.headers, rule.query};
  return keys;
}

void take_tenants(Reader& reader, NodeId id, RuleKeys& keys, ReleaseRule& rule) {
  rule.kind = Kind::kTenants;
  rule.tenants = std::move(keys.tenants);
  rule.tenants_file = std::move(keys.tenants_file);
  const NodeId list = reader.find(id, "tenants");
  if (!rule.tenants_file.empty()) {
    const Reader::Step step(reader, "tenants_file");
    read_file_of(reader, reader.find(id, "tenants_file"), rule.tenants_file, [&](Reader& inner) {
      TenantNamesCodec().read(inner, Document::kRoot, rule.tenants);
    });
  } else if (list != Document::kNone && reader.document().kind(list) == NodeKind::kList &&
             reader.document().first_child(list) == Document::kNone) {
    reader.error(list, {"a list without tenants takes nobody", "name one, or take the rule out"});
  }
}

void take_match(Reader& reader, NodeId id, RuleKeys& keys, ReleaseRule& rule) {
  rule.kind = Kind::kMatch;
  if (keys.match) {
    rule.headers = std::move(keys.match->headers);
    rule.query = std::move(keys.match->query);
  }
  const NodeId match = reader.find(id, "match");
  if (!rule.headers.empty() || !rule.query.empty()) return;
  if (reader.document().first_child(match) != Document::kNone) return;
  reader.error(match, {"matches every request", "write match: {headers: {x-canary: \"1\"}}"});
}

void from_keys(Reader& reader, NodeId id, RuleKeys&& keys, ReleaseRule& rule) {
  const auto has = [&](std::string_view key) { return reader.find(id, key) != Document::kNone; };
  rule.location = reader.document().location(id);
  rule.to_location = has("to") ? reader.document().location(reader.find(id, "to")) : rule.location;
  rule.name = std::move(keys.name);
  rule.to = std::move(keys.to);
  const int kinds = (has("tenants") ? 1 : 0) + (has("tenants_file") ? 1 : 0) +
                    (has("match") ? 1 : 0) + (has("weight") ? 1 : 0);
  if (kinds != 1) {
    return reader.error(id, {"a rule takes requests in exactly one way",
                             "write one of tenants, tenants_file, match and weight"});
  }
  if (has("sticky") && !has("weight")) {
    reader.error(reader.find(id, "sticky"),
                 {"`sticky` has no meaning without `weight`", "take it out"});
  }
  if (has("match")) {
    take_match(reader, id, keys, rule);
  } else if (!has("weight")) {
    take_tenants(reader, id, keys, rule);
  } else {
    rule.weight = keys.weight;
    rule.sticky = std::move(keys.sticky);
  }
}

class RuleCodec : public ViaCodec<ReleaseRule, RuleKeys> {
 public:
  RuleCodec() : ViaCodec(rule_keys(), to_keys, from_keys) {}
  void describe(Catalog& catalog, const ReleaseRule&) const override {
    rule_keys()->describe(catalog, RuleKeys());
  }
};

// The order of rules is a part of what they say.
class RulesCodec : public SectionListCodec<ReleaseRule> {
 public:
  RulesCodec()
      : SectionListCodec(
            std::make_shared<const RuleCodec>(),
            [](const ReleaseRule& rule) { return std::string_view(rule.label); }, "name") {}

  void compare(Changes& changes, const std::vector<ReleaseRule>& before,
               const std::vector<ReleaseRule>& after) const override {
    SectionListCodec::compare(changes, before, after);
    std::string was = labels_in(before, after);
    std::string is = labels_in(after, before);
    if (was != is) changes.changed(std::move(was), std::move(is));
  }

 private:
  // "[tenants, weight]": those of `rules` that `others` have too.
  static std::string labels_in(const std::vector<ReleaseRule>& rules,
                               const std::vector<ReleaseRule>& others) {
    std::string out;
    for (const ReleaseRule& rule : rules) {
      if (std::ranges::find(others, rule.label, &ReleaseRule::label) == others.end()) continue;
      out += (out.empty() ? "" : ", ") + rule.label;
    }
    return "[" + out + "]";
  }
};

}  // namespace

CodecPtr<ReleaseConfig> release_section() {
  using S = ReleaseConfig;
  static const auto table = section<S>(
      {
          key("default", &S::default_to, cluster_or_template(),
              "Where all go whom no rule takes: a cluster or a failover group.", KeyUse::kRequired),
          key("rules", &S::rules, std::make_shared<const RulesCodec>(),
              "Who goes elsewhere; the first rule that takes a request decides."),
      },
      check_release);
  return table;
}

}  // namespace weir::config
