// SPDX-License-Identifier: Apache-2.0
// Who pays for a byte. Accounts form a chain (listener -> process, later tenant and function
// between) and every block held is charged to one of them and so to all above it. Each worker has
// accounts of its own, so a charge is an add to a few plain words; a scrape sums over the workers.
// Lifetime: an account outlives every block charged to it. Thread: the owner worker writes, all
// read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/counters.h"

namespace weir::base {

class Account {
 public:
  explicit Account(Account* parent = nullptr) : parent_(parent) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  void charge(size_t bytes) {
    for (Account* a = this; a != nullptr; a = a->parent_) {
      a->held_.add(static_cast<int64_t>(bytes));
    }
  }
  void refund(size_t bytes) {
    for (Account* a = this; a != nullptr; a = a->parent_) {
      a->held_.sub(static_cast<int64_t>(bytes));
    }
  }
  /// Bytes held now by this account and all below it, on this worker.
  int64_t held() const { return held_.value(); }

 private:
  Account* const parent_;
  Gauge held_;
};

}  // namespace weir::base
