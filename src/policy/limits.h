// SPDX-License-Identifier: Apache-2.0
// The check that a request passes or not: all limits that match it, in the set's one order.
//
//   1. all rates are looked at, none is charged: most refusals end here and change nothing
//   2. places are taken, narrowest first; where one is full the request may wait for it
//   3. with all places in hand the rates are charged, each looked at again
//
// What fails in 2 gives the places back; what fails in 3, which takes another worker's charge in
// between, also refunds the rates. So a refusal charges nobody, a wait that comes to nothing
// charges nothing, and a rate and its place are one step.
//
// Thread: one worker's. Lifetime: a LimitHold is a member of the exchange; it keeps the limits that
// it was admitted by, through reloads, and gives all back when it dies, before the arena does.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "policy/limit_set.h"
#include "policy/places.h"

namespace weir::policy {

class WorkerLimits;

struct LimitVerdict {
  enum class Outcome : std::uint8_t { kPass, kRefuse, kWait };
  using Cause = LimitCause;

  Outcome outcome = Outcome::kPass;
  // Of a refusal. The limit lives until the hold is released.
  Cause cause = Cause::kRate;
  const Limit* limit = nullptr;
  /// Until the same request might pass; max(): never, it costs more than the burst.
  Duration retry_after{0};
  // RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), for kRate and
  // kConcurrency. Window and reset are 0 where there is no time to tell.
  std::uint64_t quota = 0;
  std::uint64_t remaining = 0;
  std::uint64_t window_s = 0;
  std::uint64_t reset_s = 0;

  /// Requires: kRefuse.
  const RefusalText& text() const { return limit->refusal(cause); }
  /// 503 for what the whole node shares, 429 for what is somebody's own.
  std::uint16_t status() const { return limit != nullptr && limit->node_wide() ? 503 : 429; }
  /// Whole seconds, at least one.
  std::uint64_t retry_after_s() const;
};

/// `"name";q=100;w=60` and `"name";r=0;t=30`.
std::string_view rate_limit_policy_field(const LimitVerdict& verdict, base::Arena& arena);
std::string_view rate_limit_field(const LimitVerdict& verdict, base::Arena& arena);

/// Who is told how a wait ended.
class LimitObserver {
 public:
  /// kPass or kRefuse. From the loop, never within a call to the hold.
  virtual void on_limits(const LimitVerdict& verdict) = 0;

 protected:
  ~LimitObserver() = default;
};

/// What a request holds of its limits.
class LimitHold final : private PlaceWaiter {
 public:
  explicit LimitHold(LimitObserver& observer) : observer_(observer) {}
  ~LimitHold() override { release(); }

  bool waiting() const { return PlaceWaiter::waiting(); }
  /// When the wait is over: call expire() then. Requires: waiting().
  TimePoint deadline() const { return PlaceWaiter::deadline(); }
  /// Ends a wait that took too long; all is given back.
  LimitVerdict expire();
  /// Charges what a request turns out to have used, to the limits that count it.
  void charge_bytes(std::uint64_t bytes, TimePoint now);
  void charge_cost(std::uint64_t cost, TimePoint now);
  /// The same, each limit by the header of the response that it names; what is no number costs
  /// nothing.
  void charge_cost(const HeaderList& response, TimePoint now);
  /// Whether a limit counts by the cost that the response tells in this header (any case).
  bool counts_cost() const { return counts_cost_; }
  /// Ends the wait and gives the places back; rates stay charged. Harmless when repeated.
  void release();

 private:
  friend class WorkerLimits;
  struct Entry {
    const Limit* limit = nullptr;
    const LimitRule* rule = nullptr;
    LimitKey key;
    PlacePermit permit;
    RateResult charged;
    KeyTable::Ref seen;  ///< The word of `requests`, between peek and charge; not over a wait.
  };

  void on_place(PlacePermit permit) override;
  void on_dropped(DropCause cause) override;
  LimitVerdict refuse_wait(LimitVerdict::Cause cause);
  void give_back();
  /// False: refused, as `verdict` says, and all given back.
  bool peek_rates(Entry& entry, TimePoint now, LimitVerdict& verdict);
  LimitVerdict take_places(TimePoint now);
  LimitVerdict charge_rates(TimePoint now);
  void refund_rates(std::size_t count, TimePoint charged_at);
  std::span<Entry> entries() { return {entries_, count_}; }

  LimitObserver& observer_;
  WorkerLimits* worker_ = nullptr;
  void* generation_ = nullptr;  ///< Which set of the worker's it keeps.
  Entry* entries_ = nullptr;    ///< In the arena.
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;  ///< The entry whose place comes next.
  std::uint32_t weight_ = 1;
  bool counts_cost_ = false;
  LimitKey tenant_;
  std::uint64_t bytes_ = 0;
};

/// One worker's access to the limits of the config it works with.
class WorkerLimits {
 public:
  /// `clock` and the desk outlive it.
  WorkerLimits(const Clock& clock, PlaceDesk& desk, std::uint32_t worker, const KeySecret& secret)
      : clock_(clock), desk_(desk), worker_(worker), secret_(secret) {}
  WorkerLimits(const WorkerLimits&) = delete;
  WorkerLimits& operator=(const WorkerLimits&) = delete;
  /// Requires: nobody holds anything.
  ~WorkerLimits();

  /// The set for requests from now on; earlier ones stay while somebody was admitted by them.
  void adopt(std::shared_ptr<const LimitSet> set);
  /// Requires: `hold` is new or released, and is released before `arena` is reset. Calls nobody
  /// back.
  LimitVerdict check(const LimitFacts& facts, LimitHold& hold, base::Arena& arena);

  std::size_t generations() const { return generations_.size(); }

 private:
  friend class LimitHold;
  struct Generation {
    std::shared_ptr<const LimitSet> set;
    std::size_t users = 0;
  };

  LimitStats& stats(const Limit& limit) { return limit.state().stats[worker_]; }
  LimitVerdict begin(const LimitFacts& facts, LimitHold& hold, base::Arena& arena, TimePoint now);
  void end(void* generation);

  const Clock& clock_;
  PlaceDesk& desk_;
  const std::uint32_t worker_;
  const KeySecret secret_;
  std::list<Generation> generations_;  ///< The last is current.
};

}  // namespace weir::policy
