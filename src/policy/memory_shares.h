// SPDX-License-Identifier: Apache-2.0
// What each tenant's exchanges are charged, over all workers: a table of a fixed size in which a
// tenant has a place only while exchanges of his are under way, so that it needs no eviction. When
// no place is free, newcomers share one, `overflow`; they are refused too early rather than too
// late.
//
// Lock-free: a place is a word with a tenant's hash (keyed: nobody can aim at a neighbour) and the
// number of its users. Any thread.
#pragma once

#include <weir/clock.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>

#include "base/account.h"
#include "policy/limit_key.h"

namespace weir::policy {

class MemoryShares {
 public:
  struct Place {
    /// Upper 40 bits: the hash; lower 24: the users.
    std::atomic<uint64_t> word{0};
    base::MemoryShare bytes{0};
  };

  MemoryShares();
  MemoryShares(const MemoryShares&) = delete;
  MemoryShares& operator=(const MemoryShares&) = delete;

  /// Brings near what enter() of this key will read.
  void prefetch(const LimitKey& tenant) const {
    __builtin_prefetch(&places_[tenant.lo % kPlaces], 1);
  }
  /// One more user of the place of the tenant of that key.
  Place& enter(const LimitKey& tenant);
  /// Requires: what the user has charged has been taken back.
  void leave(Place& place);
  /// Looks how many tenants there are now, for even_share(). Costs a walk over all places.
  void measure(int64_t budget);
  /// Who holds less than this cannot be why memory is short: half of what each would have if the
  /// budget were dealt out evenly. As of the last measure(); 0: never measured.
  int64_t even_share() const { return even_share_.load(std::memory_order_relaxed); }
  /// Somebody who holds less than that has come while there is no room for him.
  void ask_for_room(TimePoint now) {
    asked_at_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  /// Of late: whoever has more than an even share makes room, on all workers.
  bool room_asked(TimePoint now) const {
    return now.time_since_epoch().count() - asked_at_.load(std::memory_order_relaxed) <
           kAsks.count();
  }
  /// Entries that found no place of their own.
  uint64_t overflows() const { return overflows_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kPlaces = 16 * 1024;  ///< 256 KiB, of which pages in use are resident.
  static constexpr size_t kProbes = 8;
  static constexpr Duration kAsks = std::chrono::milliseconds(100);
  static constexpr uint64_t kUser = 1;
  static constexpr uint64_t kUsers = (uint64_t{1} << 24) - 1;

  static bool join(Place& place, uint64_t tag, bool take_free);

  struct Free {
    void operator()(Place* places) const { std::free(places); }
  };
  std::unique_ptr<Place[], Free> places_;
  Place overflow_;
  std::atomic<int64_t> even_share_{0};
  std::atomic<Duration::rep> asked_at_{std::numeric_limits<Duration::rep>::min() / 2};
  std::atomic<uint64_t> overflows_{0};
};

}  // namespace weir::policy
