// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_set.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "upstream/pick_tables.h"

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
  if (!set->uniform()) set->alias_ = make_alias(*set);
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
