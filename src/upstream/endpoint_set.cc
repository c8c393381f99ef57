// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_set.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace weir::upstream {
namespace {

// Where the sum of the weights is larger than 32 bits, they lose their low bits alike. None becomes
// zero: that would take an endpoint out which the operator has put in.
unsigned excess_bits(const std::vector<EndpointSet::Member>& members, std::size_t count) {
  const auto sum_at = [&](unsigned shift) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += std::max(members[i].weight >> shift, 1U);
    return sum;
  };
  unsigned shift = 0;
  while (sum_at(shift) > UINT32_MAX) ++shift;
  return shift;
}

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

}  // namespace

std::vector<EndpointSet::Member> EndpointSet::members_from(const std::vector<EndpointSpec>& specs,
                                                           const EndpointSet* previous) {
  const auto key = [](const std::string& text, const std::string& host) {
    return text + '\n' + host;
  };
  std::unordered_map<std::string, std::shared_ptr<Endpoint>> known;
  if (previous != nullptr) {
    for (const Member& member : previous->members_) {
      known.emplace(key(member.endpoint->text, member.endpoint->host), member.endpoint);
    }
  }
  std::vector<Member> members;
  members.reserve(specs.size());
  for (const EndpointSpec& spec : specs) {
    auto& endpoint = known[key(spec.address.text, spec.host)];
    if (endpoint == nullptr) {
      endpoint = std::make_shared<Endpoint>(net::SocketAddress(spec.address), spec.address.text,
                                            spec.host);
    }
    members.push_back({endpoint, spec.weight, spec.zone});
  }
  return members;
}

std::shared_ptr<const EndpointSet> EndpointSet::build(std::vector<Member> members,
                                                      BalancePolicy policy,
                                                      ErrorCode empty_reason) {
  auto set = std::make_shared<EndpointSet>(Private{}, std::move(members), empty_reason);
  if (set->eligible() == 0) return set;
  if (policy == BalancePolicy::kRoundRobin) set->rotation_ = make_rotation(*set);
  if (policy == BalancePolicy::kMaglev) set->maglev_ = make_maglev(*set);
  return set;
}

EndpointSet::EndpointSet(Private, std::vector<Member> members, ErrorCode empty_reason)
    : members_(std::move(members)), empty_reason_(empty_reason) {
  std::ranges::stable_partition(members_, [](const Member& m) { return m.weight > 0; });
  sum_weights();
}

void EndpointSet::sum_weights() {
  const auto is_out = [](const Member& m) { return m.weight == 0; };
  const auto count =
      static_cast<std::size_t>(std::ranges::find_if(members_, is_out) - members_.begin());
  const unsigned shift = excess_bits(members_, count);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += std::max(members_[i].weight >> shift, 1U);
    prefix_.push_back(sum);
    raw_.push_back(members_[i].endpoint.get());
    uniform_ = uniform_ && weight(i) == weight(0);
  }
}

std::size_t EndpointSet::at(std::uint32_t point) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(prefix_, point) - prefix_.begin());
}

}  // namespace weir::upstream
