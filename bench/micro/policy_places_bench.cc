// SPDX-License-Identifier: Apache-2.0
// A concurrency place, taken and given back. Expected: under 60 ns for the pair on a warm key; a
// round through the queue (wait, hand over, grant) under 2 us beside the letters' own way.
#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <utility>

#include "policy/places.h"

namespace {

using namespace weir;
using namespace weir::policy;

constexpr TimePoint kNow{std::chrono::seconds(1'000)};
constexpr LimitKey kKey{0x1234'5678'9abc'def0, 7};

class OneWorker final : public PlaceOffice {
 public:
  std::uint32_t workers() const override { return 1; }
  void post(std::uint32_t, PlaceLetter letter) override { letters_.push_back(std::move(letter)); }
  void deliver_to(PlaceDesk& desk) {
    while (!letters_.empty()) {
      PlaceLetter letter = std::move(letters_.front());
      letters_.pop_front();
      desk.deliver(std::move(letter), kNow);
    }
  }

 private:
  std::deque<PlaceLetter> letters_;
};

struct Waiter final : PlaceWaiter {
  void on_place(PlacePermit given) override { permit = std::move(given); }
  void on_dropped(DropCause) override {}
  PlacePermit permit;
};

PlaceAsk ask_for(std::uint32_t max) {
  return {kKey, {max, 100, 1 << 20}, {1, 1}, 1, 0, std::chrono::seconds(1)};
}

void take_and_release(benchmark::State& state) {
  static OneWorker* const office = new OneWorker;
  static const auto* const places = new auto(std::make_shared<Places>(1'000, *office));
  PlaceDesk desk(*office, 0);
  Waiter waiter;
  for (auto _ : state) {
    benchmark::DoNotOptimize(desk.ask(**places, ask_for(100), waiter, kNow));
  }
}
BENCHMARK(take_and_release)->UseRealTime()->Threads(1)->Threads(2);

void refuse(benchmark::State& state) {
  OneWorker office;
  const auto places = std::make_shared<Places>(1'000, office);
  PlaceDesk desk(office, 0);
  Waiter waiter;
  const PlaceAsk what{kKey, {1, 0, 0}, {1, 1}, 1, 0, {}};
  const PlaceAnswer holder = desk.ask(*places, what, waiter, kNow);
  for (auto _ : state) benchmark::DoNotOptimize(desk.ask(*places, what, waiter, kNow));
}
BENCHMARK(refuse);

void wait_and_be_granted(benchmark::State& state) {
  OneWorker office;
  const auto places = std::make_shared<Places>(1'000, office);
  PlaceDesk desk(office, 0);
  Waiter holder;
  Waiter next;
  holder.permit = desk.ask(*places, ask_for(1), holder, kNow).permit;
  for (auto _ : state) {
    desk.ask(*places, ask_for(1), next, kNow);
    holder.permit.release();
    office.deliver_to(desk);
    std::swap(holder.permit, next.permit);
  }
}
BENCHMARK(wait_and_be_granted);

}  // namespace
