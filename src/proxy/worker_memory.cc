// SPDX-License-Identifier: Apache-2.0
// What a worker does about a stage of memory: extras go, idle connections go, and in the end the
// largest of those who have more than their share.
#include <algorithm>

#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using base::MemoryStage;

// Between two looks at who is the largest: each costs a walk over all exchanges.
constexpr Duration kReliefPeriod = std::chrono::milliseconds(10);
constexpr Duration kSheddingPeriod = std::chrono::milliseconds(500);
// Down to this percent of the budget.
constexpr int64_t kReliefTo = 95;

}  // namespace

void Worker::relieve() {
  loop_.post([this] { relieve_now(); });
}

void Worker::relieve_now() {
  const MemoryStage stage = memory_stage();
  for (base::BlockPool* pool :
       {&small_blocks_, &large_blocks_, &exchange_memory_, &h2_stream_memory_}) {
    pool->trim();
  }
  if (stage >= MemoryStage::kDropExtras) {
    exchanges_.for_each([](Exchange& exchange) { exchange.drop_extras(); });
  }
  if (stage >= MemoryStage::kShrink && snapshot_ != nullptr) on_relief();
}

// Again and again: who is only just idle is left alone each time (shed_idle()).
void Worker::on_relief() {
  const MemoryStage stage = memory_stage();
  if (stage < MemoryStage::kShrink) return;
  while (shed_idle(UINT32_MAX) > 0) {
  }
  if (stage < MemoryStage::kReset) return loop_.arm(relief_, kSheddingPeriod);
  reset_largest();
  // Frames that wait for a socket are the connection's, and nobody's share.
  if (!meter_.fits(0)) {
    for (const auto& listener : listeners_) listener->kill_stuck_connections();
  }
  loop_.arm(relief_, kReliefPeriod);
}

// Two walks: what the largest has, then all that have more than half of that, until there is room.
// Nobody is reset for being large alone: those within their share are held back by refusals.
void Worker::reset_largest() {
  const base::MemoryBudget& budget = *options_.memory;
  meter_.push();
  int64_t excess = budget.charged() - budget.limit() / 100 * kReliefTo;
  const auto full =
      budget.limit() / 100 * base::MemoryBudget::kLines[static_cast<size_t>(MemoryStage::kReset)];
  if (budget.charged() < full) return;
  const auto victim = [](Exchange& exchange) { return !exchange.account().share_fits(0); };
  int64_t largest = 0;
  exchanges_.for_each([&](Exchange& exchange) {
    if (victim(exchange)) largest = std::max(largest, exchange.account().charged());
  });
  if (largest == 0) return;
  exchanges_.for_each([&](Exchange& exchange) {
    const int64_t charged = exchange.account().charged();
    if (excess <= 0 || charged <= largest / 2 || !victim(exchange)) return;
    excess -= charged;
    exchange.reset_for_memory();
  });
}

}  // namespace weir::proxy
