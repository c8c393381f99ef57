// SPDX-License-Identifier: Apache-2.0
// Who waits for the places of one key, and who is next: deficit round robin over tenants by weight
// (Shreedhar, Varghese 1995), first come first served within a tenant, and CoDel on each tenant's
// delay (RFC 8289), so that a standing queue is cut back to what is still worth serving. A full
// queue makes room by sending away the newest of whoever has most in it for his weight: a storm
// fills its own share of the queue, not the others'.
//
// It tells no time and sends no letters. Thread: its owner's.
#pragma once

#include <weir/clock.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/intrusive_list.h"
#include "policy/limit_key.h"

namespace weir::policy {

/// A request that waits, by the worker that holds it.
struct WaiterId {
  std::uint32_t worker = 0;
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  bool operator==(const WaiterId&) const = default;
};

struct QueuedRequest {
  WaiterId id;
  LimitKey tenant;
  std::uint32_t weight = 1;
  std::uint64_t bytes = 0;
  TimePoint since{};
  TimePoint deadline = TimePoint::max();
};

/// When a delay counts as standing (RFC 8289: 5 ms and 100 ms for packets).
struct QueueDelay {
  Duration target{};
  Duration interval{};
  /// A twentieth and a fifth of the longest wait that the limit allows.
  static QueueDelay from(Duration max_wait);
};

/// RFC 8289, section 5, for one flow.
class Codel {
 public:
  /// Whether the request at the head is to be sent away. `last`: nobody stands behind it.
  bool drops(Duration delay, bool last, TimePoint now, const QueueDelay& settings);

 private:
  std::optional<TimePoint> standing_from_;  ///< The delay has been above target until then: act.
  TimePoint next_{};
  std::uint32_t count_ = 0;
  bool dropping_ = false;
};

class FairQueue {
 public:
  explicit FairQueue(const QueueDelay& delay) : delay_(delay) {}

  /// Whoever must leave for it, which may be itself; nullopt: there was room.
  std::optional<QueuedRequest> push(const QueuedRequest& request, std::size_t max_requests);
  /// The next to serve. Those that have waited too long are taken out and added to `dropped`.
  std::optional<QueuedRequest> pop(TimePoint now, std::vector<QueuedRequest>& dropped);
  /// One that has left.
  std::optional<QueuedRequest> remove(const WaiterId& id);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Flow;
  struct Entry : base::ListLink<> {
    QueuedRequest request;
    Flow* flow = nullptr;
  };
  struct Flow : base::ListLink<> {
    base::IntrusiveList<Entry> entries;
    LimitKey tenant;
    std::size_t size = 0;
    std::uint32_t weight = 1;
    std::uint32_t credit = 0;  ///< Requests that it may still be served in this turn.
    Codel codel;
  };
  struct Hash {
    std::size_t operator()(const LimitKey& key) const { return key.lo; }
    std::size_t operator()(const WaiterId& id) const {
      return (id.generation << 8 | id.worker) * 0x9e3779b97f4a7c15ULL;
    }
  };

  Flow& flow_of(const QueuedRequest& request);
  Flow& fattest(Flow& but_for_ties);
  QueuedRequest take(Entry& entry);

  const QueueDelay delay_;
  std::unordered_map<LimitKey, Flow, Hash> flows_;
  std::unordered_map<WaiterId, Entry, Hash> entries_;
  base::IntrusiveList<Flow> turns_;  ///< Flows with somebody in them; the first has its turn.
};

}  // namespace weir::policy
