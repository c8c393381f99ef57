// SPDX-License-Identifier: Apache-2.0
// Timers: what a request pays (a deadline that moves later), what a connection pays (arm, cancel),
// and a wheel full of timers that all fire. Expected: a move under 5 ns, arm and cancel under 30
// ns.
#include <benchmark/benchmark.h>

#include <deque>

#include "base/rng.h"
#include "net/timer_wheel.h"

namespace {

using namespace weir;
using namespace weir::net;
using std::chrono::milliseconds;

struct Owner {
  void on_time() { ++fired; }
  int fired = 0;
  Timer timer{timer_callback<&Owner::on_time>(this)};
};

constexpr TimePoint kStart{};

void move_later(benchmark::State& state) {
  TimerWheel wheel(kStart);
  Owner owner;
  TimePoint deadline = kStart + milliseconds(60'000);
  for (auto _ : state) {
    deadline += Duration(100);
    wheel.arm(owner.timer, deadline);
  }
}
BENCHMARK(move_later);

void arm_and_cancel(benchmark::State& state) {
  TimerWheel wheel(kStart);
  std::deque<Owner> others(10'000);
  base::Rng rng(1);
  for (Owner& other : others) wheel.arm(other.timer, kStart + milliseconds(rng.below(60'000)));
  Owner owner;
  for (auto _ : state) {
    wheel.arm(owner.timer, kStart + milliseconds(10'000));
    owner.timer.cancel();
  }
}
BENCHMARK(arm_and_cancel);

void next_wake(benchmark::State& state) {
  TimerWheel wheel(kStart);
  std::deque<Owner> owners(static_cast<size_t>(state.range(0)));
  base::Rng rng(1);
  for (Owner& owner : owners) wheel.arm(owner.timer, kStart + milliseconds(rng.below(600'000)));
  for (auto _ : state) benchmark::DoNotOptimize(wheel.next_wake());
}
BENCHMARK(next_wake)->Arg(1)->Arg(10'000);

// Each timer once around: arm, cascades on the way, fire.
void fire(benchmark::State& state) {
  constexpr size_t kTimers = 10'000;
  std::deque<Owner> owners(kTimers);
  base::Rng rng(1);
  for (auto _ : state) {
    TimerWheel wheel(kStart);
    for (Owner& owner : owners) wheel.arm(owner.timer, kStart + milliseconds(rng.below(60'000)));
    for (int ms = 8; ms <= 60'008; ms += 8) wheel.advance(kStart + milliseconds(ms));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kTimers));
}
BENCHMARK(fire)->Unit(benchmark::kMillisecond);

}  // namespace
