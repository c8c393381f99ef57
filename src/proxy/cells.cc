// SPDX-License-Identifier: Apache-2.0
#include "proxy/cells.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http/header_id.h"

namespace weir::proxy {
namespace {

using policy::CellReason;
using policy::TagFault;
using Kind = CellRule::Kind;

std::vector<policy::Rendezvous::Node> nodes_of(const std::vector<CellConfig>& members) {
  std::vector<policy::Rendezvous::Node> out;
  for (const CellConfig& cell : members) out.push_back({cell.name, cell.weight});
  // More are an error that is reported elsewhere.
  if (out.size() > policy::Rendezvous::kMaxNodes) out.resize(policy::Rendezvous::kMaxNodes);
  return out;
}

std::uint32_t limit_of(const CellConfig& cell) {
  if (const auto* number = std::get_if<std::uint32_t>(&cell.guest_capacity)) return *number;
  const auto* part = std::get_if<Share>(&cell.guest_capacity);
  if (part == nullptr) return UINT32_MAX;
  const std::uint64_t whole = cell.capacity.value_or(0);
  return static_cast<std::uint32_t>(whole * part->ppm / Share::kWhole);
}

CellReason reason_of(Kind kind) {
  switch (kind) {
    case Kind::kPins:
      return CellReason::kPins;
    case Kind::kMatch:
      return CellReason::kMatch;
    case Kind::kHash:
      return CellReason::kHash;
    case Kind::kNearest:
      return CellReason::kNearest;
    case Kind::kRandom:
      return CellReason::kRandom;
  }
  return CellReason::kHash;
}

std::string words_of(Kind kind, const CellKey& key) {
  static constexpr std::array<std::string_view, 3> kKeys{"tenant", "function", "client_ip"};
  std::string out(policy::reason_word(reason_of(kind)));
  if (kind != Kind::kHash) return out;
  return out + " of " +
         (key.kind == CellKey::Kind::kHeader
              ? "header:" + key.header
              : std::string(kKeys[static_cast<std::size_t>(key.kind)]));
}

}  // namespace

std::unique_ptr<Cells> Cells::compile(const Config& config, const ReadFile& read_file,
                                      config::Diagnostics& diagnostics) {
  // Names that do not exist have been reported; all below relies on them.
  if (!config.cells || diagnostics.errors() != 0) return nullptr;
  auto cells = std::make_unique<Cells>(config);
  if (!cells->compile_rules(diagnostics)) return nullptr;
  if (read_file && !cells->read_keys(read_file, diagnostics)) return nullptr;
  return cells;
}

Cells::Cells(const Config& config)
    : config_(*config.cells), rendezvous_(nodes_of(config_.members)) {
  self_ = find(config_.self);
  if (self_ != kNone) guest_limit_ = limit_of(member(self_));
  std::string_view region = config_.region;
  if (region.empty() && self_ != kNone) region = member(self_).region;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (member(i).region == region) near_ |= std::uint64_t{1} << i;
  }
  for (const std::string& name : config_.upstream_may_assign) {
    for (std::string& cluster : config_.cluster_names(name)) {
      assigners_.push_back(std::move(cluster));
    }
  }
  stripped_ = {config_.tag.header, std::string(kCellPathHeader), std::string(kCellHopsHeader)};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(config_.tag.ttl).count();
  cookie_end_ = "; Path=/; Max-Age=" + std::to_string(seconds) + "; HttpOnly; SameSite=Lax";
}

bool Cells::compile_rules(config::Diagnostics& diagnostics) {
  bool ok = true;
  for (CellRule& from : config_.assign) {
    Rule& rule = rules_.emplace_back();
    rule.kind = from.kind;
    rule.key = from.hash;
    rule.epoch = from.epoch;
    rule.cell = find(from.cell);
    if (from.kind == Kind::kPins) {
      rule.pins.emplace(from.pins.size());
      for (const CellPin& pin : from.pins) rule.pins->add(pin.tenant, find(pin.cell));
      // Once is enough of a hundred thousand names.
      from.pins = {};
    }
    ok = compile_conditions(from.headers, route::Condition::On::kHeader, diagnostics, rule) && ok;
    ok = compile_conditions(from.query, route::Condition::On::kQuery, diagnostics, rule) && ok;
  }
  if (rules_.empty() && self_ == kNone) rules_.emplace_back().kind = Kind::kHash;
  return ok;
}

bool Cells::compile_conditions(const std::vector<ValueMatch>& matches, route::Condition::On on,
                               config::Diagnostics& diagnostics, Rule& out) {
  bool ok = true;
  for (const ValueMatch& match : matches) {
    auto condition = route::Condition::compile(on, match, "cells.assign.match", diagnostics);
    ok = ok && condition.has_value();
    if (condition) out.conditions.push_back(std::move(*condition));
  }
  return ok;
}

bool Cells::read_keys(const ReadFile& read_file, config::Diagnostics& diagnostics) {
  const std::string& path = config_.tag.keys_file;
  if (path.empty()) return true;
  const auto report = [&](std::string message) {
    diagnostics.error(config_.tag.location, "cells.tag.keys_file",
                      {"`" + path + "`: " + std::move(message),
                       "make one with: echo \"k1 $(openssl rand -hex 32)\" > cell.keys"});
    return false;
  };
  auto text = read_file(path);
  if (!text) return report("cannot be read: " + text.error());
  auto keys = CellKeys::parse(*text);
  if (!keys) return report(keys.error());
  keys_ = std::move(*keys);
  return true;
}

void Cells::join(policy::CellLedger& ledger) {
  records_.clear();
  rows_.clear();
  for (const CellConfig& cell : config_.members) {
    records_.push_back(&ledger.record(cell.name));
    records_.back()->set(cell.state);
  }
  for (const CellConfig& home : config_.members) {
    for (const CellConfig& served : config_.members) {
      rows_.push_back(&ledger.row(home.name, served.name));
    }
  }
  const CellReattachConfig& reattach = config_.reattach;
  if (!reattach.listeners.empty()) traces_ = ledger.traces(reattach.entries, reattach.ttl);
}

bool Cells::reattaches(std::string_view listener) const {
  return std::ranges::find(config_.reattach.listeners, listener) !=
         config_.reattach.listeners.end();
}

std::uint32_t Cells::find(std::string_view name) const {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (config_.members[i].name == name) return i;
  }
  return kNone;
}

CellState Cells::state(std::uint32_t cell) const {
  if (records_.empty()) return member(cell).state;
  return records_[cell]->state.load(std::memory_order_relaxed);
}

// ---- Where a request lives.

std::uint64_t Cells::open_to_homes() const {
  std::uint64_t out = 0;
  for (std::uint32_t i = 0; i < size(); ++i) {
    const CellState now = state(i);
    if (now == CellState::kDraining || now == CellState::kDrained) continue;
    out |= std::uint64_t{1} << i;
  }
  return out;
}

std::string_view Cells::key_of(const CellKey& key, const Asked& asked) {
  switch (key.kind) {
    case CellKey::Kind::kTenant:
      return asked.tenant;
    case CellKey::Kind::kFunction:
      return asked.function;
    case CellKey::Kind::kClientIp:
      return asked.client_ip;
    case CellKey::Kind::kHeader:
      break;
  }
  for (const Header& header : asked.head.headers) {
    if (http::iequals(header.name, key.header)) return header.value;
  }
  return {};
}

// kNone: the rule says nothing of this request.
std::uint32_t Cells::ask(const Rule& rule, const Asked& asked, std::uint64_t open,
                         base::Arena& arena) const {
  std::uint32_t cell = kNone;
  switch (rule.kind) {
    case Kind::kPins:
      if (!asked.tenant.empty()) cell = rule.pins->find(asked.tenant);
      break;
    case Kind::kMatch: {
      const bool holds = std::ranges::all_of(
          rule.conditions, [&](const auto& each) { return each.holds(asked.head, arena); });
      if (holds) cell = rule.cell;
      break;
    }
    case Kind::kHash: {
      const std::string_view key = key_of(rule.key, asked);
      return key.empty() ? kNone : rendezvous_.pick(key, open);
    }
    case Kind::kNearest:
      return rendezvous_.pick(asked.tenant.empty() ? asked.client_ip : asked.tenant, open & near_);
    case Kind::kRandom: {
      char draw[sizeof asked.draw];
      std::memcpy(draw, &asked.draw, sizeof draw);
      return rendezvous_.pick({draw, sizeof draw}, open);
    }
  }
  return cell != kNone && (open >> cell & 1U) != 0 ? cell : kNone;
}

Cells::Home Cells::assign(const Asked& asked, base::Arena& arena,
                          std::vector<std::string>* why) const {
  const std::uint64_t open = open_to_homes();
  for (const Rule& rule : rules_) {
    const std::uint32_t cell = ask(rule, asked, open, arena);
    if (why != nullptr) {
      why->push_back(words_of(rule.kind, rule.key) + ": " +
                     (cell == kNone ? std::string("does not know") : member(cell).name));
    }
    if (cell != kNone) return {cell, reason_of(rule.kind)};
  }
  if (self_ != kNone && rules_.empty()) {
    if (why != nullptr) why->push_back("self: " + member(self_).name);
    return {self_, CellReason::kSelf};
  }
  std::uint32_t cell = rendezvous_.pick(asked.client_ip, open);
  // Where the operator has closed all by hand, any is as good.
  if (cell == kNone) cell = rendezvous_.pick(asked.client_ip, UINT64_MAX);
  if (cell == kNone) cell = 0;
  if (why != nullptr) why->push_back("hash of client_ip, the last resort: " + member(cell).name);
  return {cell, CellReason::kHash};
}

// ---- Tags.

std::uint32_t Cells::epoch_of(std::string_view tenant) const {
  if (tenant.empty()) return 0;
  for (const Rule& rule : rules_) {
    if (rule.pins && rule.pins->find(tenant) != policy::CellPins::kNone) return rule.epoch;
  }
  return 0;
}

std::expected<Cells::Claim, TagFault> Cells::believe(std::string_view text, std::string_view tenant,
                                                     bool trusted, std::int64_t now) const {
  const TagTrust trust = config_.tag.trust;
  if (trust == TagTrust::kNone || (trust == TagTrust::kAny && !trusted)) {
    return std::unexpected(TagFault::kUntrusted);
  }
  const auto tag = policy::parse_cell_tag(text);
  if (!tag) return std::unexpected(tag.error());
  Claim claim{find(tag->cell), false};
  if (trust == TagTrust::kSigned) {
    if (!tag->is_signed()) return std::unexpected(TagFault::kMalformed);
    const CellKeys::Verdict verdict = keys_.verify(*tag, tenant);
    if (verdict == CellKeys::Verdict::kUnknownKey) return std::unexpected(TagFault::kUnknownKey);
    if (verdict == CellKeys::Verdict::kForged) return std::unexpected(TagFault::kForged);
    if (tag->expires <= now) return std::unexpected(TagFault::kExpired);
    if (tag->epoch < epoch_of(tenant)) return std::unexpected(TagFault::kStale);
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(config_.tag.ttl).count();
    claim.renew = tag->expires - now < ttl / 2;
  }
  if (claim.cell == kNone) return std::unexpected(TagFault::kUnknownCell);
  return claim;
}

bool Cells::may_assign(std::string_view cluster) const {
  return std::ranges::find(assigners_, cluster) != assigners_.end();
}

// An application has no keys: it names the cell, and is believed for where it stands. A signature
// that is there must hold.
std::expected<std::uint32_t, policy::Reassignment> Cells::reassigned(std::string_view text,
                                                                     std::string_view tenant,
                                                                     std::int64_t now) const {
  using policy::Reassignment;
  const auto tag = policy::parse_cell_tag(text);
  if (!tag) return std::unexpected(Reassignment::kMalformed);
  const std::uint32_t cell = find(tag->cell);
  if (cell == kNone) return std::unexpected(Reassignment::kUnknownCell);
  const bool verifies = tag->is_signed() && config_.tag.trust == TagTrust::kSigned;
  if (verifies && !believe(text, tenant, true, now)) {
    return std::unexpected(Reassignment::kNotBelieved);
  }
  return cell;
}

std::string_view Cells::tag(std::uint32_t cell, std::string_view tenant, std::int64_t now,
                            base::Arena& arena) const {
  const std::string& name = member(cell).name;
  if (keys_.empty()) return arena.copy(name);
  policy::CellTag out;
  out.cell = name;
  out.epoch = epoch_of(tenant);
  out.expires = now + std::chrono::duration_cast<std::chrono::seconds>(config_.tag.ttl).count();
  return keys_.sign(out, tenant, arena);
}

}  // namespace weir::proxy
