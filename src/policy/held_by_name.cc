// SPDX-License-Identifier: Apache-2.0
#include "policy/held_by_name.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "policy/traffic.h"

namespace weir::policy {

HeldByName::HeldByName()
    : places_(std::make_unique<Place[]>(kPlaces)),
      names_(static_cast<Name*>(std::calloc(kPlaces, sizeof(Name)))) {
  CHECK(names_ != nullptr);
}

HeldByName::Place& HeldByName::enter(const CountedName& name) {
  if (name.text.size() > kMaxName || name.text == TrafficTable::kOther) {
    return ++other_.users, other_;
  }
  const std::uint64_t hash = name.key.lo | 1;
  Place* idle = nullptr;
  for (std::size_t i = 0; i < kProbes; ++i) {
    Place& place = places_[((hash >> 32) + i) % kPlaces];
    if (place.hash == hash) return ++place.users, place;
    if (idle == nullptr && place.users == 0) idle = &place;
  }
  if (idle == nullptr || !rename(*idle, hash, name.text)) idle = &other_;
  return ++idle->users, *idle;
}

// A name stays where it is when its users have gone: it is likely to come back.
bool HeldByName::rename(Place& place, std::uint64_t hash, std::string_view name) {
  const std::unique_lock lock(names_lock_, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  Name& kept = names_[static_cast<std::size_t>(&place - places_.get())];
  kept.size = static_cast<std::uint32_t>(name.copy(kept.text, kMaxName));
  place.hash = hash;
  return true;
}

void HeldByName::read(Sums& sums) const {
  sums[""] += other_.bytes.value();
  const std::scoped_lock lock(names_lock_);
  for (std::size_t i = 0; i < kPlaces; ++i) {
    const std::int64_t bytes = places_[i].bytes.value();
    if (bytes != 0) sums[readable({names_[i].text, names_[i].size})] += bytes;
  }
}

HeldByName::Sums largest(HeldByName::Sums sums, std::size_t top) {
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [name, bytes] : sums) {
    if (!name.empty()) order.emplace_back(-bytes, name);
  }
  std::ranges::sort(order);
  for (std::size_t i = top; i < order.size(); ++i) {
    sums[""] -= order[i].first;
    sums.erase(order[i].second);
  }
  return sums;
}

}  // namespace weir::policy
