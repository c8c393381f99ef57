// SPDX-License-Identifier: Apache-2.0
// Desks of several workers on one thread: letters lie in boxes until the test delivers them, worker
// by worker in any order, each box in its own.
#pragma once

#include <weir/clock.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "policy/places.h"

namespace weir::policy {

class FakeOffice final : public PlaceOffice {
 public:
  FakeOffice(std::uint32_t workers, const Clock& clock) : clock_(clock), boxes_(workers) {
    for (std::uint32_t i = 0; i < workers; ++i) {
      desks_.push_back(std::make_unique<PlaceDesk>(*this, i));
    }
  }
  std::uint32_t workers() const override { return static_cast<std::uint32_t>(boxes_.size()); }
  void post(std::uint32_t worker, PlaceLetter letter) override {
    boxes_[worker].push_back(std::move(letter));
  }

  PlaceDesk& desk(std::uint32_t worker) { return *desks_[worker]; }
  /// The oldest letter of that worker. False: none.
  bool deliver_one(std::uint32_t worker) {
    if (boxes_[worker].empty()) return false;
    PlaceLetter letter = std::move(boxes_[worker].front());
    boxes_[worker].pop_front();
    desks_[worker]->deliver(std::move(letter), clock_.now());
    return true;
  }
  /// All letters, and those that follow from them.
  void deliver_all() {
    bool more = true;
    while (more) {
      more = false;
      for (std::uint32_t i = 0; i < workers(); ++i) more = deliver_one(i) || more;
    }
  }

 private:
  const Clock& clock_;
  std::vector<std::deque<PlaceLetter>> boxes_;
  std::vector<std::unique_ptr<PlaceDesk>> desks_;
};

/// A request: asks, perhaps waits, then holds a place until it ends.
class FakeRequest final : public PlaceWaiter {
 public:
  void on_place(PlacePermit permit) override { permit_ = std::move(permit); }
  void on_dropped(DropCause) override { dropped_ = true; }

  Take ask(PlaceDesk& desk, Places& places, const PlaceAsk& ask, TimePoint now) {
    PlaceAnswer answer = desk.ask(places, ask, *this, now);
    permit_ = std::move(answer.permit);
    return answer.result;
  }
  void end() {
    cancel();
    permit_.release();
  }
  bool holds() const { return static_cast<bool>(permit_); }
  bool dropped() const { return dropped_; }

 private:
  PlacePermit permit_;
  bool dropped_ = false;
};

}  // namespace weir::policy
