// SPDX-License-Identifier: Apache-2.0
#include "upstream/zone_split.h"

#include <algorithm>
#include <map>
#include <utility>

namespace weir::upstream {
namespace {

// Weights are told apart to a thousandth after they are scaled.
constexpr double kFine = 1'000;

double weight_now(const EndpointSet::Member& member) {
  return static_cast<double>(member.weight) * member.ramp / EndpointSet::kWholeRamp;
}

struct Zones {
  Zones(const EndpointSet& set) {
    for (const EndpointSet::Member& member : set.members()) {
      if (!member.wanted()) continue;
      // One that is all ill still sends its part.
      weights[member.zone];
    }
    for (std::size_t i = 0; i < set.eligible(); ++i) {
      const EndpointSet::Member& member = set.members()[i];
      weights[member.zone] += weight_now(member);
      all += weight_now(member);
    }
  }
  /// Of what the zone's weirs bring: more than 1 if it has more than its part.
  double covers(std::string_view zone) const {
    return weights.find(zone)->second * static_cast<double>(weights.size()) / all;
  }

  std::map<std::string_view, double> weights;
  double all = 0;
};

std::uint32_t scaled(std::uint32_t weight, double part) {
  const double fine = static_cast<double>(weight) * part * kFine;
  return static_cast<std::uint32_t>(std::clamp(fine, 1.0, static_cast<double>(UINT32_MAX)));
}

}  // namespace

std::shared_ptr<const ZoneSplit> split_by_zone(const EndpointSet& whole, std::string_view zone,
                                               BalancePolicy policy) {
  const Zones zones(whole);
  const auto own = zones.weights.find(zone);
  if (zones.weights.size() < 2 || own == zones.weights.end() || own->second == 0) return nullptr;
  auto out = std::make_shared<ZoneSplit>();
  std::vector<EndpointSet::Member> near;
  std::vector<EndpointSet::Member> far;
  for (std::uint32_t i = 0; i < whole.eligible(); ++i) {
    EndpointSet::Member member = whole.members()[i];
    if (member.zone == zone) {
      out->near_at.push_back(i);
      near.push_back(std::move(member));
      continue;
    }
    const double covers = zones.covers(member.zone);
    if (covers <= 1) continue;
    member.weight = scaled(member.weight, (covers - 1) / covers);
    out->far_at.push_back(i);
    far.push_back(std::move(member));
  }
  out->near = EndpointSet::build(std::move(near), policy);
  const double covers = zones.covers(zone);
  if (covers < 1 && !far.empty()) {
    out->near_ppm = static_cast<std::uint32_t>(covers * ZoneSplit::kWhole);
    const bool turns = policy == BalancePolicy::kRoundRobin;
    out->far_policy = turns ? BalancePolicy::kRandom : policy;
    out->far = EndpointSet::build(std::move(far), out->far_policy);
  }
  return out;
}

}  // namespace weir::upstream
