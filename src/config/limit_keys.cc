// SPDX-License-Identifier: Apache-2.0
// Keys of limits: what is counted, by what, and how much of it.
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/limit_parts.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxKeys = 100'000'000;

using Dimension = LimitDimension::Kind;

// ---- Keys of buckets.

ScalarPtr<LimitDimension> dimension() {
  static const std::vector<std::pair<std::string_view, Dimension>> kWords{
      {"tenant", Dimension::kTenant},      {"function", Dimension::kFunction},
      {"client_ip", Dimension::kClientIp}, {"route", Dimension::kRoute},
      {"listener", Dimension::kListener},  {"cell", Dimension::kCell}};
  ScalarSpec<LimitDimension> spec;
  spec.type = {"tenant, function, client_ip, route, listener, cell or header:NAME", {}};
  spec.parse = [](const std::string& text) -> Parsed<LimitDimension> {
    if (text.starts_with("header:")) {
      auto header = header_name()->spec().parse(text.substr(7));
      if (!header) return std::unexpected(std::move(header.error()));
      return LimitDimension{Dimension::kHeader, std::move(*header)};
    }
    std::vector<std::string_view> known;
    for (const auto& [word, kind] : kWords) {
      if (word == text) return LimitDimension{kind, {}};
      known.push_back(word);
    }
    known.emplace_back("header:NAME");
    return std::unexpected(unknown_word(text, known));
  };
  spec.format = [](const LimitDimension& value) {
    if (value.kind == Dimension::kHeader) return text_scalar("header:" + value.header);
    const auto word = std::ranges::find(kWords, value.kind, [](const auto& w) { return w.second; });
    return text_scalar(std::string(word->first));
  };
  return scalar(std::move(spec));
}

CodecPtr<LimitMatch> match_keys() {
  using S = LimitMatch;
  return section<S>({
      key("routes", &S::routes, list_of(name(), Repeats::kRefused), "Routes; none is all."),
      key("listeners", &S::listeners, list_of(name(), Repeats::kRefused),
          "Listeners; none is all."),
      key("classes", &S::classes, list_of(name(), Repeats::kRefused), "Classes; none is all."),
  });
}

void check_override_keys(Reader& reader, NodeId id, const LimitConfig& limit) {
  if (limit.overrides.empty()) return;
  const std::string_view where = limit.overrides_file.empty() ? "overrides" : "overrides_file";
  const NodeId at = reader.find(id, where);
  const Reader::Step step(reader, where);
  if (limit.key.empty()) {
    return reader.error(at, {"a limit without `key` has one bucket, and so nothing to override",
                             "add key: [tenant], or take the overrides out"});
  }
  if (limit.overrides_file.empty()) check_overrides(reader, at, limit);
}

// Costs that no response tells would never be counted, wherever they are given.
void check_cost(Reader& reader, NodeId id, const LimitConfig& limit) {
  if (reader.find(id, "cost_header") != Document::kNone) return;
  const auto costs = [](const auto& each) { return each.amounts.cost.has_value(); };
  const auto report = [&](NodeId at) {
    reader.error(at, {"`cost` needs `cost_header`, the header of the response that says it",
                      "add cost_header: x-cost"});
  };
  if (reader.find(id, "cost") != Document::kNone) return report(id);
  for (const std::string_view key : {"classes", "overrides", "overrides_file"}) {
    const bool found = key == "classes" ? std::ranges::any_of(limit.classes, costs)
                                        : std::ranges::any_of(limit.overrides, costs);
    const NodeId at = reader.find(id, key);
    if (!found || at == Document::kNone) continue;
    const Reader::Step step(reader, key);
    return report(at);
  }
}

void check_limit(Reader& reader, NodeId id, LimitConfig& limit) {
  const bool both = reader.find(id, "overrides") != Document::kNone &&
                    reader.find(id, "overrides_file") != Document::kNone;
  if (both) {
    reader.error(id, {"overrides come from one place only", "keep overrides or overrides_file"});
  } else if (!limit.overrides_file.empty()) {
    read_overrides_file(reader, id, limit);
  }
  const auto given = [&](std::string_view key) { return reader.find(id, key) != Document::kNone; };
  if (!given("requests") && !given("bandwidth") && !given("cost") && !given("concurrency") &&
      limit.overrides.empty() && limit.classes.empty()) {
    reader.error(id, {"a limit that limits nothing",
                      "add requests: {rate: 200/s}, or concurrency: {max: 20}"});
  }
  check_cost(reader, id, limit);
  check_override_keys(reader, id, limit);
}

// The amounts of a limit stand among its own keys.
struct LimitKeys : LimitConfig {
  std::optional<RateConfig> requests;
  std::optional<RateConfig> bandwidth;
  std::optional<RateConfig> cost;
  std::optional<ConcurrencyConfig> concurrency;
};

template <class V>
KeyPtr<LimitKeys> row(std::string_view name, V LimitConfig::*member,
                      std::type_identity_t<CodecPtr<V>> codec, std::string_view sentence,
                      KeyUse use = KeyUse::kOptional,
                      typename MemberKey<LimitKeys, V>::Hidden hidden = nullptr) {
  return key<LimitKeys, V>(name, static_cast<V LimitKeys::*>(member), std::move(codec), sentence,
                           use, hidden);
}

std::vector<KeyPtr<LimitKeys>> limit_rows() {
  using S = LimitKeys;
  using C = LimitConfig;
  constexpr auto kSome = KeyUse::kAlternative;
  return {
      row("name", &C::name, name(), "Its name in logs, metrics and answers; unique.",
          KeyUse::kRequired),
      row("key", &C::key, list_of(dimension(), Repeats::kRefused),
          "What each bucket is for; none is the whole node, client_ip heeds trusted "
          "X-Forwarded-For."),
      row("match", &C::match, match_keys(), "Which requests it counts."),
      key("requests", &S::requests, optional(rate_section(Unit::kCount)), "Requests over time.",
          kSome),
      key("bandwidth", &S::bandwidth, optional(rate_section(Unit::kBytes)),
          "Bytes of both bodies over time, charged as they flow; past it requests are refused.",
          kSome),
      key("cost", &S::cost, optional(rate_section(Unit::kCount)),
          "What the response's cost_header says, over time.", kSome),
      row("cost_header", &C::cost_header, header_name(), "Where a response tells its cost.", kSome),
      key("concurrency", &S::concurrency, optional(concurrency_section()),
          "Requests at the same time.", kSome),
      row("classes", &C::classes, classes_map(), "Other amounts for a class of tenants.", kSome),
      row("overrides", &C::overrides, overrides_map(),
          "Other amounts for a value of the key, or for values with commas between.", kSome,
          [](const S& limit) { return !limit.overrides_file.empty(); }),
      row("overrides_file", &C::overrides_file, nonempty_text(),
          "A YAML file with a map as under overrides, read at every load.", kSome),
      row("dry_run", &C::dry_run, boolean(), "Counts whom it would refuse, and refuses nobody."),
      row("max_keys", &C::max_keys, count<std::uint32_t>(1, kMaxKeys),
          "Buckets at most, of 72 bytes; keys beyond share one."),
      row("ipv6_prefix", &C::ipv6_prefix, count<std::uint32_t>(1, 128),
          "How many bits of an IPv6 client's address count."),
  };
}

}  // namespace

CodecPtr<LimitConfig> limit_section() {
  static const auto codec = via<LimitConfig, LimitKeys>(
      section<LimitKeys>(limit_rows(), [](Reader& reader, NodeId id,
                                          LimitKeys& keys) { check_limit(reader, id, keys); }),
      [](const LimitConfig& limit) {
        const LimitAmounts& amounts = limit.amounts;
        return LimitKeys{limit, amounts.requests, amounts.bandwidth, amounts.cost,
                         amounts.concurrency};
      },
      [](Reader&, NodeId, LimitKeys&& keys, LimitConfig& limit) {
        LimitAmounts amounts{keys.requests, keys.bandwidth, keys.cost, keys.concurrency};
        limit = std::move(static_cast<LimitConfig&>(keys));
        limit.amounts = std::move(amounts);
      });
  return codec;
}

}  // namespace weir::config
