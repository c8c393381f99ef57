// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

using upstream::FailoverGroupSnapshot;
using upstream::FailoverMemberSnapshot;

Labels labels_of(const FailoverGroupSnapshot& group, const FailoverMemberSnapshot& member) {
  return {{"group", group.name}, {"cluster", member.cluster}};
}

void add_hops(const FailoverGroupSnapshot& group, const FailoverMemberSnapshot& member,
              Samples& out) {
  for (size_t i = 0; i < member.left.size(); ++i) {
    Labels labels = labels_of(group, member);
    const auto reason = static_cast<upstream::HopReason>(i);
    labels.push_back({"reason", std::string(upstream::hop_reason_word(reason))});
    out.add(member.left[i], std::move(labels));
  }
}

void add_member(Metric metric, const FailoverGroupSnapshot& group,
                const FailoverMemberSnapshot& member, Samples& out) {
  switch (metric) {
    case Metric::kFailoverPlaced:
      return out.add(member.placed, labels_of(group, member));
    case Metric::kFailoverHops:
      return add_hops(group, member, out);
    case Metric::kFailoverRequests:
      return out.add(member.in_use, labels_of(group, member));
    case Metric::kFailoverLimit:
      if (member.limit == upstream::FailoverMember::kUnlimited) return;
      return out.add(member.limit, labels_of(group, member));
    case Metric::kFailoverShare:
      return out.add(static_cast<double>(member.share) / upstream::Failback::kWhole,
                     labels_of(group, member));
    default:
      return;
  }
}

}  // namespace

bool add_failover(Metric metric, const Totals& totals, Samples& out) {
  if (metric < Metric::kFailoverPlaced || metric > Metric::kFailoverPanics) return false;
  for (const FailoverGroupSnapshot& group : totals.failover_groups) {
    if (metric == Metric::kFailoverRefused) {
      out.add(group.refused, {{"group", group.name}});
    } else if (metric == Metric::kFailoverPanics) {
      out.add(group.panics, {{"group", group.name}});
    } else {
      for (const auto& member : group.members) add_member(metric, group, member, out);
    }
  }
  return true;
}

}  // namespace weir::admin
