// SPDX-License-Identifier: Apache-2.0
// How many requests each rule of each release has sent where: counts that survive reloads under
// their names. One a process, shared by all workers; rows are never freed, so views of their names
// stay valid.
//
// Thread: row() takes a mutex: config and control threads. A row: any thread, where the counter of
// one worker is written by that worker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/counters.h"

namespace weir::policy {

struct ReleaseRow {
  struct alignas(64) OfWorker {
    base::Counter requests;
  };
  std::string release;
  std::string to;
  std::string rule;  ///< Its label; "default": no rule took them.
  std::vector<OfWorker> of_worker;

  uint64_t total() const;
};

class ReleaseLedger {
 public:
  explicit ReleaseLedger(uint32_t workers) : workers_(workers) {}
  ReleaseLedger(const ReleaseLedger&) = delete;
  ReleaseLedger& operator=(const ReleaseLedger&) = delete;

  /// Made on first sight.
  ReleaseRow& row(std::string_view release, std::string_view to, std::string_view rule);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;

  const uint32_t workers_;
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<ReleaseRow>> rows_;
};

}  // namespace weir::policy
