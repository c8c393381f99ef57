// SPDX-License-Identifier: Apache-2.0
// Rates of many keys by GCRA (ITU-T I.371), exact over all workers: a key's state is one word, the
// time at which its bucket will be full again; a charge is one compare-and-swap on it. In any
// window of t a key passes at most rate x t + burst, whatever is refunded, evicted or reloaded.
//
// Since the state is a time, a reload that changes a rate leaves a bucket as empty for as long as
// it would have been.
//
// Not a clock: each call is told the time, which may be the start of the worker's turn; only
// refund() needs the present. Thread: all.
#pragma once

#include <weir/clock.h>
#include <weir/limits_config.h>

#include <cstdint>

#include "policy/key_table.h"

namespace weir::policy {

/// A rate, compiled. Costs are rounded up to whole nanoseconds: never more than the rate, and at
/// most 1 % less up to ten million a second.
class Rate {
 public:
  Rate() = default;
  /// Requires: amount, window and burst above 0.
  explicit Rate(const RateConfig& config);

  /// Nanoseconds that a charge of `cost` takes to flow back.
  std::uint64_t interval(std::uint64_t cost) const;
  /// Nanoseconds that a whole burst takes.
  std::uint64_t tolerance() const { return tolerance_; }
  std::uint64_t burst() const { return burst_; }
  std::uint64_t amount() const { return amount_; }
  /// Nanoseconds that `amount` is for.
  std::uint64_t window() const { return window_; }
  /// Of `nanoseconds`, rounded down.
  std::uint64_t tokens(std::uint64_t nanoseconds) const;

 private:
  std::uint64_t window_ = 1;  ///< Nanoseconds.
  std::uint64_t amount_ = 1;
  std::uint64_t burst_ = 1;
  std::uint64_t one_ = 1;
  std::uint64_t tolerance_ = 1;
};

/// What a check or a charge came to.
struct RateResult {
  bool passed = false;
  bool overflow = false;         ///< Charged to the bucket that late keys share.
  std::uint64_t charged_ns = 0;  ///< For refund().
  std::uint64_t left_ns = 0;     ///< Room in the bucket, as time.
  Duration retry_after{0};       ///< Refused: when the same would pass. max(): never.
};

class RateTable {
 public:
  RateTable(std::uint32_t max_keys, TimePoint now);

  /// Whether charge() would pass. Changes nothing, and may be wrong by what others charge
  /// meanwhile.
  /// `where`, if given, is told the key's word for a charge() that follows at once.
  RateResult peek(const LimitKey& key, const Rate& rate, std::uint64_t cost, TimePoint now,
                  KeyTable::Ref* where = nullptr) const;
  /// Takes `cost` if there is room for all of it. `where`: what peek() has just told.
  RateResult charge(const LimitKey& key, const Rate& rate, std::uint64_t cost, TimePoint now) {
    return charge(key, rate, cost, now, table_.find(key));
  }
  RateResult charge(const LimitKey& key, const Rate& rate, std::uint64_t cost, TimePoint now,
                    KeyTable::Ref where);
  /// Takes `cost` whether or not there is room: bytes that have passed, costs that an origin tells
  /// afterwards. peek() refuses until the debt has flowed back.
  void charge_debt(const LimitKey& key, const Rate& rate, std::uint64_t cost, TimePoint now);
  /// Gives back what charge() took at `charged_at`, less what has flowed back since, which is the
  /// most that can be given without passing anyone over the rate (rate_table.cc). Requires: `now`
  /// is the present, read from the clock.
  void refund(const LimitKey& key, const RateResult& charged, TimePoint charged_at, TimePoint now);

  void prefetch(const LimitKey& key) const { table_.prefetch(key); }
  const KeyTable& table() const { return table_; }

 private:
  std::uint64_t reckon(TimePoint now) const;
  static bool decide(KeyTable::Ref& ref, std::uint64_t now, std::uint64_t interval,
                     std::uint64_t tolerance, RateResult& out);

  const TimePoint epoch_;
  KeyTable table_;
};

}  // namespace weir::policy
