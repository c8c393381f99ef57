// SPDX-License-Identifier: Apache-2.0
// The limits of one config, compiled, and the state behind them, which is another thing: a LimitSet
// is immutable and lives as long as somebody was admitted by it; a LimitState (buckets, places,
// counters) survives reloads under the limit's name and dimensions.
//
// All requests take limits in one order, narrowest first ({tenant, function}, then tenant or
// address, then function, then the node): whoever waits for a place holds only places of what is
// narrower, so one tenant's queue never sits on what another needs, and no two waits lock.
//
// Thread: LimitRegistry and compile() one thread (config); LimitSet and LimitState any.
#pragma once

#include <weir/clock.h>
#include <weir/limits_config.h>
#include <weir/message.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/counters.h"
#include "policy/places.h"
#include "policy/rate_table.h"
#include "policy/refusal.h"

namespace weir::policy {

/// What limits may ask about a request. Views for the duration of a call.
struct LimitFacts {
  std::string_view tenant;  ///< The name to count by (Tenants::Standing::bucket).
  std::string_view function;
  /// The keys of these two, where the caller has them already; null: made when they are needed.
  const LimitKey* tenant_key = nullptr;
  const LimitKey* function_key = nullptr;
  std::string_view class_name;
  std::uint32_t weight = 1;  ///< Of the class.
  std::string_view route;
  std::string_view listener;
  std::string_view cell;
  IpAddress client_ip;
  const HeaderList* headers = nullptr;
  std::uint64_t held_bytes = 0;  ///< What the request holds while it waits.
};

/// One worker's counts for one limit.
struct alignas(64) LimitStats {
  base::Counter passed;
  base::Counter refused_rate;
  base::Counter refused_concurrency;  ///< No place, and none to wait.
  base::Counter waited;
  base::Counter refused_wait;  ///< Waited too long.
  base::Counter dry_run;       ///< Would have been refused.
};

struct LimitState {
  LimitState(std::uint32_t max_keys_in, std::uint32_t workers)
      : max_keys(max_keys_in), stats(workers) {}

  /// Brings near what the check of this key will read.
  void prefetch(const LimitKey& key) const {
    if (requests != nullptr) requests->prefetch(key);
    if (places != nullptr) places->table().prefetch(key);
  }

  // Made when a config first asks for them; the pointers of compiled limits stay good.
  std::unique_ptr<RateTable> requests;
  std::unique_ptr<RateTable> bandwidth;
  std::unique_ptr<RateTable> cost;
  std::shared_ptr<Places> places;
  const std::uint32_t max_keys;   ///< As first given: a table does not change its size.
  std::vector<LimitStats> stats;  ///< One a worker.
};

class LimitRegistry {
 public:
  /// `office` and `clock` outlive it.
  LimitRegistry(PlaceOffice& office, const Clock& clock, const KeySecret& secret)
      : office_(office), clock_(clock), secret_(secret) {}

  /// The state of that name and those dimensions, with all tables that `config` needs.
  std::shared_ptr<LimitState> state(const LimitConfig& config);
  const KeySecret& secret() const { return secret_; }

 private:
  PlaceOffice& office_;
  const Clock& clock_;
  const KeySecret secret_;
  std::unordered_map<std::string, std::weak_ptr<LimitState>> states_;
};

/// What one key may use.
struct LimitRule {
  std::optional<Rate> requests;
  std::optional<Rate> bandwidth;
  std::optional<Rate> cost;
  std::optional<PlaceBounds> concurrency;
  Duration max_wait{};
};

class Limit {
 public:
  Limit(const LimitConfig& config, std::shared_ptr<LimitState> state, const KeySecret& secret);

  const std::string& name() const { return config_name_; }
  /// The dimensions joined by commas; "node" if there are none. For bodies and metrics.
  const std::string& scope() const { return scope_; }
  bool node_wide() const { return key_.empty(); }
  bool dry_run() const { return dry_run_; }
  const RefusalText& refusal(LimitCause cause) const {
    return refusals_[static_cast<std::size_t>(cause)];
  }
  const std::string& cost_header() const { return cost_header_; }
  LimitState& state() const { return *state_; }

  bool matches(const LimitFacts& facts) const { return matches_all_ || matches_some(facts); }
  LimitKey key(const LimitFacts& facts) const { return node_wide() ? node_key_ : key_of(facts); }
  const LimitRule& rule(const LimitKey& key, const LimitFacts& facts) const;
  /// Where rule() finds the amounts.
  enum class Source : std::uint8_t { kLimit, kClass, kOverride };
  Source source(const LimitKey& key, const LimitFacts& facts) const;
  /// What key() hashes, in words: "tenant=acme,client_ip=2001:db8::/64". Allocates: not for the
  /// data path.
  std::string key_text(const LimitFacts& facts) const;

 private:
  struct Override {
    LimitKey key;
    std::uint32_t rule = 0;  ///< Of rules_; 0 is an empty place.
  };

  bool matches_some(const LimitFacts& facts) const;
  LimitKey key_of(const LimitFacts& facts) const;
  LimitKey key_of_value(const LimitDimension& dimension, const LimitFacts& facts) const;
  void add_overrides(const LimitConfig& config);
  const Override& find(const LimitKey& key) const;

  std::string config_name_;
  std::string scope_;
  std::vector<LimitDimension> key_;
  LimitMatch match_;
  RefusalTexts refusals_;
  std::string cost_header_;
  bool dry_run_;
  std::uint32_t ipv6_prefix_;
  std::shared_ptr<LimitState> state_;
  KeySecret secret_;
  LimitKey node_key_;  ///< Where there is no dimension.
  bool matches_all_;
  std::vector<LimitRule> rules_;  ///< The first is everybody's.
  std::vector<std::pair<std::string, std::uint32_t>> class_rules_;
  std::vector<Override> overrides_;  ///< Open addressing, half full at most.
};

class LimitSet {
 public:
  /// Requires: names are unique, rates and bursts above 0, classes exist.
  static std::shared_ptr<const LimitSet> compile(const std::vector<LimitConfig>& configs,
                                                 LimitRegistry& registry);

  /// In the order in which they are taken.
  std::span<const Limit> limits() const { return limits_; }
  /// Whether any of them needs LimitFacts::client_ip.
  bool counts_addresses() const { return counts_addresses_; }

 private:
  bool counts_addresses_ = false;
  std::vector<Limit> limits_;
};

}  // namespace weir::policy
