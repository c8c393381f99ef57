// SPDX-License-Identifier: Apache-2.0
#include "upstream/pick_tables.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/hash.h"

namespace weir::upstream {
namespace {

std::vector<std::uint32_t> rotation_shares(const EndpointSet& set) {
  std::vector<std::uint32_t> shares(set.eligible());
  std::uint32_t divisor = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i] = set.weight(i);
    divisor = std::gcd(divisor, shares[i]);
  }
  const std::uint64_t length = set.total_weight() / divisor;
  for (std::uint32_t& share : shares) {
    share /= divisor;
    if (length > EndpointSet::kMaxRotation) {
      share = static_cast<std::uint32_t>(
          std::max<std::uint64_t>(1, (share * std::uint64_t{EndpointSet::kMaxRotation}) / length));
    }
  }
  return shares;
}

/// One endpoint's order of preference among the slots, and how much of it is used up.
struct Preference {
  std::uint32_t offset;
  std::uint32_t skip;
  std::uint32_t next = 0;

  explicit Preference(std::string_view name)
      : offset(static_cast<std::uint32_t>(base::hash64(name) % EndpointSet::kMaglevSize)),
        skip(static_cast<std::uint32_t>(base::hash64(name, 1) % (EndpointSet::kMaglevSize - 1)) +
             1) {}
  std::uint32_t take() {
    const std::uint64_t step = std::uint64_t{skip} * next++;
    return static_cast<std::uint32_t>((offset + step) % EndpointSet::kMaglevSize);
  }
};

}  // namespace

// Vose 1991: each column is filled up to the average, by its own endpoint first and then by one
// that has more than its share.
std::vector<AliasColumn> make_alias(const EndpointSet& set) {
  const std::size_t count = set.eligible();
  const std::uint64_t total = set.total_weight();
  std::vector<std::uint64_t> share(count);  // In units of which `total` fill a column.
  std::vector<std::uint32_t> small;
  std::vector<std::uint32_t> large;
  for (std::uint32_t i = 0; i < count; ++i) {
    share[i] = std::uint64_t{set.weight(i)} * count;
    (share[i] < total ? small : large).push_back(i);
  }
  std::vector<AliasColumn> columns(count);
  for (std::uint32_t i = 0; i < count; ++i) columns[i] = {UINT32_MAX, i};
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back();
    const std::uint32_t rich = large.back();
    small.pop_back();
    columns[poor] = {static_cast<std::uint32_t>((share[poor] << 32U) / total), rich};
    share[rich] -= total - share[poor];
    if (share[rich] >= total) continue;
    large.pop_back();
    small.push_back(rich);
  }
  return columns;
}

// Each endpoint's turns are spread evenly over the rotation: the k-th of n stands at (k + 1/2) / n.
std::vector<std::uint32_t> make_rotation(const EndpointSet& set) {
  struct Turn {
    double at;
    std::uint32_t index;
  };
  const std::vector<std::uint32_t> shares = rotation_shares(set);
  std::vector<Turn> turns;
  turns.reserve(std::accumulate(shares.begin(), shares.end(), std::size_t{0}));
  for (std::size_t i = 0; i < shares.size(); ++i) {
    for (std::uint32_t k = 0; k < shares[i]; ++k) {
      turns.push_back({(k + 0.5) / shares[i], static_cast<std::uint32_t>(i)});
    }
  }
  std::ranges::stable_sort(turns, {}, &Turn::at);
  std::vector<std::uint32_t> rotation(turns.size());
  std::ranges::transform(turns, rotation.begin(), &Turn::index);
  return rotation;
}

// Maglev, section 3.4: in turn, each endpoint takes its most preferred slot that is still free. A
// turn is skipped in proportion to how much lighter than the heaviest an endpoint is.
std::vector<std::uint16_t> make_maglev(const EndpointSet& set) {
  constexpr std::uint16_t kFree = UINT16_MAX;
  std::vector<std::uint16_t> table(EndpointSet::kMaglevSize, kFree);
  // A table of 65,537 slots has no room for more endpoints than this anyway.
  const std::size_t count = std::min<std::size_t>(set.eligible(), kFree);
  std::vector<Preference> preferences;
  std::vector<std::uint64_t> credit(count, 0);
  std::uint64_t heaviest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    preferences.emplace_back(set.endpoint(i).text);
    heaviest = std::max<std::uint64_t>(heaviest, set.weight(i));
  }
  std::uint32_t filled = 0;
  while (filled < EndpointSet::kMaglevSize) {
    for (std::size_t i = 0; i < count && filled < EndpointSet::kMaglevSize; ++i) {
      credit[i] += set.weight(i);
      if (credit[i] < heaviest) continue;
      credit[i] -= heaviest;
      std::uint32_t slot = preferences[i].take();
      while (table[slot] != kFree) slot = preferences[i].take();
      table[slot] = static_cast<std::uint16_t>(i);
      ++filled;
    }
  }
  return table;
}

}  // namespace weir::upstream
