// SPDX-License-Identifier: Apache-2.0
// Who a request belongs to: tenant, function, class and priority, each by the first of its rules
// that yields a value. It reads what the edge has established (trusted peer, verified certificate,
// normalised path, matched route) and decides nothing about limits.
//
// A header rule counts for trusted peers only: everybody else would name himself. A value that is
// too long, holds control bytes, or is told twice in different words is refused, not skipped: the
// next rule must not be what an attacker chooses by spoiling this one.
//
// Immutable after compile(); any thread. What identify() returns are views: into the head, the
// facts, or the rules.
#pragma once

#include <weir/config.h>
#include <weir/error.h>
#include <weir/limits_config.h>
#include <weir/message.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "route/pattern.h"

namespace weir::route {

struct IdentityFacts {
  const RequestHead& head;
  bool trusted_peer = false;
  std::string_view route = {};           ///< Its name.
  std::string_view client_subject = {};  ///< Of a verified certificate; empty: none.
  std::string_view client_san = {};      ///< The first alternative name.
};

struct Identity {
  std::string_view tenant;  ///< Empty: no rule yielded one.
  std::string_view function;
  std::string_view class_name;
  std::optional<std::uint8_t> priority;  ///< 0 to 5.
};

/// What one rule said of a request, in words.
struct IdentityTrial {
  std::string_view part;  ///< "tenant", "function", "class", "priority".
  std::string rule;       ///< "header x-tenant-id"
  std::string outcome;
  bool wins = false;
};

class IdentityRules {
 public:
  static constexpr std::size_t kMaxBytes = 256;

  /// nullopt, and errors in `diagnostics`, if a regex does not compile.
  static std::optional<IdentityRules> compile(const IdentityConfig& config,
                                              config::Diagnostics& diagnostics);

  /// Errors: kBadHeader, kBadTarget, kBadHost by where the value came from.
  Result<Identity> identify(const IdentityFacts& facts) const;
  /// The same walk in words, for `weir explain`: each rule up to the one that decides.
  std::vector<IdentityTrial> explain(const IdentityFacts& facts) const;

 private:
  struct Rule {
    IdentityRule::Kind kind;
    std::string text;
    HeaderId id = HeaderId::kOther;
    std::optional<Pattern> pattern;
  };
  using Rules = std::vector<Rule>;

  static bool compile_rules(const std::vector<IdentityRule>& config, std::string_view key,
                            config::Diagnostics& diagnostics, Rules& out);
  static Result<std::string_view> first_of(const Rules& rules, const IdentityFacts& facts);
  static void explain_rules(const Rules& rules, std::string_view part, const IdentityFacts& facts,
                            std::vector<IdentityTrial>& out);
  /// What a rule says, empty if nothing. Returns what is wrong with it; null: nothing is.
  static const char* read(const Rule& rule, const IdentityFacts& facts, std::string_view& value);
  static std::string_view value_of(const Rule& rule, const IdentityFacts& facts);
  /// False: it is told twice, and differently.
  static bool read_header(const Rule& rule, const HeaderList& headers, std::string_view& value);

  Rules tenant_;
  Rules function_;
  Rules class_name_;
  Rules priority_;
};

}  // namespace weir::route
