// SPDX-License-Identifier: Apache-2.0
// Clusters that stand in for each other: which of them takes a request, by health and by what each
// can take. The group is immutable and belongs to a snapshot; what changes (requests in flight,
// trust, the retry budget) is in FailoverMember and FailoverGroupState, which all workers share and
// which survive reloads.
//
// The order of a placement:
//   1. members that are up, or by their share while they ramp: lowest priority number first, own
//      zone first within it, then drawn by weight among equals
//   2. members that are healthy but not yet trusted again, in the same order
//   3. only if no member at all was usable, and panic says so: any, in any order
// A member never holds more requests than its capacity, whatever the step.
//
// Thread: any.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>
#include <weir/failover_config.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "upstream/cluster.h"
#include "upstream/failover_member.h"
#include "upstream/retry_window.h"

namespace weir::upstream {

/// Retries, hops and hedges of a group over time, as a share of its requests: each request pays
/// `percent` of one in, each repetition takes one out. Unlike a share of what is in flight it lets
/// all that one cluster's death has caught move on, because it was saved for that before.
class FailoverBudget {
 public:
  static constexpr std::int64_t kOne = 1'000'000;
  static constexpr std::int64_t kMost = 200 * kOne;

  void deposit(std::uint32_t ppm) {
    if (stock_.load(std::memory_order_relaxed) < kMost) {
      stock_.fetch_add(ppm, std::memory_order_relaxed);
    }
  }
  bool withdraw();
  /// What was withdrawn came to nothing.
  void give_back() { stock_.fetch_add(kOne, std::memory_order_relaxed); }
  std::int64_t stock() const { return stock_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> stock_{0};
};

/// Of a group, whatever its config.
struct FailoverGroupState {
  FailoverBudget budget;
  RetryWindow floor;                      ///< Repetitions beyond it, by `retry.budget.min`.
  HomeShare home_share;                   ///< Where it stands for a cell.
  std::atomic<std::uint64_t> refused{0};  ///< Requests that no member could take.
  std::atomic<std::uint64_t> panics{0};   ///< Requests placed where nothing was usable.
};

/// A member in its place in the group.
struct FailoverSeat {
  std::shared_ptr<FailoverMember> member;
  std::shared_ptr<Cluster> cluster;
  std::uint32_t cluster_index = 0;  ///< In the snapshot's ClusterList.
  std::uint32_t priority = 0;
  bool own_zone = false;
};

/// Asks a cluster for admission; the error counts as "not this one". `reach`: kAny where the group
/// has nobody who is well.
class SeatAdmitter {
 public:
  virtual Result<void> admit(const FailoverSeat& seat, Reach reach) = 0;

 protected:
  ~SeatAdmitter() = default;
};

/// What a request brings to a placement.
struct PlaceWish {
  base::Rng& rng;
  TimePoint now;
  std::span<const Cluster* const> visited;  ///< Not these.
  bool may_try = false;                     ///< It can be repeated if a suspected member fails it.
  bool yields = false;                      ///< It leaves the last tenth of a capacity to others.
};

struct Placement {
  const FailoverSeat* seat;
  MemberPermit permit;
  Reach reach = Reach::kWell;
};

class FailoverGroup {
 public:
  /// Requires: at least one seat, at most kMaxFailoverMembers.
  FailoverGroup(const FailoverGroupConfig& config, std::vector<FailoverSeat> seats,
                std::shared_ptr<FailoverGroupState> state);

  const std::string& name() const { return name_; }
  /// In the order in which they are asked.
  std::span<const FailoverSeat> seats() const { return seats_; }
  std::uint32_t max_other_clusters() const { return max_other_clusters_; }
  FailoverGroupState& state() const { return *state_; }
  const std::shared_ptr<FailoverGroupState>& shared_state() const { return state_; }

  /// Errors: kFailoverCapacity where somebody could serve but is full, else what the last member
  /// asked has said, or kNoEndpoint.
  Result<Placement> place(const PlaceWish& wish, SeatAdmitter& admitter) const;

 private:
  enum class Trust : std::uint8_t { kTrusted, kHealthy, kAny };
  struct Search;

  Result<Placement> refuse(const Search& search) const;
  bool place_among(Trust trust, Search& search) const;
  static bool draw(std::span<const FailoverSeat* const> open, Trust trust, Search& search);
  static bool open(const FailoverSeat& seat, Trust trust, Search& search);
  static bool enter(const FailoverSeat& seat, Trust trust, Search& search);

  const std::string name_;
  const std::uint32_t max_other_clusters_;
  const FailoverPanic panic_;
  std::vector<FailoverSeat> seats_;
  const std::shared_ptr<FailoverGroupState> state_;
};

}  // namespace weir::upstream
