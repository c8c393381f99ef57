// SPDX-License-Identifier: Apache-2.0
// Keys of cells: which there are, how a request gets its home, the tag that names it.
#include <algorithm>
#include <array>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxWeight = 1'000'000;
constexpr std::uint32_t kMaxRequests = 10'000'000;
constexpr std::uint32_t kMaxHops = 2;
constexpr std::uint32_t kMaxEpoch = 1'000'000'000;

using Kind = CellRule::Kind;

ScalarPtr<CellFallback> fallback() {
  return enumeration<CellFallback>(
      {{"strict", CellFallback::kStrict}, {"permissive", CellFallback::kPermissive}});
}

ScalarPtr<CellHop> hop() {
  return enumeration<CellHop>({{"never", CellHop::kNever},
                               {"safe_methods", CellHop::kSafeMethods},
                               {"always", CellHop::kAlways}});
}

ScalarPtr<CellState> cell_state() {
  return enumeration<CellState>({{"active", CellState::kActive},
                                 {"draining", CellState::kDraining},
                                 {"drained", CellState::kDrained},
                                 {"fenced", CellState::kFenced},
                                 {"isolated", CellState::kIsolated}});
}

// ---- Assignment.

// A map from a tenant to the name of his cell.
class PinsCodec : public Codec<std::vector<CellPin>> {
 public:
  void read(Reader& reader, NodeId id, std::vector<CellPin>& pins) const override {
    pins.clear();
    for (const auto& [tenant, value] : reader.entries(id, "a map from tenants to cells")) {
      const Reader::Step step(reader, reader.document().text(tenant));
      CellPin pin;
      nonempty_text()->read(reader, tenant, pin.tenant);
      name()->read(reader, value, pin.cell);
      if (!pin.tenant.empty() && !pin.cell.empty()) pins.push_back(std::move(pin));
    }
  }
  void write(Emitter& emitter, const std::vector<CellPin>& pins) const override {
    emitter.begin_map();
    for (const CellPin& pin : pins) {
      emitter.key(pin.tenant);
      emitter.scalar(text_scalar(pin.cell));
    }
    emitter.end_map();
  }
  void compare(Changes& changes, const std::vector<CellPin>& before,
               const std::vector<CellPin>& after) const override {
    compare_by_name(
        changes, *pin_, before, after,
        [](const CellPin& pin) { return std::string_view(pin.tenant); },
        [](std::string_view text) { return std::string(text); });
  }
  TypeInfo type() const override { return {"map of names", {}}; }

 private:
  class PinCodec : public Codec<CellPin> {
   public:
    void read(Reader&, NodeId, CellPin&) const override {}
    void write(Emitter& emitter, const CellPin& pin) const override {
      emitter.scalar(text_scalar(pin.cell));
    }
    void compare(Changes& changes, const CellPin& before, const CellPin& after) const override {
      if (before.cell != after.cell) changes.changed(before.cell, after.cell);
    }
    TypeInfo type() const override { return {"name", {}}; }
  };
  CodecPtr<CellPin> pin_ = std::make_shared<const PinCodec>();
};

ScalarPtr<std::optional<CellKey>> hash_key() {
  using Key = std::optional<CellKey>;
  static constexpr std::array<std::pair<std::string_view, CellKey::Kind>, 3> kWords{
      {{"tenant", CellKey::Kind::kTenant},
       {"function", CellKey::Kind::kFunction},
       {"client_ip", CellKey::Kind::kClientIp}}};
  ScalarSpec<Key> spec;
  spec.type = {"tenant, function, client_ip or header:NAME", {}};
  spec.parse = [](const std::string& text) -> Parsed<Key> {
    if (text.starts_with("header:")) {
      auto header = header_name()->spec().parse(text.substr(7));
      if (!header) return std::unexpected(std::move(header.error()));
      return Key(CellKey{CellKey::Kind::kHeader, std::move(*header)});
    }
    std::vector<std::string_view> known;
    for (const auto& [word, kind] : kWords) {
      if (word == text) return Key(CellKey{kind, {}});
      known.push_back(word);
    }
    known.emplace_back("header:NAME");
    return std::unexpected(unknown_word(text, known));
  };
  spec.format = [](const Key& value) {
    if (value->kind == CellKey::Kind::kHeader) return text_scalar("header:" + value->header);
    const auto word =
        std::ranges::find(kWords, value->kind, [](const auto& w) { return w.second; });
    return text_scalar(std::string(word->first));
  };
  return scalar(std::move(spec));
}

// A rule as the file has it: one of pins, pins_file, match, hash, nearest and random.
struct RuleKeys {
  struct Match {
    std::vector<ValueMatch> headers;
    std::vector<ValueMatch> query;
  };
  std::vector<CellPin> pins;
  std::string pins_file;
  std::uint32_t epoch = 0;
  std::optional<Match> match;
  std::string cell;
  std::optional<CellKey> hash;
  std::string nearest;
  std::string random;
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

ScalarPtr<std::string> only(std::string word) {
  return checked_text("`" + word + "`", [word](const std::string& text) -> Parsed<std::string> {
    if (text == word) return text;
    return std::unexpected(Finding{"not " + word, "write " + word + ", or leave the rule out"});
  });
}

CodecPtr<RuleKeys> rule_keys() {
  using S = RuleKeys;
  constexpr auto kOne = KeyUse::kAlternative;
  return section<S>({
      key("pins", &S::pins, std::make_shared<const PinsCodec>(), "The cells of named tenants.",
          kOne, [](const S& rule) { return !rule.pins_file.empty(); }),
      key("pins_file", &S::pins_file, nonempty_text(),
          "A YAML file with a map as under pins, read at every load.", kOne),
      key("epoch", &S::epoch, count<std::uint32_t>(0, kMaxEpoch),
          "With pins: raise it to move those who hold an older signed tag.", kOne,
          [](const S& rule) { return rule.epoch == 0; }),
      key("match", &S::match, optional(rule_match()), "With cell: which requests go there.", kOne),
      key("cell", &S::cell, name(), "With match: the cell.", kOne),
      key("hash", &S::hash, hash_key(),
          "Rendezvous by weight on this, the same on every node; skipped where it is unknown.",
          kOne),
      key("nearest", &S::nearest, only("region"),
          "Cells of the region that this weir stands in, by a hash of the tenant.", kOne),
      key("random", &S::random, only("true"), "By weight, anew for each request without a tag.",
          kOne),
  });
}

RuleKeys to_keys(const CellRule& rule) {
  RuleKeys keys;
  switch (rule.kind) {
    case Kind::kPins:
      keys.pins = rule.pins;
      keys.pins_file = rule.pins_file;
      keys.epoch = rule.epoch;
      break;
    case Kind::kMatch:
      keys.match = RuleKeys::Match{rule.headers, rule.query};
      keys.cell = rule.cell;
      break;
    case Kind::kHash:
      keys.hash = rule.hash;
      break;
    case Kind::kNearest:
      keys.nearest = "region";
      break;
    case Kind::kRandom:
      keys.random = "true";
      break;
  }
  return keys;
}

void read_pins_file(Reader& reader, NodeId id, CellRule& rule) {
  const Reader::Step step(reader, "pins_file");
  const ReadContext& context = reader.context();
  auto content = context.read_file(rule.pins_file);
  if (!content) {
    return reader.error(
        reader.find(id, "pins_file"),
        {"cannot be read: " + content.error(), "relative paths start at the folder of this file"});
  }
  const std::uint32_t file = context.diagnostics.add_source(rule.pins_file, std::move(*content));
  const auto document =
      Document::parse(context.diagnostics.source_text(file), file, context.diagnostics);
  if (!document) return;
  Reader inner(*document, context);
  const std::string path = reader.path();
  const Reader::Step inside(inner, path);
  PinsCodec().read(inner, Document::kRoot, rule.pins);
}

void read_match(Reader& reader, NodeId id, RuleKeys&& keys, CellRule& rule) {
  rule.kind = Kind::kMatch;
  rule.headers = std::move(keys.match->headers);
  rule.query = std::move(keys.match->query);
  rule.cell = std::move(keys.cell);
  if (reader.find(id, "cell") == Document::kNone) {
    reader.error(id, {"`match` needs `cell`, where its requests live", "add cell: NAME"});
  }
  if (rule.headers.empty() && rule.query.empty()) {
    reader.error(reader.find(id, "match"),
                 {"matches every request", "write match: {headers: {x-canary: \"1\"}}"});
  }
}

void from_keys(Reader& reader, NodeId id, RuleKeys&& keys, CellRule& rule) {
  const auto has = [&](std::string_view key) { return reader.find(id, key) != Document::kNone; };
  rule.location = reader.document().location(id);
  int kinds = 0;
  for (const auto kind : {"pins", "pins_file", "match", "hash", "nearest", "random"}) {
    kinds += has(kind) ? 1 : 0;
  }
  if (kinds != 1) {
    rule.kind = Kind::kRandom;  // Nothing more is found in it.
    return reader.error(id, {"a rule says one thing",
                             "write each as its own: [{pins: {acme: c2}}, {hash: tenant}]"});
  }
  if (has("epoch") && !has("pins") && !has("pins_file")) {
    reader.error(reader.find(id, "epoch"), {"`epoch` has no meaning without pins", "take it out"});
  }
  if (has("cell") && !has("match")) {
    reader.error(reader.find(id, "cell"),
                 {"`cell` has no meaning without `match`", "pin tenants with pins: {acme: c2}"});
  }
  if (has("hash") && !keys.hash) keys.random = "true";
  if (keys.match) {
    read_match(reader, id, std::move(keys), rule);
  } else if (keys.hash) {
    rule.kind = Kind::kHash;
    rule.hash = std::move(*keys.hash);
  } else if (!keys.nearest.empty()) {
    rule.kind = Kind::kNearest;
  } else if (!keys.random.empty()) {
    rule.kind = Kind::kRandom;
  } else {
    rule.kind = Kind::kPins;
    rule.epoch = keys.epoch;
    rule.pins = std::move(keys.pins);
    rule.pins_file = std::move(keys.pins_file);
    if (!rule.pins_file.empty()) read_pins_file(reader, id, rule);
  }
}

class RuleCodec : public ViaCodec<CellRule, RuleKeys> {
 public:
  RuleCodec() : ViaCodec(rule_keys(), to_keys, from_keys) {}
  void describe(Catalog& catalog, const CellRule&) const override {
    rule_keys()->describe(catalog, RuleKeys());
  }
};

std::string_view rule_label(const CellRule& rule) {
  static constexpr std::array<std::string_view, 5> kNames{"pins", "match", "hash", "nearest",
                                                          "random"};
  return kNames[static_cast<std::size_t>(rule.kind)];
}

// ---- Members.

using Guests = decltype(CellConfig::guest_capacity);

ScalarPtr<Guests> guests() {
  const auto number = count<std::uint32_t>(0, kMaxRequests);
  const auto part = share();
  ScalarSpec<Guests> spec;
  spec.type = {"number, share or `null`", {}};
  spec.null_value = Guests();
  spec.parse = [number, part](const std::string& text) -> Parsed<Guests> {
    if (text.ends_with('%')) {
      auto parsed = part->spec().parse(text);
      if (!parsed) return std::unexpected(std::move(parsed.error()));
      return Guests(*parsed);
    }
    auto parsed = number->spec().parse(text);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    return Guests(*parsed);
  };
  spec.format = [number, part](const Guests& value) {
    if (const auto* count = std::get_if<std::uint32_t>(&value)) {
      return number->spec().format(*count);
    }
    return part->spec().format(std::get<Share>(value));
  };
  return scalar(std::move(spec));
}

CodecPtr<CellConfig> member_section() {
  using S = CellConfig;
  return section<S>(
      {
          key("weight", &S::weight, count<std::uint32_t>(0, kMaxWeight),
              "Its part of the homes that are chosen by hash; 0: named ones only, and no guests."),
          key("region", &S::region, word_or("null", name()),
              "Where it stands; hops stay in the region if they can."),
          key("state", &S::state, cell_state(),
              "draining: no new homes; drained: its own hop out; fenced: no guests; isolated: "
              "neither."),
          key("capacity", &S::capacity, or_word("null", count<std::uint32_t>(1, kMaxRequests)),
              "Requests that it serves at once, by which hops choose; null: what its cluster "
              "takes."),
          key("guest_capacity", &S::guest_capacity, guests(),
              "Guests that it serves at once, or their share of capacity; null for no limit."),
      },
      [](Reader& reader, NodeId id, S& cell) {
        if (!std::holds_alternative<Share>(cell.guest_capacity) || cell.capacity) return;
        const Reader::Step step(reader, "guest_capacity");
        reader.error(reader.find(id, "guest_capacity"),
                     {"a share of a capacity that is not known",
                      "add capacity: 1000, or write a number of requests"});
      });
}

}  // namespace

CodecPtr<CellsConfig> cells_section() {
  using S = CellsConfig;
  static const auto table = section<S>({
      key("self", &S::self, word_or("null", name()),
          "The cell that this weir stands in, so that it can tell guests; null at a front door."),
      key("region", &S::region, word_or("null", name()),
          "Where this weir stands, for nearest; null for the region of self."),
      key("tag", &S::tag, cell_tag_section(), "What names the home cell of a request."),
      key("served_header", &S::served_header, editable_header_name(),
          "The response's header that tells where it was served, if that is not its home."),
      key("assign", &S::assign,
          section_list<CellRule>(std::make_shared<const RuleCodec>(), rule_label),
          "How a request without a tag gets its home: the first rule that knows; none: self or "
          "hash."),
      key("fallback", &S::fallback, fallback(),
          "Where its home has nobody, a request is refused (strict) or may hop (permissive)."),
      key("hop", &S::hop, hop(), "Which requests may be served away from home."),
      key("max_hops", &S::max_hops, count<std::uint32_t>(0, kMaxHops),
          "How often a request may hop between two applications."),
      key("failback", &S::failback, failback_section(),
          "How the requests of a cell come home that could not serve, where they may hop."),
      key("upstream_may_assign", &S::upstream_may_assign,
          list_of(cluster_or_template(), Repeats::kRefused),
          "Clusters whose answers may give the client a new home, by the tag's header."),
      key("reattach", &S::reattach, cell_reattach_section(),
          "In a sidecar: calls out get the tag that came in with their trace."),
      key("circuit_breaker", &S::circuit_breaker, optional(circuit_breaker_section()),
          "A breaker for each cell as a whole, of what those of its clusters do not explain.",
          KeyUse::kAlternative),
      key("members", &S::members, named_map(member_section(), parse_name), "The cells, by name.",
          KeyUse::kRequired),
  });
  return table;
}

CodecPtr<RouteCellsConfig> route_cells_section() {
  using S = RouteCellsConfig;
  static const auto table = section<S>({
      key("fallback", &S::fallback, or_word("null", fallback()), "As cells.fallback; null: that."),
      key("hop", &S::hop, or_word("null", hop()), "As cells.hop; null: that."),
  });
  return table;
}

ScalarPtr<std::string> cluster_or_template() {
  return checked_text("name", [](const std::string& text) -> Parsed<std::string> {
    const std::size_t at = text.find(kCellPlaceholder);
    if (at == std::string::npos) return parse_name(text);
    std::string plain = text;
    plain.replace(at, std::string_view(kCellPlaceholder).size(), "c");
    const auto parsed = parse_name(plain);
    if (parsed) return text;
    return std::unexpected(parsed.error());
  });
}

}  // namespace weir::config
