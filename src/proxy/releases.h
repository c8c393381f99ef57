// SPDX-License-Identifier: Apache-2.0
// What a config says of releases, compiled: which rule takes a request. A part of the snapshot that
// a config without releases does not have. Where a rule leads is in the snapshot's targets, what it
// has counted in the policy::ReleaseLedger. Immutable after join(); any thread.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "policy/cell_pins.h"
#include "policy/release_ledger.h"
#include "route/condition.h"

namespace weir::proxy {

class Releases {
 public:
  /// Null without findings: the config has no releases. Null with errors in `diagnostics`: a
  /// pattern does not compile.
  static std::unique_ptr<Releases> compile(const Config& config, config::Diagnostics& diagnostics);
  explicit Releases(const Config& config) : config_(config.releases) {}

  /// From now on counted in `ledger`. Before the first request; control thread.
  void join(policy::ReleaseLedger& ledger);

  uint32_t size() const { return static_cast<uint32_t>(config_.size()); }
  const ReleaseConfig& config(uint32_t release) const { return config_[release]; }
  /// Whether its split needs the client's address.
  bool asks_address(uint32_t release) const {
    return splits_[release].sticky.kind == ReleaseSticky::Kind::kClientIp;
  }

  struct Asked {
    const RequestHead& head;
    std::string_view tenant;
    IpAddress client;   ///< Only where asks_address(); all zeros: none.
    uint64_t draw = 0;  ///< For who has nothing to stick to.
  };
  /// The place of the rule that takes it in the list of rules, and behind them all: the default.
  /// Costs a step a rule, one probe for all tenants of the release, one hash for all its weights.
  /// `why`: null, or gets a line for each rule asked.
  uint32_t choose(uint32_t release, const Asked& asked, base::Arena& arena,
                  std::vector<std::string>* why = nullptr) const;

  /// Requires: joined. `choice`: of choose().
  policy::ReleaseRow& row(uint32_t release, uint32_t choice) const {
    return *rows_[release][choice];
  }
  /// Of a release, by choice.
  const std::vector<policy::ReleaseRow*>& rows(uint32_t release) const { return rows_[release]; }

 private:
  // A rule takes points below `below` that no rule before it took.
  struct Rule {
    ReleaseRule::Kind kind;
    std::vector<route::Condition> conditions;
    uint64_t below = 0;
  };
  struct Split {
    Split(size_t names, uint64_t salt_in) : tenants(names), salt(salt_in) {}
    std::vector<Rule> rules;
    policy::CellPins tenants;  ///< To the first rule that names them.
    ReleaseSticky sticky{ReleaseSticky::Kind::kNone, {}};
    uint64_t salt;
  };

  bool compile_release(const ReleaseConfig& config, config::Diagnostics& diagnostics);
  static bool compile_conditions(const ReleaseRule& from, const std::string& key,
                                 config::Diagnostics& diagnostics, Rule& out);
  static std::string_view key_of(const Split& split, const Asked& asked);
  static uint64_t point_of(const Split& split, const Asked& asked);

  std::vector<ReleaseConfig> config_;
  std::vector<Split> splits_;
  std::vector<std::vector<policy::ReleaseRow*>> rows_;
};

}  // namespace weir::proxy
