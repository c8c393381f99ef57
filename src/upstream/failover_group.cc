// SPDX-License-Identifier: Apache-2.0
#include "upstream/failover_group.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace weir::upstream {
namespace {

auto standing_order(const FailoverSeat& seat) { return std::pair(seat.priority, !seat.own_zone); }

}  // namespace

bool FailoverBudget::withdraw() {
  std::int64_t now = stock_.load(std::memory_order_relaxed);
  while (now >= kOne) {
    if (stock_.compare_exchange_weak(now, now - kOne, std::memory_order_relaxed)) return true;
  }
  return false;
}

// One placement on its way.
struct FailoverGroup::Search {
  Search(const PlaceWish& of, SeatAdmitter& by) : wish(of), admitter(by) {}

  const PlaceWish& wish;
  SeatAdmitter& admitter;
  bool usable = false;  ///< Somebody could serve, had he room.
  bool full = false;
  Error last = make_error(ErrorCode::kNoEndpoint, "no member of the group is usable");
  const FailoverSeat* found = nullptr;
  MemberPermit permit;

  bool visited(const FailoverSeat& seat) const {
    return std::ranges::find(wish.visited, seat.cluster.get()) != wish.visited.end();
  }
};

FailoverGroup::FailoverGroup(const FailoverGroupConfig& config, std::vector<FailoverSeat> seats,
                             std::shared_ptr<FailoverGroupState> state)
    : name_(config.name),
      max_other_clusters_(config.max_other_clusters),
      panic_(config.panic),
      seats_(std::move(seats)),
      state_(std::move(state)) {
  CHECK(!seats_.empty() && seats_.size() <= kMaxFailoverMembers);
  std::ranges::stable_sort(seats_, {}, standing_order);
}

Result<Placement> FailoverGroup::place(const PlaceWish& wish, SeatAdmitter& admitter) const {
  Search search(wish, admitter);
  if (place_among(Trust::kTrusted, search) || place_among(Trust::kHealthy, search)) {
    return Placement{search.found, std::move(search.permit)};
  }
  if (!search.usable && panic_ == FailoverPanic::kLastResort && place_among(Trust::kAny, search)) {
    state_->panics.fetch_add(1, std::memory_order_relaxed);
    return Placement{search.found, std::move(search.permit), Reach::kAny};
  }
  return refuse(search);
}

Result<Placement> FailoverGroup::refuse(const Search& search) const {
  // A hop that finds nobody is no refusal yet: the request has an answer of sorts.
  if (search.wish.visited.empty()) state_->refused.fetch_add(1, std::memory_order_relaxed);
  if (search.full) return fail(ErrorCode::kFailoverCapacity);
  return std::unexpected(search.last);
}

bool FailoverGroup::place_among(Trust trust, Search& search) const {
  std::array<const FailoverSeat*, kMaxFailoverMembers> room;
  for (std::size_t i = 0; i < seats_.size();) {
    std::size_t count = 0;
    // In need nobody is asked before anybody else.
    const auto equal = [&](const FailoverSeat& seat) {
      return trust == Trust::kAny || standing_order(seat) == standing_order(seats_[i]);
    };
    std::size_t next = i;
    for (; next < seats_.size() && equal(seats_[next]); ++next) {
      if (search.visited(seats_[next])) continue;
      if (open(seats_[next], trust, search)) room[count++] = &seats_[next];
      if (search.found != nullptr) return true;
    }
    if (draw({room.data(), count}, trust, search)) return true;
    i = next;
  }
  return false;
}

// Weighted, without replacement.
bool FailoverGroup::draw(std::span<const FailoverSeat* const> open, Trust trust, Search& search) {
  std::array<const FailoverSeat*, kMaxFailoverMembers> left;
  std::array<std::uint64_t, kMaxFailoverMembers> weights;
  std::size_t count = open.size();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    left[i] = open[i];
    weights[i] = std::max<std::uint64_t>(1, open[i]->member->weight());
    total += weights[i];
  }
  while (count > 0) {
    std::size_t chosen = 0;
    if (count > 1) {
      std::uint64_t point = search.wish.rng.next() % total;
      while (point >= weights[chosen]) point -= weights[chosen++];
    }
    if (enter(*left[chosen], trust, search)) return true;
    total -= weights[chosen];
    --count;
    left[chosen] = left[count];
    weights[chosen] = weights[count];
  }
  return false;
}

// Whether the seat may be drawn at this step. A suspected one whose trial is due is taken at once.
bool FailoverGroup::open(const FailoverSeat& seat, Trust trust, Search& search) {
  if (trust == Trust::kAny) return true;
  FailoverMember& member = *seat.member;
  if (!seat.cluster->health().usable) return false;
  if (member.suspected()) {
    const bool tries =
        trust == Trust::kTrusted && search.wish.may_try && member.take_trial(search.wish.now);
    if (tries) enter(seat, Trust::kHealthy, search);
    return false;
  }
  search.usable = true;
  if (trust == Trust::kHealthy || member.phase() == MemberPhase::kUp) return true;
  return member.phase() == MemberPhase::kRamping &&
         search.wish.rng.below(Failback::kWhole) < member.share();
}

bool FailoverGroup::enter(const FailoverSeat& seat, Trust trust, Search& search) {
  FailoverMember& member = *seat.member;
  std::uint32_t limit = member.limit();
  const bool eased = trust == Trust::kTrusted && member.phase() == MemberPhase::kRamping &&
                     limit != FailoverMember::kUnlimited;
  if (eased) {
    const std::uint64_t part = std::uint64_t{limit} * member.share() / Failback::kWhole;
    limit = static_cast<std::uint32_t>(std::max<std::uint64_t>(part, 1));
  }
  if (search.wish.yields && limit != FailoverMember::kUnlimited) limit -= limit / 10;
  if (!member.try_enter(limit)) {
    search.full = true;
    return false;
  }
  MemberPermit permit(member);
  const Result<void> admitted =
      search.admitter.admit(seat, trust == Trust::kAny ? Reach::kAny : Reach::kWell);
  if (!admitted) {
    search.last = admitted.error();
    const ErrorCode code = admitted.error().code;
    search.full = search.full || code == ErrorCode::kClusterRequestsFull ||
                  code == ErrorCode::kAdaptiveConcurrencyLimited;
    return false;
  }
  search.found = &seat;
  search.permit = std::move(permit);
  return true;
}

}  // namespace weir::upstream
