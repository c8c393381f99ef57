// SPDX-License-Identifier: Apache-2.0
// The endpoints of a cluster at one moment, with what picking among them needs, worked out once by
// the control thread: draw order, rotation, hash table. Immutable; any thread. A worker holds one
// by shared_ptr and looks for a newer one at each pick (Cluster::version).
//
// Members that can be picked come first: index < eligible(). Those of weight 0 follow, those that
// an operator drains, and those that a health check or an outlier rule has taken out.
#pragma once

#include <weir/config.h>
#include <weir/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/endpoint.h"
#include "upstream/endpoint_standing.h"

namespace weir::upstream {

struct ZoneSplit;

/// An endpoint as config or DNS names it.
struct EndpointSpec {
  Address address;
  std::string host;
  std::uint32_t weight = 100;
  std::string zone;
  OperatorState state = OperatorState::kReady;
  bool operator==(const EndpointSpec&) const = default;
};

/// One of as many columns as there are members, all equally likely: its own member below `own` of
/// 2^32, and `other` above.
struct AliasColumn {
  std::uint32_t own = 0;
  std::uint32_t other = 0;
};

class EndpointSet {
  struct Private {};

 public:
  struct Member {
    std::shared_ptr<Endpoint> endpoint;
    std::uint32_t weight = 0;  ///< As configured.
    std::string zone;
    Standing standing = Standing::kIn;
    /// The part of its weight that it has for now (slow start), of kWholeRamp; at least 1.
    std::uint32_t ramp = kWholeRamp;
    /// While it ramps: attempts in flight beyond which another is picked.
    std::uint32_t max_active = UINT32_MAX;
    OperatorState state = OperatorState::kReady;

    /// It would be picked if its health were good.
    bool wanted() const { return weight > 0 && state == OperatorState::kReady; }
  };

  static constexpr std::uint32_t kWholeRamp = 1'000;
  /// A prime, as Maglev (Eisenbud et al. 2016, section 3.4) wants it, and the same for every number
  /// of endpoints: a size that followed the number would reshuffle all keys when it changed.
  static constexpr std::uint32_t kMaglevSize = 65'537;
  /// Longest rotation; weights that need more are rounded.
  static constexpr std::uint32_t kMaxRotation = 65'536;

  /// Members for `specs`: endpoints that `previous` (may be null) has keep their objects.
  static std::vector<Member> members_from(const std::vector<EndpointSpec>& specs,
                                          const EndpointSet* previous);
  /// `empty_reason`: what a request is told if there is nothing to be eligible. Where there are
  /// members that are wanted and their health is what is missing, it is told kNoHealthyEndpoint.
  /// `own_zone`: whose endpoints are to be preferred; empty: nobody's.
  static std::shared_ptr<const EndpointSet> build(std::vector<Member> members, BalancePolicy policy,
                                                  ErrorCode empty_reason = ErrorCode::kNoEndpoint,
                                                  std::string_view own_zone = {});
  EndpointSet(Private, std::vector<Member> members, ErrorCode empty_reason);

  const std::vector<Member>& members() const { return members_; }
  /// Where health alone has left nobody: the same members as if all were well, for who has nobody
  /// else to ask. Null otherwise.
  const EndpointSet* in_need() const { return in_need_.get(); }
  /// Null: zones make no difference.
  const ZoneSplit* zones() const { return zones_.get(); }
  std::size_t eligible() const { return prefix_.size(); }
  Endpoint& endpoint(std::size_t index) const { return *raw_[index]; }
  /// The weight for picking: as configured, unless a member ramps (then all are scaled up) or the
  /// sum had to be scaled down into 32 bits.
  std::uint32_t weight(std::size_t index) const {
    return prefix_[index] - (index == 0 ? 0 : prefix_[index - 1]);
  }
  std::uint32_t total_weight() const { return prefix_.empty() ? 0 : prefix_.back(); }
  /// Some eligible member ramps.
  bool ramps() const { return ramps_; }
  /// What ramping members may have in flight; of an eligible member.
  std::uint32_t max_active(std::size_t index) const { return members_[index].max_active; }
  /// Sums of configured weights: of all members, of the eligible ones, and of what these have for
  /// now (slow start).
  std::uint64_t configured_weight() const { return configured_weight_; }
  std::uint64_t eligible_weight() const { return eligible_weight_; }
  std::uint64_t healthy_weight() const { return healthy_weight_; }
  /// All eligible weights are the same.
  bool uniform() const { return uniform_; }
  /// The eligible member whose share of [0, total_weight()) holds `point`.
  std::size_t at(std::uint32_t point) const;
  /// The first point of a member's share.
  std::uint32_t start_of(std::size_t index) const { return index == 0 ? 0 : prefix_[index - 1]; }

  /// Columns for a draw by weight; empty if uniform().
  std::span<const AliasColumn> alias() const { return alias_; }
  /// Indices in the order of a smooth weighted rotation; empty unless the policy is kRoundRobin.
  std::span<const std::uint32_t> rotation() const { return rotation_; }
  /// kMaglevSize indices; empty unless the policy is kMaglev.
  std::span<const std::uint16_t> maglev() const { return maglev_; }
  ErrorCode empty_reason() const { return empty_reason_; }

 private:
  void sum_weights();

  std::vector<Member> members_;
  std::vector<Endpoint*> raw_;         ///< Of the eligible members.
  std::vector<std::uint32_t> prefix_;  ///< Running sums of the eligible weights.
  std::vector<AliasColumn> alias_;
  std::vector<std::uint32_t> rotation_;
  std::vector<std::uint16_t> maglev_;
  std::uint64_t configured_weight_ = 0;
  std::uint64_t eligible_weight_ = 0;
  std::uint64_t healthy_weight_ = 0;
  std::shared_ptr<const EndpointSet> in_need_;
  std::shared_ptr<const ZoneSplit> zones_;
  ErrorCode empty_reason_;
  bool uniform_ = true;
  bool ramps_ = false;
};

}  // namespace weir::upstream
