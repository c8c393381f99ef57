// SPDX-License-Identifier: Apache-2.0
// Concurrency of many keys: how many places each has given out, how many requests wait for one, and
// how many bytes those hold. All three are one word, so a cap is exact over all workers, and "no
// place, so I wait" and "nobody waits, so I go" can never both happen at once.
//
// Not the queues themselves: those are FairQueue, held by a PlaceDesk. Thread: all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/key_table.h"

namespace weir::policy {

struct PlaceBounds {
  std::uint32_t max = 0;  ///< Places.
  /// Of requests that wait or are on their way to the queue; 0: nobody waits.
  std::uint32_t max_waiting = 0;
  std::uint64_t max_waiting_bytes = 0;
};

enum class Take : std::uint8_t {
  kTaken,
  kQueued,     ///< Counted among those that wait: the caller must now send it to the queue.
  kFull,       ///< No place, and nobody may wait.
  kQueueFull,  ///< No place, and no room to wait.
};

class PlaceTable {
 public:
  static constexpr std::uint32_t kMostPlaces = (1U << 20) - 1;
  static constexpr std::uint32_t kMostWaiting = (1U << 18) - 1;
  static constexpr std::uint64_t kMostBytes = ((std::uint64_t{1} << 19) - 1) * 4096;

  struct Taken {
    Take result = Take::kFull;
    bool overflow = false;  ///< In the place of keys for which the table has no room; no queue.
  };
  struct Load {
    std::uint32_t places = 0;
    std::uint32_t waiting = 0;
    std::uint64_t bytes = 0;  ///< Held by those that wait, in steps of 4 KiB.
  };

  explicit PlaceTable(std::uint32_t max_keys);

  /// A place, if there is one and nobody waits for it. `bytes`: what the request holds if it waits.
  Taken take(const LimitKey& key, const PlaceBounds& bounds, std::uint64_t bytes);
  /// Ends what take() began. True: somebody waits, and the place is still counted: the caller must
  /// hand it to the queue. `max` may have been lowered since.
  [[nodiscard]] bool release(const LimitKey& key, bool overflow, std::uint32_t max);

  // For the queue's owner.
  /// A place for one that waits, if there is one.
  bool claim(const LimitKey& key, std::uint32_t max);
  /// A place that was handed over, and that nobody waits for any more.
  void give_back(const LimitKey& key);
  /// One that waited has left the queue.
  void forget_waiting(const LimitKey& key, std::uint64_t bytes);

  Load load(const LimitKey& key) const;
  void prefetch(const LimitKey& key) const { table_.prefetch(key); }
  const KeyTable& table() const { return table_; }

 private:
  template <typename Next>
  void change(const LimitKey& key, Next next);

  KeyTable table_;
};

}  // namespace weir::policy
