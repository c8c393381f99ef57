// SPDX-License-Identifier: Apache-2.0
// Requests by outcome and their latency for the names (tenants, functions) with the most traffic,
// and all others as one. Bounded whatever names clients send: a worker's table has sets of eight
// rows in which the rarely seen make way (after HeavyKeeper: each stranger wears down the weakest
// of his set, and takes its row when nothing is left of it); the reader names the busiest of what
// the workers have. What is read are differences, so that no series ever goes down while it has a
// name: a name that is lost and comes back begins at zero, and `other` only grows.
//
// Thread: TrafficTable::count() its worker's; Traffic::read() one thread at a time, any. Lives
// through reloads, outside of snapshots.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/counters.h"
#include "policy/limit_key.h"

namespace weir::policy {

/// How a request ended, for whoever asks whether it went well.
enum class TrafficOutcome : std::uint8_t { kOk, kClientError, kServerError, kRefused, kCount };

/// What is counted of one name.
struct TrafficCounts {
  static constexpr std::size_t kOutcomes = static_cast<std::size_t>(TrafficOutcome::kCount);
  /// Below 256 us, then a factor of four each; the last is longer than all bounds (16.8 s).
  static constexpr std::size_t kBuckets = 10;

  std::array<std::uint64_t, kOutcomes> requests{};
  std::array<std::uint64_t, kBuckets> latency{};  ///< Not cumulative, without the refused.
  std::uint64_t latency_us = 0;

  TrafficCounts& operator+=(const TrafficCounts& more);
  TrafficCounts& operator-=(const TrafficCounts& less);
  std::uint64_t total() const;
};

/// `name` with a question mark for each byte that is no UTF-8: one bad name would make the whole
/// page unreadable to those who scrape it.
std::string readable(std::string_view name);

/// One worker's.
class TrafficTable {
 public:
  static constexpr std::string_view kOther = "other";
  static constexpr std::size_t kMaxName = 256;

  /// `names`: how many busy ones shall find a place.
  explicit TrafficTable(std::size_t names);

  /// Names longer than kMaxName count as others do. No allocation, and never waits.
  void count(const CountedName& name, TrafficOutcome outcome, std::uint64_t latency_us);

  struct Line {
    std::string name;
    TrafficCounts counts;
  };
  /// Appends what came since the last call, by name; kOther last. Any thread, one at a time.
  void take(std::vector<Line>& out);

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::uint32_t kMaxStrength = 4096;

  struct Tally {
    void add(TrafficOutcome outcome, std::uint64_t us);
    TrafficCounts read() const;
    std::array<base::Counter, TrafficCounts::kOutcomes> requests;
    std::array<base::Counter, TrafficCounts::kBuckets> latency;
    base::Counter latency_us;
  };
  // What decides about rows stands together: a look takes one cache line and a half.
  struct Set {
    std::array<std::uint64_t, kWays> hashes{};  ///< 0: free.
    std::array<std::uint32_t, kWays> strengths{};
  };
  // Counters only grow. `taken` is what readers have had of them, or what earlier names had.
  struct Row {
    Tally tally;
    TrafficCounts taken;
    std::uint32_t size = 0;
    std::array<char, kMaxName> name;
    std::string_view view() const { return {name.data(), size}; }
  };

  Tally& find(const CountedName& name);
  Tally& replace(Set& set, std::uint64_t hash, std::string_view name);

  std::vector<Set> sets_;
  std::unique_ptr<Row[]> rows_;  ///< kWays a set.
  Row other_;
  std::mutex names_;  ///< Names and `taken`. The worker only ever tries it.
};

/// The tables of all workers, and what has been read of them.
class Traffic {
 public:
  Traffic(std::uint32_t workers, std::size_t top);

  TrafficTable& table(std::uint32_t worker) { return *tables_[worker]; }
  std::size_t top() const { return top_; }
  /// The `top` busiest by name and the others as kOther, which comes last: sums since the name was
  /// first among them. Names are valid UTF-8.
  std::vector<TrafficTable::Line> read();

 private:
  struct Named {
    TrafficCounts counts;
    double pace = 0;  ///< Requests between reads, smoothed.
  };
  using Fresh = std::unordered_map<std::string, TrafficCounts>;

  Fresh gather();
  void add_known(Fresh& fresh);
  void name_newcomers(const Fresh& fresh);

  const std::size_t top_;
  std::vector<std::unique_ptr<TrafficTable>> tables_;
  std::map<std::string, Named> named_;
  TrafficCounts other_;
};

}  // namespace weir::policy
