// SPDX-License-Identifier: Apache-2.0
// Who pays for a byte. Accounts form a chain (exchange -> listener -> worker) and every block held
// is charged to one of them and so to all above it, and to the worker's meter of the process-wide
// budget. An exchange's account may also join a share: the sum of a tenant, for all workers; and
// it may be counted in a sum that decides nothing (that of a function).
//
// What will be held can be reserved before it is: an account costs those above it
// max(reserved, held).
//
// Lifetime: an account outlives every block charged to it, and leaves its share first. Thread: the
// owner worker writes, all read what is held.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/counters.h"
#include "base/memory_budget.h"

namespace weir::base {

/// What the exchanges of one tenant are charged together, on all workers.
using MemoryShare = std::atomic<int64_t>;

class Account {
 public:
  explicit Account(Account* parent = nullptr)
      : parent_(parent), meter_(parent == nullptr ? nullptr : parent->meter_) {}
  /// The top of a worker's accounts.
  explicit Account(MemoryMeter& meter) : parent_(nullptr), meter_(&meter) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  void charge(size_t bytes) { change(static_cast<int64_t>(bytes)); }
  void refund(size_t bytes) { change(-static_cast<int64_t>(bytes)); }
  /// Bytes held now by this account and charged by all below it, on this worker.
  int64_t held() const { return held_.value(); }
  /// What this account costs those above it.
  int64_t charged() const { return std::max(reserved_, held()); }

  /// From now on charged() is at least `bytes`; 0: what is held alone counts.
  void reserve(int64_t bytes);
  int64_t reserved() const { return reserved_; }

  /// What is charged counts in `share` too, which may have `limit` bytes. Requires: none joined.
  void join(MemoryShare& share, int64_t limit);
  void leave();
  /// What is charged is added to `sum` as well; null: no more. Requires: `sum` is this worker's.
  void count_in(Gauge* sum);
  /// What all who joined the share are charged; 0: none is joined.
  int64_t share_held() const {
    return share_ == nullptr ? 0 : share_->load(std::memory_order_relaxed);
  }
  /// Whether the share, should there be one, has room for `bytes` more than it has now.
  bool share_fits(int64_t bytes) const {
    return share_ == nullptr || share_->load(std::memory_order_relaxed) + bytes <= share_limit_;
  }
  /// By how much `bytes` more of holding would raise what is charged.
  int64_t growth(size_t bytes) const {
    return std::max<int64_t>(0, held() + static_cast<int64_t>(bytes) - charged());
  }
  /// Whether bytes that come unasked may be held: within the budget and, once memory is short,
  /// within the share.
  bool may_hold(size_t bytes) const;
  /// Whether what only makes things faster may take `bytes`: while memory is plenty, and leaving
  /// half of the budget to others.
  bool may_carry(size_t bytes) const;

 private:
  void change(int64_t bytes) {
    if (reserved_ != 0) [[unlikely]] {
      const int64_t before = charged();
      held_.add(bytes);
      bytes = charged() - before;
      if (bytes == 0) return;
    } else {
      held_.add(bytes);
    }
    pass_on(bytes);
  }
  void pass_on(int64_t bytes) {
    if (share_ != nullptr) share_->fetch_add(bytes, std::memory_order_relaxed);
    if (sum_ != nullptr) sum_->add(bytes);
    for (Account* a = parent_; a != nullptr; a = a->parent_) a->held_.add(bytes);
    if (meter_ != nullptr) meter_->add(bytes);
  }

  Account* const parent_;
  MemoryMeter* const meter_;
  Gauge held_;
  int64_t reserved_ = 0;
  MemoryShare* share_ = nullptr;
  int64_t share_limit_ = 0;
  Gauge* sum_ = nullptr;
};

inline void Account::reserve(int64_t bytes) {
  const int64_t before = charged();
  reserved_ = bytes;
  if (charged() != before) pass_on(charged() - before);
}

inline void Account::join(MemoryShare& share, int64_t limit) {
  share_ = &share;
  share_limit_ = limit;
  share.fetch_add(charged(), std::memory_order_relaxed);
}

inline void Account::leave() {
  if (share_ == nullptr) return;
  share_->fetch_sub(charged(), std::memory_order_relaxed);
  share_ = nullptr;
}

inline void Account::count_in(Gauge* sum) {
  if (sum_ != nullptr) sum_->sub(charged());
  sum_ = sum;
  if (sum_ != nullptr) sum_->add(charged());
}

inline bool Account::may_hold(size_t bytes) const {
  const int64_t more = growth(bytes);
  if (more == 0 || meter_ == nullptr) return true;
  if (!meter_->fits(more)) return false;
  return meter_->stage() == MemoryStage::kCalm || share_fits(more);
}

inline bool Account::may_carry(size_t bytes) const {
  if (meter_ == nullptr || meter_->budget() == nullptr) return true;
  const auto more = static_cast<int64_t>(bytes);
  return meter_->stage() == MemoryStage::kCalm && share_fits(more) &&
         meter_->fits(more + meter_->budget()->limit() / 2);
}

}  // namespace weir::base
