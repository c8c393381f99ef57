// SPDX-License-Identifier: Apache-2.0
#include "policy/release_ledger.h"

namespace weir::policy {

uint64_t ReleaseRow::total() const {
  uint64_t sum = 0;
  for (const OfWorker& worker : of_worker) sum += worker.requests.value();
  return sum;
}

ReleaseRow& ReleaseLedger::row(std::string_view release, std::string_view to,
                               std::string_view rule) {
  const std::lock_guard lock(mutex_);
  auto& row = rows_[Key{release, to, rule}];
  if (row == nullptr) {
    row = std::make_unique<ReleaseRow>();
    row->release = release;
    row->to = to;
    row->rule = rule;
    row->of_worker = std::vector<ReleaseRow::OfWorker>(workers_);
  }
  return *row;
}

}  // namespace weir::policy
