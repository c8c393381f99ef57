// SPDX-License-Identifier: Apache-2.0
// What the exchanges of each name (a function) are charged now, on one worker. A name has a place
// only while exchanges of its are under way, so that nothing has to be evicted; who finds none is
// held under `other`. It counts and decides nothing: shares are MemoryShares'.
//
// Thread: enter(), leave() and what is charged are the worker's; read() any. Lives as long as the
// worker, and so longer than every place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/counters.h"
#include "policy/limit_key.h"

namespace weir::policy {

class HeldByName {
 public:
  static constexpr std::size_t kMaxName = 256;
  /// Bytes by name; the empty name is for all others.
  using Sums = std::map<std::string, std::int64_t, std::less<>>;

  struct Place {
    std::uint64_t hash = 0;  ///< 0: it never had a name.
    std::uint32_t users = 0;
    base::Gauge bytes;
  };

  HeldByName();
  HeldByName(const HeldByName&) = delete;
  HeldByName& operator=(const HeldByName&) = delete;

  /// One more user of the place of `name`, which is not empty. No allocation, and never waits.
  Place& enter(const CountedName& name);
  /// Requires: what the user has charged has been taken back.
  void leave(Place& place) { --place.users; }

  /// Adds what is held now to `sums`. Names are valid UTF-8.
  void read(Sums& sums) const;

 private:
  static constexpr std::size_t kPlaces = 1024;
  static constexpr std::size_t kProbes = 8;

  struct Name {
    std::uint32_t size;
    char text[kMaxName];
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  bool rename(Place& place, std::uint64_t hash, std::string_view name);

  std::unique_ptr<Place[]> places_;
  std::unique_ptr<Name[], Free> names_;  ///< Beside places_; pages in use alone are resident.
  Place other_;
  mutable std::mutex names_lock_;  ///< The worker only ever tries it.
};

/// The `top` largest of `sums` by name, and the rest under the empty name.
HeldByName::Sums largest(HeldByName::Sums sums, std::size_t top);

}  // namespace weir::policy
