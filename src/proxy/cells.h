// SPDX-License-Identifier: Apache-2.0
// What a config says of cells, compiled: who lives where, and whose tags are believed. A part of
// the snapshot that a config without cells does not have. What changes while it is in force (states
// and counts) is in the policy::CellLedger. Immutable after join(); any thread.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "policy/cell_ledger.h"
#include "policy/cell_pins.h"
#include "policy/cell_tag.h"
#include "policy/rendezvous.h"
#include "proxy/cell_keys.h"
#include "route/condition.h"

namespace weir::proxy {

class Cells {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  using ReadFile = std::function<std::expected<std::string, std::string>(const std::string&)>;

  /// Null without findings: the config has no cells. Null with errors in `diagnostics`: a pattern
  /// does not compile, or the keys cannot be read. No `read_file`: they are left alone.
  static std::unique_ptr<Cells> compile(const Config& config, const ReadFile& read_file,
                                        config::Diagnostics& diagnostics);
  explicit Cells(const Config& config);

  /// From now on its cells' states are those of the config, and counted in `ledger`. Before the
  /// first request; control thread.
  void join(policy::CellLedger& ledger);

  // ---- Who there is.
  const CellsConfig& config() const { return config_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(config_.members.size()); }
  const CellConfig& member(std::uint32_t cell) const { return config_.members[cell]; }
  /// kNone: a front door.
  std::uint32_t self() const { return self_; }
  std::uint32_t find(std::string_view name) const;
  /// Requires: joined.
  policy::CellRecord& record(std::uint32_t cell) const { return *records_[cell]; }
  policy::CellRow& row(std::uint32_t home, std::uint32_t served) const {
    return *rows_[home * size() + served];
  }
  CellState state(std::uint32_t cell) const;
  /// Those that take new homes, a bit each.
  std::uint64_t open_to_homes() const;
  /// Guests that self serves at once; UINT32_MAX: as many as come.
  std::uint32_t guest_limit() const { return guest_limit_; }

  // ---- Where a request lives.
  struct Asked {
    const RequestHead& head;
    std::string_view tenant;
    std::string_view function;
    std::string_view client_ip;
    std::uint64_t draw = 0;  ///< For a choice at random.
  };
  struct Home {
    std::uint32_t cell = 0;
    policy::CellReason how = policy::CellReason::kHash;
  };
  /// Of a request without a tag that counts. `why`: null, or gets a line for each rule asked.
  Home assign(const Asked& asked, base::Arena& arena,
              std::vector<std::string>* why = nullptr) const;

  // ---- Tags.
  struct Claim {
    std::uint32_t cell = 0;
    bool renew = false;  ///< Half of its time is over.
  };
  /// Whether a tag of `tenant` counts now (seconds since 1970). `trusted`: the peer is.
  std::expected<Claim, policy::TagFault> believe(std::string_view text, std::string_view tenant,
                                                 bool trusted, std::int64_t now) const;
  /// The text that names `cell`, signed where the config says so.
  std::string_view tag(std::uint32_t cell, std::string_view tenant, std::int64_t now,
                       base::Arena& arena) const;
  /// Whether answers of this cluster may give their client a new home.
  bool may_assign(std::string_view cluster) const;
  /// The new home that `text`, the tag of such an answer, names for `tenant`.
  std::expected<std::uint32_t, policy::Reassignment> reassigned(std::string_view text,
                                                                std::string_view tenant,
                                                                std::int64_t now) const;
  const std::vector<std::string>& stripped_headers() const { return stripped_; }

  // ---- Calls of an application behind this weir.
  /// Null: tags are not put on them.
  policy::TraceTags* traces() const { return traces_.get(); }
  /// Calls out come by this listener.
  bool reattaches(std::string_view listener) const;
  const std::string& cookie_end() const { return cookie_end_; }

 private:
  struct Rule {
    CellRule::Kind kind;
    std::optional<policy::CellPins> pins;
    std::uint32_t epoch = 0;
    std::vector<route::Condition> conditions;
    std::uint32_t cell = kNone;
    CellKey key;
  };

  bool compile_rules(config::Diagnostics& diagnostics);
  bool compile_conditions(const std::vector<ValueMatch>& matches, route::Condition::On on,
                          config::Diagnostics& diagnostics, Rule& out);
  bool read_keys(const ReadFile& read_file, config::Diagnostics& diagnostics);
  std::uint32_t ask(const Rule& rule, const Asked& asked, std::uint64_t open,
                    base::Arena& arena) const;
  static std::string_view key_of(const CellKey& key, const Asked& asked);
  std::uint32_t epoch_of(std::string_view tenant) const;

  CellsConfig config_;
  std::uint32_t self_ = kNone;
  std::uint32_t guest_limit_ = UINT32_MAX;
  std::uint64_t near_ = 0;  ///< Cells of the region that this weir stands in.
  policy::Rendezvous rendezvous_;
  std::vector<Rule> rules_;
  CellKeys keys_;
  std::vector<policy::CellRecord*> records_;
  std::vector<policy::CellRow*> rows_;
  std::shared_ptr<policy::TraceTags> traces_;
  std::vector<std::string> stripped_;
  std::vector<std::string> assigners_;  ///< Clusters.
  std::string cookie_end_;
};

/// Between weirs: the cells that a request has been to ("c1,c2"), and how often it has hopped.
inline constexpr std::string_view kCellPathHeader = "x-weir-cell-path";
inline constexpr std::string_view kCellHopsHeader = "x-weir-cell-hops";

}  // namespace weir::proxy
