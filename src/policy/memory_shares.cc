// SPDX-License-Identifier: Apache-2.0
#include "policy/memory_shares.h"

#include <algorithm>

#include "base/check.h"

namespace weir::policy {

MemoryShares::MemoryShares() : places_(static_cast<Place*>(std::calloc(kPlaces, sizeof(Place)))) {
  // Zeroes are what a Place begins as; from calloc() they take no memory until they are used.
  CHECK(places_ != nullptr);
}

// False: the place is another's, or free where only his own will do.
bool MemoryShares::join(Place& place, uint64_t tag, bool take_free) {
  uint64_t word = place.word.load(std::memory_order_relaxed);
  for (;;) {
    const bool free = (word & kUsers) == 0;
    const bool his = !free && (word & ~kUsers) == tag && (word & kUsers) < kUsers;
    if (!his && !(free && take_free)) return false;
    const uint64_t next = free ? tag + kUser : word + kUser;
    if (place.word.compare_exchange_weak(word, next, std::memory_order_acquire)) return true;
  }
}

MemoryShares::Place& MemoryShares::enter(const LimitKey& tenant) {
  const uint64_t tag = tenant.hi & ~kUsers;
  // His own place first: a free one before it may have come free after he took his. (If that
  // happens between the two looks, he has two places until one is empty.)
  size_t first_free = kProbes;
  for (size_t i = 0; i < kProbes; ++i) {
    Place& place = places_[(tenant.lo + i) % kPlaces];
    const uint64_t word = place.word.load(std::memory_order_relaxed);
    if ((word & kUsers) == 0) {
      first_free = std::min(first_free, i);
    } else if ((word & ~kUsers) == tag && join(place, tag, false)) {
      return place;
    }
  }
  for (size_t i = first_free; i < kProbes; ++i) {
    Place& place = places_[(tenant.lo + i) % kPlaces];
    if (join(place, tag, true)) return place;
  }
  overflows_.fetch_add(1, std::memory_order_relaxed);
  return overflow_;
}

void MemoryShares::measure(int64_t budget) {
  int64_t tenants = 1;  // whoever comes next
  for (size_t i = 0; i < kPlaces; ++i) {
    if ((places_[i].word.load(std::memory_order_relaxed) & kUsers) != 0) ++tenants;
  }
  even_share_.store(budget / (2 * tenants), std::memory_order_relaxed);
}

void MemoryShares::leave(Place& place) {
  if (&place != &overflow_) place.word.fetch_sub(kUser, std::memory_order_release);
}

}  // namespace weir::policy
