// SPDX-License-Identifier: Apache-2.0
#include "policy/place_table.h"

#include <algorithm>

#include "base/check.h"

namespace weir::policy {
namespace {

// The value of a word, from its low end: places 20, waiting 18, bytes 19, and one bit that tells a
// count of nothing from an empty slot.
constexpr unsigned kWaitingAt = 20;
constexpr unsigned kBytesAt = 38;
constexpr std::uint64_t kPresent = std::uint64_t{1} << 57;
constexpr std::uint64_t kOnePlace = 1;
constexpr std::uint64_t kOneWaiting = std::uint64_t{1} << kWaitingAt;

constexpr std::uint32_t places_of(std::uint64_t value) {
  return static_cast<std::uint32_t>(value & PlaceTable::kMostPlaces);
}
constexpr std::uint32_t waiting_of(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> kWaitingAt & PlaceTable::kMostWaiting);
}
constexpr std::uint64_t units_of(std::uint64_t value) {
  return value >> kBytesAt & PlaceTable::kMostBytes / 4096;
}
constexpr std::uint64_t units(std::uint64_t bytes) { return (bytes + 4095) / 4096; }
constexpr std::uint64_t one_waiting(std::uint64_t bytes) {
  return kOneWaiting + (units(bytes) << kBytesAt);
}

bool idle(std::uint64_t value, std::uint64_t) { return value == kPresent; }

// While places are held by way of the overflow, a late key may hold some of them: with a word of
// its own it could hold twice its cap.
std::uint64_t fresh(std::uint64_t overflow, std::uint64_t) {
  return places_of(overflow) == 0 ? kPresent : 0;
}

Take decide(std::uint64_t value, bool overflow, const PlaceBounds& bounds, std::uint64_t bytes) {
  const std::uint32_t waiting = waiting_of(value);
  // Who comes while others wait goes behind them.
  if (places_of(value) < bounds.max && waiting == 0) return Take::kTaken;
  if (bounds.max_waiting == 0 || overflow) return Take::kFull;
  const bool room = waiting < std::min(bounds.max_waiting, PlaceTable::kMostWaiting) &&
                    units_of(value) + units(bytes) <=
                        std::min(bounds.max_waiting_bytes, PlaceTable::kMostBytes) / 4096;
  return room ? Take::kQueued : Take::kQueueFull;
}

std::uint64_t after(Take take, std::uint64_t value, std::uint64_t bytes) {
  return (value | kPresent) + (take == Take::kTaken ? kOnePlace : one_waiting(bytes));
}

}  // namespace

PlaceTable::PlaceTable(std::uint32_t max_keys) : table_(max_keys, {&idle, &fresh}) {}

PlaceTable::Taken PlaceTable::take(const LimitKey& key, const PlaceBounds& bounds,
                                   std::uint64_t bytes) {
  Taken out;
  const auto attempt = [&](KeyTable::Ref& ref) {
    while (!ref.lost()) {
      out = {decide(ref.value(), ref.overflow(), bounds, bytes), ref.overflow()};
      const bool refused = out.result == Take::kFull || out.result == Take::kQueueFull;
      if (refused) return ref.current();
      if (ref.replace(after(out.result, ref.value(), bytes))) return true;
    }
    return false;
  };
  if (KeyTable::Ref ref = table_.find(key); ref && attempt(ref)) return out;
  table_.with_word(key, 0, attempt);
  return out;
}

// Of a key that holds something: it cannot have been forgotten.
template <typename Next>
void PlaceTable::change(const LimitKey& key, Next next) {
  const auto apply = [&](KeyTable::Ref& ref) {
    while (!ref.lost()) {
      if (ref.replace(next(ref.value()))) return true;
    }
    return false;
  };
  if (KeyTable::Ref ref = table_.find(key); ref && apply(ref)) return;
  CHECK(table_.with_known(key, apply));
}

bool PlaceTable::release(const LimitKey& key, bool overflow, std::uint32_t max) {
  if (overflow) {
    KeyTable::Ref shared = table_.overflow();
    while (!shared.replace(shared.value() - kOnePlace)) {
    }
    return false;
  }
  bool hand_over = false;
  change(key, [&](std::uint64_t value) {
    DCHECK(places_of(value) > 0);
    hand_over = waiting_of(value) > 0 && places_of(value) <= max;
    return hand_over ? value : value - kOnePlace;
  });
  return hand_over;
}

bool PlaceTable::claim(const LimitKey& key, std::uint32_t max) {
  bool claimed = false;
  change(key, [&](std::uint64_t value) {
    claimed = places_of(value) < max;
    return claimed ? value + kOnePlace : value;
  });
  return claimed;
}

void PlaceTable::give_back(const LimitKey& key) {
  change(key, [](std::uint64_t value) { return value - kOnePlace; });
}

void PlaceTable::forget_waiting(const LimitKey& key, std::uint64_t bytes) {
  change(key, [bytes](std::uint64_t value) { return value - one_waiting(bytes); });
}

PlaceTable::Load PlaceTable::load(const LimitKey& key) const {
  const KeyTable::Ref ref = table_.find(key);
  if (!ref) return {};
  return {places_of(ref.value()), waiting_of(ref.value()), units_of(ref.value()) * 4096};
}

}  // namespace weir::policy
