// SPDX-License-Identifier: Apache-2.0
// Keys of limits: what is counted, by what, and how much of it.
#include <algorithm>
#include <array>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint64_t kMaxAmount = 1'000'000'000'000;
constexpr std::uint32_t kMaxPlaces = 1'000'000;
constexpr std::uint32_t kMaxKeys = 100'000'000;

using Dimension = LimitDimension::Kind;

// ---- Rates.

// "200/s": an amount and the time that it is for.
struct Pace {
  std::uint64_t amount = 0;
  Millis window{1'000};
  bool operator==(const Pace&) const = default;
};

enum class Unit : std::uint8_t { kCount, kBytes };

constexpr std::array<std::pair<std::string_view, Millis>, 3> kWindows{
    {{"s", Millis{1'000}}, {"m", Millis{60'000}}, {"h", Millis{3'600'000}}}};

Parsed<std::uint64_t> parse_amount(std::string_view text, Unit unit) {
  if (unit == Unit::kBytes) return parse_size(text);
  const auto number = parse_integer(text);
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*number, 0));
}

ScalarPtr<Pace> pace(Unit unit) {
  const std::string example = unit == Unit::kBytes ? "10MiB/s" : "200/s, 6000/m";
  ScalarSpec<Pace> spec;
  spec.type = {"rate", example};
  spec.parse = [unit, example](const std::string& text) -> Parsed<Pace> {
    const std::size_t slash = text.rfind('/');
    const std::string_view per =
        std::string_view(text).substr(std::min(slash, text.size() - 1) + 1);
    const auto window = std::ranges::find(kWindows, per, [](const auto& w) { return w.first; });
    const std::string_view number = std::string_view(text).substr(0, slash);
    const auto amount = parse_amount(number, unit);
    if (slash == std::string::npos || window == kWindows.end() || !amount) {
      return std::unexpected(
          Finding{"not a rate", "write an amount a second, minute or hour: " + example});
    }
    if (*amount > 0 && *amount <= kMaxAmount) return Pace{*amount, window->second};
    return std::unexpected(Finding{"out of range",
                                   "write at least 1; to refuse all, a direct "
                                   "answer on a route says why"});
  };
  spec.format = [unit](const Pace& value) {
    const auto window =
        std::ranges::find(kWindows, value.window, [](const auto& w) { return w.second; });
    const std::string amount =
        unit == Unit::kBytes ? format_size(value.amount) : std::to_string(value.amount);
    return text_scalar(amount + "/" + std::string(window->first));
  };
  return scalar(std::move(spec));
}

struct RateKeys {
  Pace rate;
  std::optional<std::uint64_t> burst;
};

// What flows in a second, and at least one.
std::uint64_t burst_of(const Pace& rate) {
  return std::max<std::uint64_t>(
      rate.amount * 1'000 / static_cast<std::uint64_t>(rate.window.count()), 1);
}

CodecPtr<RateConfig> rate_section(Unit unit) {
  using S = RateKeys;
  const ScalarPtr<std::uint64_t> burst = unit == Unit::kBytes ? size(Zero::kRefused, 1, kMaxAmount)
                                                              : count<std::uint64_t>(1, kMaxAmount);
  return via<RateConfig, S>(
      section<S>({
          key("rate", &S::rate, pace(unit), "How much flows in.", KeyUse::kRequired),
          key("burst", &S::burst, or_word("auto", burst),
              "How much at once; auto is what flows in a second."),
      }),
      [](const RateConfig& c) {
        const bool given = c.amount != 0;
        return S{{c.amount, c.window}, given ? std::optional(c.burst) : std::nullopt};
      },
      [](Reader&, NodeId, S&& keys, RateConfig& c) {
        c = {keys.rate.amount, keys.rate.window, keys.burst.value_or(burst_of(keys.rate))};
      });
}

// ---- Concurrency.

CodecPtr<QueueConfig> queue_section() {
  using S = QueueConfig;
  return section<S>({
      key("max_requests", &S::max_requests, count<std::uint32_t>(0, kMaxPlaces),
          "Requests that may wait for a place; 0 refuses at once."),
      key("max_bytes", &S::max_bytes, size(Zero::kRefused), "What they may hold together."),
      key("max_wait", &S::max_wait, duration(Zero::kRefused), "How long one may wait."),
  });
}

CodecPtr<ConcurrencyConfig> concurrency_section() {
  using S = ConcurrencyConfig;
  return section<S>({
      key("max", &S::max, count<std::uint32_t>(1, kMaxPlaces), "Requests at the same time.",
          KeyUse::kRequired),
      key("queue", &S::queue, queue_section(),
          "Who may wait; served in turn by tenant and the weight of his class."),
  });
}

std::vector<KeyPtr<LimitAmounts>> amount_rows() {
  using S = LimitAmounts;
  constexpr auto kSome = KeyUse::kAlternative;
  return {
      key("requests", &S::requests, optional(rate_section(Unit::kCount)), "Requests over time.",
          kSome),
      key("bandwidth", &S::bandwidth, optional(rate_section(Unit::kBytes)),
          "Bytes of both bodies over time, charged at the end of a request.", kSome),
      key("cost", &S::cost, optional(rate_section(Unit::kCount)),
          "What the response's cost_header says, over time.", kSome),
      key("concurrency", &S::concurrency, optional(concurrency_section()),
          "Requests at the same time.", kSome),
  };
}

CodecPtr<LimitAmounts> amounts_section() {
  static const auto table = section<LimitAmounts>(amount_rows());
  return table;
}

// ---- Keys of buckets.

ScalarPtr<LimitDimension> dimension() {
  static const std::vector<std::pair<std::string_view, Dimension>> kWords{
      {"tenant", Dimension::kTenant},
      {"function", Dimension::kFunction},
      {"client_ip", Dimension::kClientIp},
      {"route", Dimension::kRoute},
      {"listener", Dimension::kListener}};
  ScalarSpec<LimitDimension> spec;
  spec.type = {"tenant, function, client_ip, route, listener or header:NAME", {}};
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

// ---- Overrides: a map from values to amounts.

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return out;
}

std::vector<std::string> split(std::string_view text) {
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

CodecPtr<std::vector<LimitOverride>> overrides_map() {
  const auto to = [](const LimitOverride& each) { return joined(each.values); };
  const auto from = [](std::string_view text, LimitOverride& each) { each.values = split(text); };
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

void read_overrides_file(Reader& reader, NodeId id, LimitConfig& limit) {
  const Reader::Step step(reader, "overrides_file");
  const ReadContext& context = reader.context();
  auto content = context.read_file(limit.overrides_file);
  if (!content) {
    return reader.error(
        reader.find(id, "overrides_file"),
        {"cannot be read: " + content.error(), "relative paths start at the folder of this file"});
  }
  const std::uint32_t file =
      context.diagnostics.add_source(limit.overrides_file, std::move(*content));
  const auto document =
      Document::parse(context.diagnostics.source_text(file), file, context.diagnostics);
  if (!document) return;
  Reader inner(*document, context);
  const std::string path = reader.path();
  const Reader::Step inside(inner, path);
  overrides_map()->read(inner, Document::kRoot, limit.overrides);
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
  const NodeId at = reader.find(id, limit.overrides_file.empty() ? "overrides" : "overrides_file");
  const Reader::Step step(reader, limit.overrides_file.empty() ? "overrides" : "overrides_file");
  if (limit.key.empty()) {
    return reader.error(at, {"a limit without `key` has one bucket, and so nothing to override",
                             "add key: [tenant], or take the overrides out"});
  }
  for (const LimitOverride& each : limit.overrides) {
    if (each.values.size() == limit.key.size()) continue;
    return reader.error(at, {"`" + joined(each.values) + "` can never match: `key` has " +
                                 std::to_string(limit.key.size()) + " parts",
                             "write one value for each, with commas between: \"acme, resize\""});
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
  if (given("cost") && !given("cost_header")) {
    reader.error(id, {"`cost` needs `cost_header`, the header of the response that says it",
                      "add cost_header: x-cost"});
  }
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
          "What each bucket is for; none is one for the whole node."),
      row("match", &C::match, match_keys(), "Which requests it counts."),
      key("requests", &S::requests, optional(rate_section(Unit::kCount)), "Requests over time.",
          kSome),
      key("bandwidth", &S::bandwidth, optional(rate_section(Unit::kBytes)),
          "Bytes of both bodies over time, charged at the end of a request.", kSome),
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
