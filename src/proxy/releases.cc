// SPDX-License-Identifier: Apache-2.0
#include "proxy/releases.h"

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "http/header_id.h"

namespace weir::proxy {
namespace {

using Kind = ReleaseRule::Kind;

// Of a hash, in parts per million.
uint64_t ppm_of(uint64_t hash) { return ((hash >> 32) * Share::kWhole) >> 32; }

size_t names_in(const ReleaseConfig& release) {
  size_t out = 0;
  for (const ReleaseRule& rule : release.rules) out += rule.tenants.size();
  return out;
}

std::string percent(uint64_t ppm) {
  std::string digits = std::to_string(ppm % 10'000);
  digits.insert(0, 4 - digits.size(), '0');
  while (digits.ends_with('0')) digits.pop_back();
  return std::to_string(ppm / 10'000) + (digits.empty() ? "" : "." + digits) + "%";
}

// With a point: of the key. Without: who has none is taken by chance.
std::string words_of(const ReleaseSticky& sticky, std::optional<uint64_t> point) {
  if (!point) return ", drawn anew for each request";
  const std::string at = ", at " + percent(*point) + " ";
  switch (sticky.kind) {
    case ReleaseSticky::Kind::kTenant:
      return at + "of the tenant";
    case ReleaseSticky::Kind::kClientIp:
      return at + "of the client's address";
    case ReleaseSticky::Kind::kHeader:
      return at + "of header " + sticky.header;
    case ReleaseSticky::Kind::kNone:
      break;
  }
  return at;
}

std::string words_of(const ReleaseRule& rule) {
  switch (rule.kind) {
    case Kind::kTenants:
      return std::to_string(rule.tenants.size()) +
             (rule.tenants.size() == 1 ? " tenant" : " tenants");
    case Kind::kMatch:
      return "match";
    case Kind::kWeight:
      break;
  }
  return "weight " + percent(rule.weight.ppm);
}

}  // namespace

std::unique_ptr<Releases> Releases::compile(const Config& config,
                                            config::Diagnostics& diagnostics) {
  if (config.releases.empty() || diagnostics.errors() != 0) return nullptr;
  auto out = std::make_unique<Releases>(config);
  bool ok = true;
  for (const ReleaseConfig& release : out->config_) {
    ok = out->compile_release(release, diagnostics) && ok;
  }
  return ok ? std::move(out) : nullptr;
}

bool Releases::compile_release(const ReleaseConfig& config, config::Diagnostics& diagnostics) {
  bool ok = true;
  Split& split = splits_.emplace_back(names_in(config), base::hash64(config.name));
  uint64_t sum = 0;
  for (const ReleaseRule& from : config.rules) {
    const auto place = static_cast<uint32_t>(split.rules.size());
    Rule& rule = split.rules.emplace_back();
    rule.kind = from.kind;
    for (const std::string& tenant : from.tenants) split.tenants.add(tenant, place);
    if (from.kind == Kind::kWeight) {
      split.sticky = from.sticky;
      sum += from.weight.ppm;
      rule.below = sum;
    }
    const std::string key = "releases." + config.name + ".rules." + from.label + ".match";
    ok = compile_conditions(from, key, diagnostics, rule) && ok;
  }
  return ok;
}

bool Releases::compile_conditions(const ReleaseRule& from, const std::string& key,
                                  config::Diagnostics& diagnostics, Rule& out) {
  bool ok = true;
  const auto add = [&](route::Condition::On on, const ValueMatch& match) {
    auto condition = route::Condition::compile(on, match, key, diagnostics);
    ok = ok && condition.has_value();
    if (condition) out.conditions.push_back(std::move(*condition));
  };
  for (const ValueMatch& match : from.headers) add(route::Condition::On::kHeader, match);
  for (const ValueMatch& match : from.query) add(route::Condition::On::kQuery, match);
  return ok;
}

void Releases::join(policy::ReleaseLedger& ledger) {
  rows_.clear();
  for (const ReleaseConfig& release : config_) {
    auto& rows = rows_.emplace_back();
    for (const ReleaseRule& rule : release.rules) {
      rows.push_back(&ledger.row(release.name, rule.to, rule.label));
    }
    rows.push_back(&ledger.row(release.name, release.default_to, "default"));
  }
}

// What it sticks to; empty: nothing. Peers on a unix socket have no address to tell them apart by.
std::string_view Releases::key_of(const Split& split, const Asked& asked) {
  switch (split.sticky.kind) {
    case ReleaseSticky::Kind::kTenant:
      return asked.tenant;
    case ReleaseSticky::Kind::kClientIp:
      if (asked.client == IpAddress{}) return {};
      return {reinterpret_cast<const char*>(asked.client.bytes.data()), asked.client.bytes.size()};
    case ReleaseSticky::Kind::kHeader:
      for (const Header& header : asked.head.headers) {
        if (http::iequals(header.name, split.sticky.header)) return header.value;
      }
      return {};
    case ReleaseSticky::Kind::kNone:
      break;
  }
  return {};
}

// Salted by the release's name, so that the first 5 % are not the same everywhere.
uint64_t Releases::point_of(const Split& split, const Asked& asked) {
  const std::string_view key = key_of(split, asked);
  return ppm_of(key.empty() ? asked.draw : base::hash64(key, split.salt));
}

uint32_t Releases::choose(uint32_t release, const Asked& asked, base::Arena& arena,
                          std::vector<std::string>* why) const {
  const Split& split = splits_[release];
  const bool listed = split.tenants.size() != 0 && !asked.tenant.empty();
  const uint32_t named = listed ? split.tenants.find(asked.tenant) : policy::CellPins::kNone;
  std::optional<uint64_t> point;
  const auto takes = [&](const Rule& rule, uint32_t place) {
    switch (rule.kind) {
      case Kind::kTenants:
        return named == place;
      case Kind::kMatch:
        return std::ranges::all_of(rule.conditions,
                                   [&](const auto& each) { return each.holds(asked.head, arena); });
      case Kind::kWeight:
        break;
    }
    if (!point) point = point_of(split, asked);
    return *point < rule.below;
  };
  const auto count = static_cast<uint32_t>(split.rules.size());
  for (uint32_t i = 0; i < count; ++i) {
    const Rule& rule = split.rules[i];
    const bool taken = takes(rule, i);
    if (why != nullptr) {
      const ReleaseRule& said = config_[release].rules[i];
      const bool drawn = rule.kind == Kind::kWeight && key_of(split, asked).empty();
      std::string line = said.label + ": " + words_of(said);
      if (rule.kind == Kind::kWeight) {
        line += words_of(split.sticky, drawn ? std::nullopt : point);
      }
      why->push_back(line + (drawn ? "" : taken ? ": yes" : ": no"));
    }
    if (taken) return i;
  }
  return count;
}

}  // namespace weir::proxy
