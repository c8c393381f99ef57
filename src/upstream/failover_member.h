// SPDX-License-Identifier: Apache-2.0
// One cluster's part in one failover group, as the whole process sees it: how many requests it has,
// how many it may have, and whether it is trusted. Survives a reload under group and cluster. Not
// the order of the group (FailoverGroup), nor when a member comes back (Failback).
//
// Suspicion: a member whose requests have failed kSuspicion times with no success between is asked
// no more, but for one request a kTrialEvery that can be repeated elsewhere. That moves traffic
// before any check has noticed. Answers that break off after their head are counted apart, until
// one is whole: their heads are well each time.
//
// Thread: publish() and forget() control; the rest any. Outlives the permits that name it.
#pragma once

#include <weir/clock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "upstream/failback.h"

namespace weir::upstream {

/// Why a request left a member for another one.
enum class HopReason : std::uint8_t { kNoEndpoint, kFull, kConnect, kReset, kTimeout, kAnswer };
inline constexpr std::size_t kHopReasons = 6;
std::string_view hop_reason_word(HopReason reason);

class FailoverMember {
 public:
  static constexpr std::uint32_t kUnlimited = UINT32_MAX;
  static constexpr std::uint32_t kSuspicion = 5;
  static constexpr Duration kTrialEvery = std::chrono::seconds(1);
  /// For so long somebody's success speaks for the member against the failures of others.
  static constexpr Duration kVouches = std::chrono::seconds(1);
  /// A suspicion that nobody has tried for so long is dropped.
  static constexpr Duration kForgotten = std::chrono::seconds(30);

  /// What the control thread has worked out for all workers.
  struct Standing {
    MemberPhase phase = MemberPhase::kDown;
    std::uint32_t share = 0;           ///< In ppm: 1,000,000 unless it ramps.
    std::uint32_t limit = kUnlimited;  ///< Requests of this process.
    std::uint32_t weight = 1;          ///< Its part of a priority.
  };

  explicit FailoverMember(std::string cluster) : cluster_(std::move(cluster)) {}
  FailoverMember(const FailoverMember&) = delete;
  FailoverMember& operator=(const FailoverMember&) = delete;

  const std::string& cluster() const { return cluster_; }

  // -- Control thread.
  void publish(const Standing& standing);
  /// Drops a suspicion that is older than kForgotten.
  void forget(TimePoint now);

  // -- Any thread.
  MemberPhase phase() const { return phase_.load(std::memory_order_relaxed); }
  std::uint32_t share() const { return share_.load(std::memory_order_relaxed); }
  std::uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  std::uint32_t weight() const { return weight_.load(std::memory_order_relaxed); }
  std::uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  bool suspected() const {
    return failures_.load(std::memory_order_relaxed) >= kSuspicion ||
           broken_.load(std::memory_order_relaxed) >= kSuspicion;
  }
  std::uint64_t placed() const { return placed_.load(std::memory_order_relaxed); }
  std::uint64_t left_for(HopReason reason) const {
    return left_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }

  /// Counts a request in, never above `limit`; leave() gives it back.
  bool try_enter(std::uint32_t limit);
  void leave() { in_use_.fetch_sub(1, std::memory_order_relaxed); }
  /// An attempt for whom `key` stands (a hash of tenant and function; 0: nobody known) got an
  /// answer's head, or ended badly in a way that another cluster may cure. With a key, failures say
  /// nothing of the member while somebody else is served well there.
  void succeeded();
  void failed(TimePoint now, std::uint64_t key = 0) { count(failures_, now, key); }
  /// An answer broke off after its head, or came whole; `key` 0: whole, but no good one.
  void broke(TimePoint now, std::uint64_t key = 0) { count(broken_, now, key); }
  void completed(TimePoint now, std::uint64_t key = 0);
  /// Of a suspected member: whether this request may see how it is.
  bool take_trial(TimePoint now);
  void count_hop(HopReason reason) {
    left_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }

 private:
  void count(std::atomic<std::uint32_t>& in_a_row, TimePoint now, std::uint64_t key);
  bool vouched_against(TimePoint now, std::uint64_t key) const;

  const std::string cluster_;

  // Read at each placement, written when something changes.
  alignas(64) std::atomic<MemberPhase> phase_{MemberPhase::kDown};
  std::atomic<std::uint32_t> share_{0};
  std::atomic<std::uint32_t> limit_{kUnlimited};
  std::atomic<std::uint32_t> weight_{1};
  std::atomic<std::uint32_t> failures_{0};  ///< In a row.
  std::atomic<std::uint32_t> broken_{0};    ///< In a row.
  std::atomic<std::int64_t> trial_at_{0};   ///< The next one, steady clock.
  std::atomic<std::int64_t> failed_at_{0};

  // Written by every request.
  alignas(64) std::atomic<std::uint32_t> in_use_{0};
  std::atomic<std::uint64_t> served_key_{0};  ///< Who was served well last,
  std::atomic<std::int64_t> served_at_{0};    ///< and when, to a quarter of kVouches.
  std::atomic<std::uint64_t> placed_{0};
  std::array<std::atomic<std::uint64_t>, kHopReasons> left_{};
};

/// A request's place in a member. Move-only, given back exactly once.
class MemberPermit {
 public:
  MemberPermit() = default;
  /// Takes over what try_enter() has counted.
  explicit MemberPermit(FailoverMember& member) : member_(&member) {}
  MemberPermit(MemberPermit&& other) noexcept : member_(std::exchange(other.member_, nullptr)) {}
  MemberPermit& operator=(MemberPermit&& other) noexcept {
    if (this == &other) return *this;
    release();
    member_ = std::exchange(other.member_, nullptr);
    return *this;
  }
  ~MemberPermit() { release(); }

  explicit operator bool() const { return member_ != nullptr; }
  FailoverMember* operator->() const { return member_; }
  /// Harmless when repeated.
  void release() {
    if (FailoverMember* member = std::exchange(member_, nullptr)) member->leave();
  }

 private:
  FailoverMember* member_ = nullptr;
};

}  // namespace weir::upstream
