// SPDX-License-Identifier: Apache-2.0
// The walk of identify() in words.
#include <array>

#include "http/header_id.h"
#include "route/identity.h"

namespace weir::route {
namespace {

using Kind = IdentityRule::Kind;

std::string words_of(Kind kind, const std::string& text) {
  switch (kind) {
    case Kind::kHeader:
      return "header " + text;
    case Kind::kHostRegex:
      return "host_regex " + text;
    case Kind::kPathRegex:
      return "path_regex " + text;
    case Kind::kRoute:
      return "the route's name";
    case Kind::kClientSubject:
      return "client_cert subject";
    case Kind::kClientSan:
      return "client_cert san";
    case Kind::kValue:
      return "value " + text;
  }
  return {};
}

bool is_there(const HeaderList& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (http::iequals(header.name, name)) return true;
  }
  return false;
}

std::string why_empty(Kind kind, const std::string& text, const IdentityFacts& facts) {
  switch (kind) {
    case Kind::kHeader:
      if (!is_there(facts.head.headers, text)) return "is not there";
      return facts.trusted_peer ? "is empty"
                                : "is not believed: the peer is not in trusted_proxies";
    case Kind::kHostRegex:
    case Kind::kPathRegex:
      return "does not match";
    case Kind::kClientSubject:
    case Kind::kClientSan:
      return "is not known: there is no verified certificate";
    case Kind::kRoute:
    case Kind::kValue:
      break;
  }
  return "is empty";
}

}  // namespace

std::vector<IdentityTrial> IdentityRules::explain(const IdentityFacts& facts) const {
  std::vector<IdentityTrial> out;
  explain_rules(tenant_, "tenant", facts, out);
  explain_rules(function_, "function", facts, out);
  explain_rules(class_name_, "class", facts, out);
  explain_rules(priority_, "priority", facts, out);
  return out;
}

void IdentityRules::explain_rules(const Rules& rules, std::string_view part,
                                  const IdentityFacts& facts, std::vector<IdentityTrial>& out) {
  for (const Rule& rule : rules) {
    std::string_view value;
    const char* const problem = read(rule, facts, value);
    IdentityTrial& trial =
        out.emplace_back(IdentityTrial{part, words_of(rule.kind, rule.text), {}, false});
    if (problem != nullptr) {
      trial.outcome = std::string("is refused: ") + problem;
      return;
    }
    trial.wins = !value.empty();
    trial.outcome =
        trial.wins ? "says " + std::string(value) : why_empty(rule.kind, rule.text, facts);
    if (trial.wins) return;
  }
}

}  // namespace weir::route
