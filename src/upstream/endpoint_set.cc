// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_set.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "upstream/pick_tables.h"
#include "upstream/zone_split.h"

namespace weir::upstream {
namespace {

// Where the sum of the weights is larger than 32 bits, they lose their low bits alike. None becomes
// zero: that would take an endpoint out which the operator has put in.
unsigned excess_bits(const std::vector<std::uint64_t>& weights) {
  const auto sum_at = [&](unsigned shift) {
    std::uint64_t sum = 0;
    for (const std::uint64_t weight : weights) {
      sum += std::max(weight >> shift, std::uint64_t{1});
    }
    return sum;
  };
  unsigned shift = 0;
  while (sum_at(shift) > UINT32_MAX) ++shift;
  return shift;
}

bool is_eligible(const EndpointSet::Member& member) {
  return member.wanted() && member.standing == Standing::kIn;
}

std::vector<EndpointSet::Member> as_if_well(std::vector<EndpointSet::Member> members) {
  for (EndpointSet::Member& member : members) {
    member.standing = Standing::kIn;
    member.ramp = EndpointSet::kWholeRamp;
    member.max_active = UINT32_MAX;
  }
  return members;
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
    members.push_back(
        {.endpoint = endpoint, .weight = spec.weight, .zone = spec.zone, .state = spec.state});
  }
  return members;
}

std::shared_ptr<const EndpointSet> EndpointSet::build(std::vector<Member> members,
                                                      BalancePolicy policy, ErrorCode empty_reason,
                                                      std::string_view own_zone) {
  auto set = std::make_shared<EndpointSet>(Private{}, std::move(members), empty_reason);
  if (set->eligible() == 0) {
    if (std::ranges::any_of(set->members(), &Member::wanted)) {
      set->in_need_ = build(as_if_well(set->members()), policy);
    }
    return set;
  }
  if (!set->uniform()) set->alias_ = make_alias(*set);
  if (policy == BalancePolicy::kRoundRobin) set->rotation_ = make_rotation(*set);
  if (policy == BalancePolicy::kMaglev) set->maglev_ = make_maglev(*set);
  if (!own_zone.empty()) set->zones_ = split_by_zone(*set, own_zone, policy);
  return set;
}

EndpointSet::EndpointSet(Private, std::vector<Member> members, ErrorCode empty_reason)
    : members_(std::move(members)), empty_reason_(empty_reason) {
  std::ranges::stable_partition(members_, is_eligible);
  for (const Member& member : members_) configured_weight_ += member.weight;
  if (std::ranges::any_of(members_, &Member::wanted)) {
    empty_reason_ = ErrorCode::kNoHealthyEndpoint;
  }
  sum_weights();
}

void EndpointSet::sum_weights() {
  std::vector<std::uint64_t> weights;
  for (const Member& member : members_) {
    if (!is_eligible(member)) break;
    ramps_ = ramps_ || member.ramp < kWholeRamp;
    weights.push_back(member.weight);
    eligible_weight_ += member.weight;
    raw_.push_back(member.endpoint.get());
  }
  std::uint64_t fine = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::uint64_t scaled = weights[i] * members_[i].ramp;
    fine += scaled;
    // A tenth of a weight of 1 needs finer steps.
    if (ramps_) weights[i] = std::max(scaled, std::uint64_t{1});
  }
  healthy_weight_ = fine / kWholeRamp;
  const unsigned shift = excess_bits(weights);
  std::uint64_t sum = 0;
  for (const std::uint64_t weight : weights) {
    sum += std::max(weight >> shift, std::uint64_t{1});
    prefix_.push_back(static_cast<std::uint32_t>(sum));
    uniform_ = uniform_ && weight == weights.front();
  }
}

std::size_t EndpointSet::at(std::uint32_t point) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(prefix_, point) - prefix_.begin());
}

}  // namespace weir::upstream
