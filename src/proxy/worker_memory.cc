// SPDX-License-Identifier: Apache-2.0
// What a worker does about a stage of memory: extras go, idle connections go, and in the end the
// largest of those who have more than their share.
#include <algorithm>
#include <limits>

#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using base::MemoryStage;

// Between two looks at who is the largest: each costs a walk over all exchanges.
constexpr Duration kReliefPeriod = std::chrono::milliseconds(10);
constexpr Duration kSheddingPeriod = std::chrono::milliseconds(500);
constexpr Duration kIdleWhenShort = std::chrono::seconds(2);
constexpr size_t kKeptBlocks = 16;
// Down to this percent of the budget.
constexpr int64_t kReliefTo = 95;

}  // namespace

// What a burst left behind, seconds after it: a few are kept for whoever comes next.
void Worker::trim_pools() {
  beats_to_trim_ = 0;
  small_blocks_.trim_unused(kKeptBlocks);
  large_blocks_.trim_unused(kKeptBlocks);
  exchange_memory_.trim_unused(kKeptBlocks);
  h2_stream_memory_.trim_unused(kKeptBlocks);
  mirroring_.memory().trim_unused(kKeptBlocks);
}

// Blocks that are free in one pool are memory that nobody else can have, and that no budget counts.
void Worker::drop_pools() {
  for (base::BlockPool* pool : {&small_blocks_, &large_blocks_, &exchange_memory_,
                                &h2_stream_memory_, &mirroring_.memory()}) {
    pool->trim();
  }
}

void Worker::relieve() {
  loop_.post([this] { relieve_now(); });
}

void Worker::relieve_now() {
  const MemoryStage stage = memory_stage();
  drop_pools();
  if (stage >= MemoryStage::kDropExtras) {
    mirroring_.end_all(ErrorCode::kMemoryBudget);
    exchanges_.for_each([](Exchange& exchange) { exchange.drop_extras(); });
  }
  if (stage >= MemoryStage::kShrink && snapshot_ != nullptr) on_relief();
}

// Again and again: who speaks now and then is left alone each time. What he holds is little, and a
// request that crosses the end of its connection is lost.
void Worker::on_relief() {
  const MemoryStage stage = memory_stage();
  if (stage < MemoryStage::kShrink) return;
  drop_pools();
  while (shed_idle(UINT32_MAX, nullptr, kIdleWhenShort) > 0) {
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
// Nobody is reset for being large alone: those within their share are held back by refusals. But
// shares may promise more than there is: where that keeps out a tenant of few bytes, those who have
// more than an even part of the budget make room as well.
void Worker::reset_largest() {
  // First, since the walks below may end a request, and with it the copy of it: their next.
  mirroring_.end_all(ErrorCode::kMemoryBudget);
  const base::MemoryBudget& budget = *options_.memory;
  meter_.push();
  // All workers are called at once: each does its part, and looks again soon.
  const int64_t workers = options_.office != nullptr ? options_.office->workers() : 1;
  int64_t excess = (budget.charged() - budget.limit() / 100 * kReliefTo) / workers;
  const auto full =
      budget.limit() / 100 * base::MemoryBudget::kLines[static_cast<size_t>(MemoryStage::kReset)];
  if (budget.charged() < full) return;
  const bool evenly = options_.shares != nullptr && options_.shares->room_asked(loop_.now());
  const int64_t most =
      evenly ? 2 * options_.shares->even_share() : std::numeric_limits<int64_t>::max();
  const auto victim = [most](Exchange& exchange) {
    const base::Account& account = exchange.account();
    return !account.share_fits(0) || account.share_held() > most;
  };
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
