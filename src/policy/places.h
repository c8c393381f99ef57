// SPDX-License-Identifier: Apache-2.0
// Concurrency limits as an exchange meets them: a place among a key's, held until the permit dies,
// or a wait for one in a fair queue that one worker owns for all.
//
//   worker W                     owner O of the key               worker R
//   take(): full, counted as
//   waiting ---- kEnqueue ----->  FairQueue::push, then looks
//                                 for a free place once more
//                                 FairQueue::pop  <---- kPlace --- permit dies: somebody waits, so
//   on_place() <--- kGrant -----                                   the place is handed over,
//   undecremented
//
// A grant that finds its waiter gone dies as a permit does, and so goes on to the next. Hence while
// somebody is in a queue all places are taken or on their way to him, and at rest none is lost.
//
// Thread: Places all; PlaceDesk, PlaceWaiter and PlacePermit their worker's. Lifetime: Places are
// shared; letters, queues and waits keep them. A permit does not: its exchange keeps the limits
// that it was admitted by.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/fair_queue.h"
#include "policy/place_table.h"

namespace weir::policy {

class Places;
class PlaceDesk;
class PlaceWaiter;

/// Why who waited gets no place: others took the room to wait, or it took too long.
enum class DropCause : std::uint8_t { kFull, kDelay };

/// What desks tell each other.
struct PlaceLetter {
  enum class Kind : std::uint8_t {
    kEnqueue,  ///< To the owner: `request` waits.
    kCancel,   ///< To the owner: request.id has left.
    kPlace,    ///< To the owner: a place that somebody waits for.
    kGrant,    ///< To the waiter's worker: the place is its own.
    kDrop,     ///< To the waiter's worker: it has waited long enough, or must make room.
  };
  Kind kind = Kind::kPlace;
  std::shared_ptr<Places> places;
  LimitKey key;
  QueuedRequest request;
  PlaceBounds bounds;
  QueueDelay delay;
  DropCause cause = DropCause::kDelay;  ///< Of a drop.
};

/// How letters travel. Each arrives at PlaceDesk::deliver() of its worker, on that worker's thread,
/// never within post().
class PlaceOffice {
 public:
  virtual ~PlaceOffice() = default;
  virtual std::uint32_t workers() const = 0;
  virtual void post(std::uint32_t worker, PlaceLetter letter) = 0;
};

/// The concurrency state of one limit; survives reloads.
class Places : public std::enable_shared_from_this<Places> {
 public:
  /// `office` outlives it.
  Places(std::uint32_t max_keys, PlaceOffice& office) : table_(max_keys), office_(office) {}

  PlaceTable& table() { return table_; }
  const PlaceTable& table() const { return table_; }
  PlaceOffice& office() { return office_; }
  std::uint32_t owner(const LimitKey& key) const {
    return static_cast<std::uint32_t>(key.lo >> 32) % office_.workers();
  }
  void release(const LimitKey& key, bool overflow, std::uint32_t max);

 private:
  PlaceTable table_;
  PlaceOffice& office_;
};

/// A place; given back, or handed on, when it dies.
class PlacePermit {
 public:
  PlacePermit() = default;
  PlacePermit(Places& places, const LimitKey& key, std::uint32_t max, bool overflow = false)
      : places_(&places), key_(key), max_(max), overflow_(overflow) {}
  PlacePermit(PlacePermit&& other) noexcept { *this = std::move(other); }
  PlacePermit& operator=(PlacePermit&& other) noexcept {
    if (this == &other) return *this;
    release();
    places_ = std::exchange(other.places_, nullptr);
    key_ = other.key_;
    max_ = other.max_;
    overflow_ = other.overflow_;
    return *this;
  }
  ~PlacePermit() { release(); }

  explicit operator bool() const { return places_ != nullptr; }
  /// Harmless when repeated.
  void release() {
    if (Places* places = std::exchange(places_, nullptr)) places->release(key_, overflow_, max_);
  }

 private:
  Places* places_ = nullptr;
  LimitKey key_;
  std::uint32_t max_ = 0;
  bool overflow_ = false;
};

/// What a request asks for.
struct PlaceAsk {
  LimitKey key;
  PlaceBounds bounds;
  LimitKey tenant;           ///< Whose turn it takes in the queue.
  std::uint32_t weight = 1;  ///< Of that tenant.
  std::uint64_t bytes = 0;   ///< What the request holds while it waits.
  Duration max_wait{};
};

struct PlaceAnswer {
  Take result = Take::kFull;
  PlacePermit permit;  ///< For kTaken.
};

/// One worker's counter for places: its requests that wait, and the queues that it owns.
class PlaceDesk {
 public:
  /// `office` outlives it.
  PlaceDesk(PlaceOffice& office, std::uint32_t worker) : office_(office), worker_(worker) {}
  PlaceDesk(const PlaceDesk&) = delete;
  PlaceDesk& operator=(const PlaceDesk&) = delete;
  /// Requires: nobody waits.
  ~PlaceDesk();

  /// A place, or `waiter` waits (kQueued) and is called once, or neither. Calls nobody back.
  PlaceAnswer ask(Places& places, const PlaceAsk& ask, PlaceWaiter& waiter, TimePoint now);
  void deliver(PlaceLetter letter, TimePoint now);

  std::size_t waiting() const { return waiting_; }
  std::size_t queues() const { return queues_.size(); }

 private:
  friend class PlaceWaiter;
  struct Seat {
    PlaceWaiter* waiter = nullptr;
    std::uint64_t generation = 0;
  };
  struct QueueKey {
    const Places* places;
    LimitKey key;
    bool operator==(const QueueKey&) const = default;
  };
  struct Hash {
    std::size_t operator()(const QueueKey& of) const {
      return of.key.lo ^ reinterpret_cast<std::uintptr_t>(of.places);
    }
  };
  struct Queue {
    Queue(std::shared_ptr<Places> of, const QueueDelay& delay)
        : places(std::move(of)), waiting(delay) {}
    std::shared_ptr<Places> places;
    FairQueue waiting;
    std::uint32_t max = 0;
  };
  using Queues = std::unordered_map<QueueKey, Queue, Hash>;

  void send_to_owner(PlaceLetter letter, TimePoint now);
  WaiterId seat(PlaceWaiter& waiter);
  PlaceWaiter* unseat(const WaiterId& id);
  void cancel(PlaceWaiter& waiter);
  void on_enqueue(PlaceLetter& letter, TimePoint now);
  void on_cancel(const PlaceLetter& letter);
  void on_place(const PlaceLetter& letter, TimePoint now);
  bool serve_next(Queues::iterator queue, TimePoint now);
  void send_away(Queues::iterator queue, const QueuedRequest& request, DropCause cause);
  void erase_if_empty(Queues::iterator queue);
  void on_grant(PlaceLetter& letter);
  void on_drop(const PlaceLetter& letter);

  PlaceOffice& office_;
  const std::uint32_t worker_;
  std::vector<Seat> seats_;
  std::vector<std::uint32_t> free_seats_;
  std::uint64_t generation_ = 0;
  std::size_t waiting_ = 0;
  Queues queues_;
  std::vector<QueuedRequest> dropped_;
};

/// A request that waits for a place; a member of whoever waits. Destroying it cancels, at once.
class PlaceWaiter {
 public:
  PlaceWaiter() = default;
  PlaceWaiter(const PlaceWaiter&) = delete;
  PlaceWaiter& operator=(const PlaceWaiter&) = delete;
  virtual ~PlaceWaiter() { cancel(); }

  bool waiting() const { return desk_ != nullptr; }
  /// When it has waited as long as the limit allows: whoever holds it then cancels. Requires:
  /// waiting().
  TimePoint deadline() const { return deadline_; }
  void cancel() {
    if (desk_ != nullptr) desk_->cancel(*this);
  }

  // One of these comes, once, from the loop.
  virtual void on_place(PlacePermit permit) = 0;
  /// It waited too long for what others still have to wait, or must make room for them.
  virtual void on_dropped(DropCause cause) = 0;

 private:
  friend class PlaceDesk;
  PlaceDesk* desk_ = nullptr;
  std::shared_ptr<Places> places_;
  WaiterId id_;
  LimitKey key_;
  TimePoint deadline_{};
};

}  // namespace weir::policy
