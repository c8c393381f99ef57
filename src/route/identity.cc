// SPDX-License-Identifier: Apache-2.0
#include "route/identity.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "http/header_id.h"

namespace weir::route {
namespace {

using Kind = IdentityRule::Kind;

bool is_regex(Kind kind) { return kind == Kind::kHostRegex || kind == Kind::kPathRegex; }

// The first group that took part, so that alternatives may each have their own; without groups the
// whole match.
std::string_view captured(const Pattern& pattern, std::string_view subject) {
  std::array<std::string_view, 10> groups{};
  if (!pattern.find(subject, groups)) return {};
  for (std::size_t i = 1; i < groups.size(); ++i) {
    if (!groups[i].empty()) return groups[i];
  }
  return pattern.check_substitution("\\1").empty() ? std::string_view{} : groups[0];
}

ErrorCode fault_of(Kind kind) {
  if (kind == Kind::kHostRegex) return ErrorCode::kBadHost;
  return kind == Kind::kPathRegex ? ErrorCode::kBadTarget : ErrorCode::kBadHeader;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::optional<std::uint8_t> priority_from(std::string_view value) {
  if (value.size() != 1 || value[0] < '0' || value[0] > '5') return std::nullopt;
  return static_cast<std::uint8_t>(value[0] - '0');
}

}  // namespace

std::optional<IdentityRules> IdentityRules::compile(const IdentityConfig& config,
                                                    config::Diagnostics& diagnostics) {
  IdentityRules out;
  bool good = compile_rules(config.tenant, "identity.tenant", diagnostics, out.tenant_);
  good = compile_rules(config.function, "identity.function", diagnostics, out.function_) && good;
  good = compile_rules(config.class_name, "identity.class", diagnostics, out.class_name_) && good;
  good = compile_rules(config.priority, "identity.priority", diagnostics, out.priority_) && good;
  if (!good) return std::nullopt;
  return out;
}

bool IdentityRules::compile_rules(const std::vector<IdentityRule>& config, std::string_view key,
                                  config::Diagnostics& diagnostics, Rules& out) {
  bool good = true;
  for (const IdentityRule& each : config) {
    Rule& rule = out.emplace_back();
    rule.kind = each.kind;
    rule.text = each.text;
    if (each.kind == Kind::kHeader) rule.id = http::header_id(each.text);
    if (!is_regex(each.kind)) continue;
    auto pattern = Pattern::compile(each.text);
    if (!pattern) {
      diagnostics.error({each.file, each.line, each.column}, key,
                        {"the regex does not compile: " + pattern.error(),
                         "RE2 syntax; look-around and back references do not exist"});
      good = false;
      continue;
    }
    rule.pattern = std::move(*pattern);
  }
  return good;
}

Result<Identity> IdentityRules::identify(const IdentityFacts& facts) const {
  const auto tenant = first_of(tenant_, facts);
  if (!tenant) return std::unexpected(tenant.error());
  const auto function = first_of(function_, facts);
  if (!function) return std::unexpected(function.error());
  const auto class_name = first_of(class_name_, facts);
  if (!class_name) return std::unexpected(class_name.error());
  const auto priority = first_of(priority_, facts);
  if (!priority) return std::unexpected(priority.error());
  return Identity{*tenant, *function, *class_name, priority_from(*priority)};
}

Result<std::string_view> IdentityRules::first_of(const Rules& rules, const IdentityFacts& facts) {
  std::string_view value;
  for (const Rule& rule : rules) {
    const char* const problem = read(rule, facts, value);
    if (problem != nullptr) return fail(fault_of(rule.kind), problem);
    if (!value.empty()) break;
  }
  return value;
}

const char* IdentityRules::read(const Rule& rule, const IdentityFacts& facts,
                                std::string_view& value) {
  value = {};
  if (rule.kind != Kind::kHeader) {
    value = value_of(rule, facts);
  } else if (facts.trusted_peer && !read_header(rule, facts.head.headers, value)) {
    return "an identity is told twice, and differently";
  }
  if (value.size() > kMaxBytes) return "an identity is longer than 256 bytes";
  if (std::ranges::any_of(value, is_control)) return "an identity holds control bytes";
  return nullptr;
}

// Of all but headers.
std::string_view IdentityRules::value_of(const Rule& rule, const IdentityFacts& facts) {
  switch (rule.kind) {
    case Kind::kHostRegex:
      return captured(*rule.pattern, facts.head.host);
    case Kind::kPathRegex:
      return captured(*rule.pattern, facts.head.path);
    case Kind::kRoute:
      return facts.route;
    case Kind::kClientSubject:
      return facts.client_subject;
    case Kind::kClientSan:
      return facts.client_san;
    case Kind::kValue:
      return rule.text;
    case Kind::kHeader:
      break;
  }
  return {};
}

bool IdentityRules::read_header(const Rule& rule, const HeaderList& headers,
                                std::string_view& value) {
  for (const Header& header : headers) {
    if (header.id != rule.id) continue;
    if (rule.id == HeaderId::kOther &&
        (header.name.size() != rule.text.size() || !http::iequals(header.name, rule.text))) {
      continue;
    }
    if (!value.empty() && header.value != value) return false;
    value = header.value;
  }
  return true;
}

}  // namespace weir::route
