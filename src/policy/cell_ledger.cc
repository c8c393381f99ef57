// SPDX-License-Identifier: Apache-2.0
#include "policy/cell_ledger.h"

namespace weir::policy {

std::string_view reason_word(CellReason reason) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(CellReason::kCount)>
      kWords{"tag",
             "trace",
             "pins",
             "match",
             "hash",
             "nearest",
             "random",
             "self",
             "drained",
             "no_endpoint",
             "circuit_open",
             "returning",
             "connect_failure",
             "guest"};
  return kWords[static_cast<std::size_t>(reason)];
}

std::string_view state_word(CellState state) {
  static constexpr std::array<std::string_view, 5> kWords{"active", "draining", "drained", "fenced",
                                                          "isolated"};
  return kWords[static_cast<std::size_t>(state)];
}

bool CellRecord::take_guest(std::uint32_t limit) {
  std::uint32_t now = guests.load(std::memory_order_relaxed);
  while (now < limit) {
    if (guests.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

std::uint64_t CellRow::total(CellReason reason) const {
  std::uint64_t sum = 0;
  for (const OfWorker& worker : of_worker) {
    sum += worker.count[static_cast<std::size_t>(reason)].value();
  }
  return sum;
}

CellRecord& CellLedger::record_locked(std::string_view name) {
  const auto found = records_.find(name);
  if (found != records_.end()) return *found->second;
  return *records_.emplace(std::string(name), std::make_unique<CellRecord>(name)).first->second;
}

CellRecord& CellLedger::record(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return record_locked(name);
}

CellRow& CellLedger::row(std::string_view home, std::string_view served) {
  const std::lock_guard lock(mutex_);
  CellRecord& from = record_locked(home);
  CellRecord& to = record_locked(served);
  auto& row = rows_[{&from, &to}];
  if (row == nullptr) row = std::make_unique<CellRow>(from, to, workers_);
  return *row;
}

CellRecord* CellLedger::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(name);
  return found == records_.end() ? nullptr : found->second.get();
}

std::shared_ptr<TraceTags> CellLedger::traces(std::uint32_t entries, Duration ttl) {
  const std::lock_guard lock(mutex_);
  const bool fits = traces_ != nullptr && traces_->entries() == entries && traces_->ttl() == ttl;
  if (!fits) traces_ = std::make_shared<TraceTags>(entries, ttl);
  return traces_;
}

std::vector<const CellRow*> CellLedger::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<const CellRow*> out;
  for (const auto& [key, row] : rows_) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(CellReason::kCount); ++i) {
      if (row->total(static_cast<CellReason>(i)) == 0) continue;
      out.push_back(row.get());
      break;
    }
  }
  return out;
}

}  // namespace weir::policy
