// SPDX-License-Identifier: Apache-2.0
// What is known of cells at run time and survives a reload under their names: the state, how many
// guests are served now, and how many requests of each home were served where and why. One a
// process, shared by all workers; records are never freed, so views of their names stay valid.
//
// Thread: record(), row() and readers of all rows take a mutex: config and control threads. A
// record and a row: any thread, where a row's counters of one worker are written by that worker.
#pragma once

#include <weir/cells_config.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/counters.h"
#include "policy/breaker.h"
#include "policy/trace_tags.h"

namespace weir::policy {

/// Why a request was served in the cell where it was: how it got its home, or why it left it.
enum class CellReason : std::uint8_t {
  kTag,
  kTrace,  ///< The tag that came into a sidecar with the same trace.
  kPins,
  kMatch,
  kHash,
  kNearest,
  kRandom,
  kSelf,            ///< It came without a tag to a weir inside a cell that has no rules.
  kDrained,         ///< Hop: the operator's word.
  kNoEndpoint,      ///< Hop: the home has nobody for the service.
  kCircuitOpen,     ///< Hop: the home's cluster has an open breaker.
  kReturning,       ///< Hop: the home was out, and gets its requests back bit by bit.
  kConnectFailure,  ///< Hop: nobody there could be reached.
  kGuest,           ///< It hopped to this weir, or belongs to a cell that this is not.
  kCount
};
std::string_view reason_word(CellReason reason);
constexpr bool is_hop(CellReason reason) {
  return reason >= CellReason::kDrained && reason <= CellReason::kConnectFailure;
}
std::string_view state_word(CellState state);

struct CellRecord {
  explicit CellRecord(std::string_view name_in) : name(name_in) {}
  const std::string name;
  std::atomic<CellState> state{CellState::kActive};
  std::atomic<std::uint32_t> guests{0};
  Breaker breaker;  ///< Of the cell as a whole; used where the config says so.

  /// Above what the config says; control thread.
  std::optional<CellState> said;

  /// The config's word, or what stands above it.
  void set(CellState configured) {
    state.store(said.value_or(configured), std::memory_order_relaxed);
  }
  /// One more guest, unless there are `limit`. Exact over all workers.
  bool take_guest(std::uint32_t limit);
  void release_guest() { guests.fetch_sub(1, std::memory_order_relaxed); }
};

/// Requests of one home that were served in one cell, by why.
struct CellRow {
  struct alignas(64) OfWorker {
    std::array<base::Counter, static_cast<std::size_t>(CellReason::kCount)> count;
  };
  CellRow(const CellRecord& home_in, const CellRecord& served_in, std::uint32_t workers)
      : home(home_in), served(served_in), of_worker(workers) {}
  const CellRecord& home;
  const CellRecord& served;
  std::vector<OfWorker> of_worker;

  std::uint64_t total(CellReason reason) const;
};

class CellLedger {
 public:
  explicit CellLedger(std::uint32_t workers) : workers_(workers) {}
  CellLedger(const CellLedger&) = delete;
  CellLedger& operator=(const CellLedger&) = delete;

  /// Made on first sight.
  CellRecord& record(std::string_view name);
  CellRow& row(std::string_view home, std::string_view served);
  /// Null: no config ever named it.
  CellRecord* find(std::string_view name);
  /// The traces that are known, in as many entries as asked for: other numbers begin anew.
  std::shared_ptr<TraceTags> traces(std::uint32_t entries, Duration ttl);
  /// All rows that count something.
  std::vector<const CellRow*> rows() const;

 private:
  CellRecord& record_locked(std::string_view name);

  const std::uint32_t workers_;
  mutable std::mutex mutex_;
  std::shared_ptr<TraceTags> traces_;
  std::map<std::string, std::unique_ptr<CellRecord>, std::less<>> records_;
  std::map<std::pair<const CellRecord*, const CellRecord*>, std::unique_ptr<CellRow>> rows_;
};

}  // namespace weir::policy
