// SPDX-License-Identifier: Apache-2.0
#include "policy/rate_table.h"

#include <algorithm>

#include "base/check.h"

namespace weir::policy {
namespace {

using Wide = unsigned __int128;

// Two years: further ahead than any sane debt, and far from the word's end.
constexpr std::uint64_t kFarthest = std::uint64_t{1} << 56;

constexpr std::uint64_t clamp(Wide value) {
  return value > kFarthest ? kFarthest : static_cast<std::uint64_t>(value);
}

// A bucket that is full again is as good as a new one.
bool idle(std::uint64_t full_at, std::uint64_t now) { return full_at <= now; }

// What a new key passed before, it passed through the overflow bucket: its own would be at most as
// empty as that one. So nobody gains tokens by leaving the overflow.
std::uint64_t fresh(std::uint64_t overflow, std::uint64_t now) { return std::max(overflow, now); }

}  // namespace

Rate::Rate(const RateConfig& config)
    : window_(static_cast<std::uint64_t>(config.window.count()) * 1'000'000),
      amount_(config.amount),
      burst_(config.burst) {
  CHECK(window_ > 0 && amount_ > 0 && burst_ > 0);
  one_ = interval(1);
  // A rate of requests must pass its whole burst at once, one by one, though each is rounded up. A
  // rate of bytes is charged in large amounts, and below a nanosecond a byte `burst` times the
  // rounding would double it.
  tolerance_ = one_ >= 100 ? clamp(Wide{one_} * burst_) : interval(burst_);
}

std::uint64_t Rate::interval(std::uint64_t cost) const {
  if (cost == 1 && one_ > 1) return one_;
  return clamp((Wide{cost} * window_ + amount_ - 1) / amount_);
}

std::uint64_t Rate::tokens(std::uint64_t nanoseconds) const {
  if (one_ >= 100) return nanoseconds / one_;
  return static_cast<std::uint64_t>(Wide{nanoseconds} * amount_ / window_);
}

RateTable::RateTable(std::uint32_t max_keys, TimePoint now)
    : epoch_(now - std::chrono::hours(1)), table_(max_keys, {&idle, &fresh}) {}

// Nanoseconds since the table's epoch; 0 would be an empty slot.
std::uint64_t RateTable::reckon(TimePoint now) const {
  return static_cast<std::uint64_t>(std::max<std::int64_t>((now - epoch_).count(), 1));
}

// True once `out` tells the outcome; false: the word has changed, look again.
bool RateTable::decide(KeyTable::Ref& ref, std::uint64_t now, std::uint64_t interval,
                       std::uint64_t tolerance, RateResult& out) {
  for (;;) {
    const std::uint64_t from = std::max(ref.value(), now);
    const std::uint64_t full_at = from + interval;
    out.overflow = ref.overflow();
    if (full_at > now + tolerance) {
      // It must have been this key's word that refuses.
      if (!ref.current()) return false;
      const bool never = interval > tolerance;
      out.left_ns = now + tolerance > from ? now + tolerance - from : 0;
      out.retry_after =
          never ? Duration::max() : Duration(static_cast<std::int64_t>(full_at - now - tolerance));
      return true;
    }
    if (ref.replace(full_at)) {
      out.passed = true;
      out.charged_ns = interval;
      out.left_ns = now + tolerance - full_at;
      return true;
    }
    if (ref.lost()) return false;
  }
}

RateResult RateTable::charge(const LimitKey& key, const Rate& rate, std::uint64_t cost,
                             TimePoint at, KeyTable::Ref where) {
  const std::uint64_t now = reckon(at);
  const std::uint64_t interval = rate.interval(cost);
  RateResult out;
  if (where && decide(where, now, interval, rate.tolerance(), out)) return out;
  table_.with_word(key, now, [&](KeyTable::Ref& ref) {
    return decide(ref, now, interval, rate.tolerance(), out);
  });
  return out;
}

RateResult RateTable::peek(const LimitKey& key, const Rate& rate, std::uint64_t cost, TimePoint at,
                           KeyTable::Ref* where) const {
  const std::uint64_t now = reckon(at);
  const std::uint64_t interval = rate.interval(cost);
  const KeyTable::Ref known = table_.find(key);
  if (where != nullptr) *where = known;
  // A key without a bucket would begin where the overflow stands.
  const KeyTable::Ref ref = known ? known : table_.overflow();
  const std::uint64_t from = std::max(ref.value(), now);
  const std::uint64_t limit = now + rate.tolerance();
  RateResult out;
  out.overflow = ref.overflow();
  out.passed = from + interval <= limit;
  out.left_ns = limit > from ? limit - from : 0;
  if (!out.passed) {
    out.retry_after = interval > rate.tolerance()
                          ? Duration::max()
                          : Duration(static_cast<std::int64_t>(from + interval - limit));
  }
  return out;
}

void RateTable::charge_debt(const LimitKey& key, const Rate& rate, std::uint64_t cost,
                            TimePoint at) {
  const std::uint64_t now = reckon(at);
  const std::uint64_t interval = rate.interval(cost);
  const auto add = [&](KeyTable::Ref& ref) {
    while (!ref.lost()) {
      const std::uint64_t from = std::max(ref.value(), now);
      if (ref.replace(std::min(from + interval, now + kFarthest))) return true;
    }
    return false;
  };
  if (KeyTable::Ref ref = table_.find(key); ref && add(ref)) return;
  table_.with_word(key, now, add);
}

// Why not all of it: between charge and refund others may have found a bucket fuller of charges
// than it would have been, and so lost less to its brim. Let `kept` be the word without the charges
// that will be given back. Each charge sets word = max(word, now) + interval, and `kept` likewise;
// the gap between the two never falls below the sum of (interval - time since) over the charges
// still to be given back, as long as time here is not behind that of any charge. Taking back that
// much keeps word >= kept, so whoever passes by the word passes by `kept`, where nothing was ever
// refunded.
void RateTable::refund(const LimitKey& key, const RateResult& charged, TimePoint charged_at,
                       TimePoint now) {
  const std::uint64_t since = reckon(now) - std::min(reckon(charged_at), reckon(now));
  if (since >= charged.charged_ns) return;
  const std::uint64_t back = charged.charged_ns - since;
  const auto subtract = [back](KeyTable::Ref& ref) {
    while (!ref.lost()) {
      if (ref.value() <= back || ref.replace(ref.value() - back)) return true;
    }
    return false;
  };
  if (charged.overflow) {
    KeyTable::Ref shared = table_.overflow();
    subtract(shared);
    return;
  }
  if (KeyTable::Ref ref = table_.find(key); ref && subtract(ref)) return;
  table_.with_known(key, subtract);
}

}  // namespace weir::policy
