// SPDX-License-Identifier: Apache-2.0
#include "policy/limit_set.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <map>
#include <utility>

#include "base/check.h"
#include "http/header_id.h"

namespace weir::policy {
namespace {

using Kind = LimitDimension::Kind;

std::string name_of(const LimitDimension& dimension) {
  switch (dimension.kind) {
    case Kind::kTenant:
      return "tenant";
    case Kind::kFunction:
      return "function";
    case Kind::kClientIp:
      return "client_ip";
    case Kind::kRoute:
      return "route";
    case Kind::kListener:
      return "listener";
    case Kind::kHeader:
      return "header:" + dimension.header;
    case Kind::kCell:
      return "cell";
  }
  return {};
}

std::string scope_of(const std::vector<LimitDimension>& key) {
  std::string out;
  for (const LimitDimension& dimension : key) {
    out += (out.empty() ? "" : ",") + name_of(dimension);
  }
  return out.empty() ? "node" : out;
}

/// An address as it is counted: family and the bytes of its prefix.
struct AddressText {
  std::array<char, 17> bytes{};
  std::size_t size = 0;
  std::string_view view() const { return {bytes.data(), size}; }
};

AddressText count_as(const IpAddress& address, std::uint32_t ipv6_prefix) {
  const IpAddress ip = address.unmapped();
  AddressText out;
  out.size = ip.is_v6 ? 17 : 5;
  out.bytes[0] = ip.is_v6 ? '6' : '4';
  for (std::size_t i = 1; i < out.size; ++i) {
    const std::size_t bits_before = (i - 1) * 8;
    const std::size_t keep =
        !ip.is_v6 ? 8
                  : std::min<std::size_t>(
                        ipv6_prefix - std::min<std::size_t>(ipv6_prefix, bits_before), 8);
    out.bytes[i] = static_cast<char>(ip.bytes[i - 1] & 0xff00U >> keep);
  }
  return out;
}

std::optional<IpAddress> parse_ip(const std::string& text) {
  IpAddress out;
  out.is_v6 = text.find(':') != std::string::npos;
  if (inet_pton(out.is_v6 ? AF_INET6 : AF_INET, text.c_str(), out.bytes.data()) != 1) {
    return std::nullopt;
  }
  return out;
}

// A header that is absent counts as an empty one: leaving it out must not be the way round a limit.
std::string_view header_value(const HeaderList* headers, std::string_view name) {
  if (headers == nullptr) return {};
  for (const Header& header : *headers) {
    if (http::iequals(header.name, name)) return header.value;
  }
  return {};
}

// Of all but addresses.
std::string_view value_of(const LimitDimension& dimension, const LimitFacts& facts) {
  switch (dimension.kind) {
    case Kind::kTenant:
      return facts.tenant;
    case Kind::kFunction:
      return facts.function;
    case Kind::kRoute:
      return facts.route;
    case Kind::kListener:
      return facts.listener;
    case Kind::kHeader:
      return header_value(facts.headers, dimension.header);
    case Kind::kCell:
      return facts.cell;
    case Kind::kClientIp:
      break;
  }
  return {};
}

std::string address_text(const IpAddress& address, std::uint32_t ipv6_prefix) {
  IpAddress ip = address.unmapped();
  const AddressText counted = count_as(ip, ipv6_prefix);
  std::copy_n(counted.bytes.begin() + 1, counted.size - 1, ip.bytes.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(ip.is_v6 ? AF_INET6 : AF_INET, ip.bytes.data(), text.data(), text.size());
  std::string out = text.data();
  if (ip.is_v6 && ipv6_prefix < 128) out += "/" + std::to_string(ipv6_prefix);
  return out;
}

LimitRule rule_from(const LimitAmounts& amounts, const LimitRule& base) {
  LimitRule out = base;
  if (amounts.requests) out.requests = Rate(*amounts.requests);
  if (amounts.bandwidth) out.bandwidth = Rate(*amounts.bandwidth);
  if (amounts.cost) out.cost = Rate(*amounts.cost);
  if (const auto& places = amounts.concurrency) {
    out.concurrency = PlaceBounds{std::min(places->max, PlaceTable::kMostPlaces),
                                  places->queue.max_requests, places->queue.max_bytes};
    out.max_wait = places->queue.max_wait;
  }
  return out;
}

// All that an override says, for telling equal ones.
using AmountsText = std::array<std::uint64_t, 13>;

AmountsText text_of(const LimitAmounts& amounts) {
  AmountsText out{};
  std::size_t at = 0;
  for (const auto* rate : {&amounts.requests, &amounts.bandwidth, &amounts.cost}) {
    if (*rate) {
      out[at] = (*rate)->amount;
      out[at + 1] = static_cast<std::uint64_t>((*rate)->window.count());
      out[at + 2] = (*rate)->burst;
    }
    at += 3;
  }
  if (const auto& places = amounts.concurrency) {
    out[at] = std::uint64_t{places->max} + 1;
    out[at + 1] = places->queue.max_requests;
    out[at + 2] = places->queue.max_bytes;
    out[at + 3] = static_cast<std::uint64_t>(places->queue.max_wait.count());
  }
  return out;
}

void note_needs(const LimitAmounts& amounts, LimitAmounts& all) {
  if (amounts.requests) all.requests = amounts.requests;
  if (amounts.bandwidth) all.bandwidth = amounts.bandwidth;
  if (amounts.cost) all.cost = amounts.cost;
  if (amounts.concurrency) all.concurrency = amounts.concurrency;
}

// Smaller is taken earlier. What a tenant or an address can fill alone comes before what he shares.
std::uint32_t order_of(const LimitConfig& config) {
  std::uint32_t own = 1;
  for (const LimitDimension& dimension : config.key) {
    const bool is_own = dimension.kind == Kind::kTenant || dimension.kind == Kind::kClientIp ||
                        dimension.kind == Kind::kHeader;
    if (is_own) own = 0;
  }
  const auto shared = static_cast<std::uint32_t>(64 - std::min<std::size_t>(config.key.size(), 64));
  return own << 8 | shared;
}

}  // namespace

std::shared_ptr<LimitState> LimitRegistry::state(const LimitConfig& config) {
  std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<LimitState>& known = states_[config.name + '\n' + scope_of(config.key)];
  std::shared_ptr<LimitState> state = known.lock();
  if (state == nullptr) {
    state =
        std::make_shared<LimitState>(config.key.empty() ? 1 : config.max_keys, office_.workers());
    known = state;
  }
  LimitAmounts needs = config.amounts;
  for (const ClassOverride& each : config.classes) note_needs(each.amounts, needs);
  for (const LimitOverride& each : config.overrides) note_needs(each.amounts, needs);
  const auto make = [&](std::unique_ptr<RateTable>& table, bool needed) {
    if (needed && !table) table = std::make_unique<RateTable>(state->max_keys, clock_.now());
  };
  make(state->requests, needs.requests.has_value());
  make(state->bandwidth, needs.bandwidth.has_value());
  make(state->cost, needs.cost.has_value());
  if (needs.concurrency && !state->places) {
    state->places = std::make_shared<Places>(state->max_keys, office_);
  }
  return state;
}

Limit::Limit(const LimitConfig& config, std::shared_ptr<LimitState> state, const KeySecret& secret)
    : config_name_(config.name),
      scope_(scope_of(config.key)),
      key_(config.key),
      match_(config.match),
      refusals_(make_refusal_texts(config_name_, scope_, key_.empty())),
      cost_header_(config.cost_header),
      dry_run_(config.dry_run),
      ipv6_prefix_(config.ipv6_prefix),
      state_(std::move(state)),
      secret_(secret),
      node_key_(key_of_name(secret, {})),
      matches_all_(match_.routes.empty() && match_.listeners.empty() && match_.classes.empty()) {
  std::ranges::sort(match_.routes);
  std::ranges::sort(match_.listeners);
  std::ranges::sort(match_.classes);
  rules_.push_back(rule_from(config.amounts, {}));
  for (const ClassOverride& each : config.classes) {
    class_rules_.emplace_back(each.class_name, static_cast<std::uint32_t>(rules_.size()));
    rules_.push_back(rule_from(each.amounts, rules_[0]));
  }
  add_overrides(config);
}

void Limit::add_overrides(const LimitConfig& config) {
  if (config.overrides.empty()) return;
  overrides_.resize(std::bit_ceil(config.overrides.size() * 2));
  std::map<AmountsText, std::uint32_t> known;  // a hundred thousand tenants, a handful of plans
  for (const LimitOverride& each : config.overrides) {
    CHECK(each.values.size() == key_.size());
    KeyJoiner joiner;
    for (std::size_t i = 0; i < key_.size(); ++i) {
      const auto ip = key_[i].kind == Kind::kClientIp ? parse_ip(each.values[i]) : std::nullopt;
      joiner.add(ip ? key_of_name(secret_, count_as(*ip, ipv6_prefix_).view())
                    : key_of_name(secret_, each.values[i]));
    }
    const LimitKey key = joiner.finish();
    auto& place = const_cast<Override&>(find(key));
    const auto [rule, fresh] =
        known.try_emplace(text_of(each.amounts), static_cast<std::uint32_t>(rules_.size()));
    place = {key, rule->second};
    if (fresh) rules_.push_back(rule_from(each.amounts, rules_[0]));
  }
}

// The key's place, or the empty one where it would be.
const Limit::Override& Limit::find(const LimitKey& key) const {
  std::size_t at = key.lo & (overrides_.size() - 1);
  while (overrides_[at].rule != 0 && overrides_[at].key != key) {
    at = (at + 1) & (overrides_.size() - 1);
  }
  return overrides_[at];
}

bool Limit::matches_some(const LimitFacts& facts) const {
  const auto takes = [](const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::binary_search(list.begin(), list.end(), value, std::less<>());
  };
  return takes(match_.routes, facts.route) && takes(match_.listeners, facts.listener) &&
         takes(match_.classes, facts.class_name);
}

LimitKey Limit::key_of(const LimitFacts& facts) const {
  KeyJoiner joiner;
  for (const LimitDimension& dimension : key_) joiner.add(key_of_value(dimension, facts));
  return joiner.finish();
}

LimitKey Limit::key_of_value(const LimitDimension& dimension, const LimitFacts& facts) const {
  if (dimension.kind == Kind::kTenant && facts.tenant_key != nullptr) return *facts.tenant_key;
  if (dimension.kind == Kind::kFunction && facts.function_key != nullptr) {
    return *facts.function_key;
  }
  if (dimension.kind == Kind::kClientIp) {
    return key_of_name(secret_, count_as(facts.client_ip, ipv6_prefix_).view());
  }
  return key_of_name(secret_, value_of(dimension, facts));
}

Limit::Source Limit::source(const LimitKey& key, const LimitFacts& facts) const {
  const auto index = static_cast<std::size_t>(&rule(key, facts) - rules_.data());
  if (index == 0) return Source::kLimit;
  return index <= class_rules_.size() ? Source::kClass : Source::kOverride;
}

std::string Limit::key_text(const LimitFacts& facts) const {
  std::string out;
  for (const LimitDimension& dimension : key_) {
    out += (out.empty() ? "" : ",") + name_of(dimension) + "=";
    out += dimension.kind == Kind::kClientIp ? address_text(facts.client_ip, ipv6_prefix_)
                                             : std::string(value_of(dimension, facts));
  }
  return out;
}

const LimitRule& Limit::rule(const LimitKey& key, const LimitFacts& facts) const {
  if (!overrides_.empty()) {
    if (const std::uint32_t own = find(key).rule; own != 0) return rules_[own];
  }
  for (const auto& [name, rule] : class_rules_) {
    if (name == facts.class_name) return rules_[rule];
  }
  return rules_[0];
}

std::shared_ptr<const LimitSet> LimitSet::compile(const std::vector<LimitConfig>& configs,
                                                  LimitRegistry& registry) {
  std::vector<const LimitConfig*> order;
  for (const LimitConfig& config : configs) order.push_back(&config);
  std::ranges::stable_sort(order, {}, [](const LimitConfig* config) { return order_of(*config); });
  auto set = std::make_shared<LimitSet>();
  set->limits_.reserve(order.size());
  for (const LimitConfig* config : order) {
    for (const LimitDimension& each : config->key) {
      set->counts_addresses_ = set->counts_addresses_ || each.kind == Kind::kClientIp;
    }
    set->limits_.emplace_back(*config, registry.state(*config), registry.secret());
  }
  return set;
}

}  // namespace weir::policy
