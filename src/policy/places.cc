// SPDX-License-Identifier: Apache-2.0
#include "policy/places.h"

#include <algorithm>

#include "base/check.h"

namespace weir::policy {

using Kind = PlaceLetter::Kind;

void Places::release(const LimitKey& key, bool overflow, std::uint32_t max) {
  if (!table_.release(key, overflow, max)) return;
  office_.post(owner(key), {Kind::kPlace, shared_from_this(), key, {}, {}, {}, DropCause::kDelay});
}

PlaceDesk::~PlaceDesk() { CHECK(waiting_ == 0); }

PlaceAnswer PlaceDesk::ask(Places& places, const PlaceAsk& ask, PlaceWaiter& waiter,
                           TimePoint now) {
  DCHECK(!waiter.waiting());
  // The owner keeps the queue within its bound, and sends away who has most in it; what is on its
  // way there may be as much again.
  PlaceBounds bounds = ask.bounds;
  bounds.max_waiting = std::min(bounds.max_waiting, PlaceTable::kMostWaiting / 2) * 2;
  const PlaceTable::Taken taken = places.table().take(ask.key, bounds, ask.bytes);
  if (taken.result == Take::kTaken) {
    return {Take::kTaken, PlacePermit(places, ask.key, ask.bounds.max, taken.overflow)};
  }
  if (taken.result != Take::kQueued) return {taken.result, {}};
  waiter.places_ = places.shared_from_this();
  waiter.key_ = ask.key;
  waiter.deadline_ = now + ask.max_wait;
  waiter.id_ = seat(waiter);
  const QueuedRequest request{waiter.id_, ask.tenant, ask.weight, ask.bytes, now, waiter.deadline_};
  send_to_owner({Kind::kEnqueue, waiter.places_, ask.key, request, ask.bounds,
                 QueueDelay::from(ask.max_wait), DropCause::kDelay},
                now);
  return {Take::kQueued, {}};
}

void PlaceDesk::send_to_owner(PlaceLetter letter, TimePoint now) {
  const std::uint32_t owner = letter.places->owner(letter.key);
  if (owner != worker_) return office_.post(owner, std::move(letter));
  deliver(std::move(letter), now);
}

void PlaceDesk::deliver(PlaceLetter letter, TimePoint now) {
  switch (letter.kind) {
    case Kind::kEnqueue:
      return on_enqueue(letter, now);
    case Kind::kCancel:
      return on_cancel(letter);
    case Kind::kPlace:
      return on_place(letter, now);
    case Kind::kGrant:
      return on_grant(letter);
    case Kind::kDrop:
      return on_drop(letter);
  }
}

// ---- The waiter's side.

WaiterId PlaceDesk::seat(PlaceWaiter& waiter) {
  if (free_seats_.empty()) {
    free_seats_.push_back(static_cast<std::uint32_t>(seats_.size()));
    seats_.emplace_back();
  }
  const std::uint32_t slot = free_seats_.back();
  free_seats_.pop_back();
  seats_[slot] = {&waiter, ++generation_};
  waiter.desk_ = this;
  ++waiting_;
  return {worker_, slot, generation_};
}

// Null: it has left.
PlaceWaiter* PlaceDesk::unseat(const WaiterId& id) {
  Seat& seat = seats_[id.slot];
  if (seat.waiter == nullptr || seat.generation != id.generation) return nullptr;
  free_seats_.push_back(id.slot);
  --waiting_;
  PlaceWaiter* const waiter = std::exchange(seat.waiter, nullptr);
  waiter->desk_ = nullptr;
  waiter->places_.reset();
  return waiter;
}

void PlaceDesk::cancel(PlaceWaiter& waiter) {
  PlaceLetter letter{Kind::kCancel, waiter.places_, waiter.key_, {}, {}, {}, DropCause::kDelay};
  letter.request.id = waiter.id_;
  unseat(waiter.id_);
  // A cancelled wait looks at no clock.
  send_to_owner(std::move(letter), TimePoint{});
}

void PlaceDesk::on_grant(PlaceLetter& letter) {
  PlacePermit permit(*letter.places, letter.key, letter.bounds.max);
  if (PlaceWaiter* const waiter = unseat(letter.request.id)) waiter->on_place(std::move(permit));
}

void PlaceDesk::on_drop(const PlaceLetter& letter) {
  if (PlaceWaiter* const waiter = unseat(letter.request.id)) waiter->on_dropped(letter.cause);
}

// ---- The owner's side.

void PlaceDesk::on_enqueue(PlaceLetter& letter, TimePoint now) {
  const auto queue =
      queues_.try_emplace({letter.places.get(), letter.key}, letter.places, letter.delay).first;
  queue->second.max = letter.bounds.max;
  if (const auto out = queue->second.waiting.push(letter.request, letter.bounds.max_waiting)) {
    send_away(queue, *out, DropCause::kFull);
  }
  // A place may have come free since the request was counted as waiting.
  while (!queue->second.waiting.empty() &&
         letter.places->table().claim(letter.key, queue->second.max)) {
    if (!serve_next(queue, now)) letter.places->table().give_back(letter.key);
  }
  erase_if_empty(queue);
}

void PlaceDesk::on_cancel(const PlaceLetter& letter) {
  const auto queue = queues_.find({letter.places.get(), letter.key});
  if (queue == queues_.end()) return;
  const auto removed = queue->second.waiting.remove(letter.request.id);
  if (removed) letter.places->table().forget_waiting(letter.key, removed->bytes);
  erase_if_empty(queue);
}

void PlaceDesk::on_place(const PlaceLetter& letter, TimePoint now) {
  const auto queue = queues_.find({letter.places.get(), letter.key});
  const bool served = queue != queues_.end() && serve_next(queue, now);
  // Those who are still on their way here look for a place when they arrive.
  if (!served) letter.places->table().give_back(letter.key);
  if (queue != queues_.end()) erase_if_empty(queue);
}

// Gives a place that is counted already to the next who waits.
bool PlaceDesk::serve_next(Queues::iterator queue, TimePoint now) {
  auto& [of, state] = *queue;
  const auto next = state.waiting.pop(now, dropped_);
  for (const QueuedRequest& request : dropped_) send_away(queue, request, DropCause::kDelay);
  dropped_.clear();
  if (!next) return false;
  state.places->table().forget_waiting(of.key, next->bytes);
  PlaceLetter grant{Kind::kGrant, state.places, of.key, *next, {}, {}, DropCause::kDelay};
  grant.bounds.max = state.max;
  office_.post(next->id.worker, std::move(grant));
  return true;
}

void PlaceDesk::send_away(Queues::iterator queue, const QueuedRequest& request, DropCause cause) {
  const auto& [of, state] = *queue;
  state.places->table().forget_waiting(of.key, request.bytes);
  office_.post(request.id.worker, {Kind::kDrop, state.places, of.key, request, {}, {}, cause});
}

void PlaceDesk::erase_if_empty(Queues::iterator queue) {
  if (queue->second.waiting.empty()) queues_.erase(queue);
}

}  // namespace weir::policy
