// SPDX-License-Identifier: Apache-2.0
#include "base/memory_budget.h"

#include <algorithm>

namespace weir::base {
namespace {

// Large enough that a worker at an even load does not push at all, small enough that all of them
// together know the sum within some 3 %.
constexpr int64_t kLargestBatch = 64 * 1024;
constexpr int64_t kSmallestBatch = 4 * 1024;
constexpr int64_t kPartsOfBudget = 32;

}  // namespace

void MemoryBudget::set_limit(int64_t bytes) {
  const int64_t fair = bytes / (kPartsOfBudget * std::max<uint32_t>(workers_, 1));
  batch_.store(bytes == 0 ? std::numeric_limits<int64_t>::max() / 4
                          : std::clamp(fair, kSmallestBatch, kLargestBatch),
               std::memory_order_relaxed);
  limit_.store(bytes, std::memory_order_relaxed);
  add(0);
}

MemoryStage MemoryBudget::stage_at(int64_t charged) const {
  if (limit() == 0) return MemoryStage::kCalm;
  size_t stage = kMemoryStages - 1;
  while (stage > 0 && charged < points(kLines[stage])) --stage;
  return static_cast<MemoryStage>(stage);
}

void MemoryBudget::add(int64_t bytes) {
  const int64_t sum = charged_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const MemoryStage before = stage();
  if (before == MemoryStage::kCalm && sum < points(kLines[1]) && limit() != 0) return;
  const MemoryStage now = stage_at(sum);
  if (now > before) move(before, now);
  if (sum >= points(kLines[static_cast<size_t>(before)] - kHysteresis)) {
    below_since_.store(0, std::memory_order_relaxed);
  }
}

void MemoryBudget::settle(TimePoint now) {
  const MemoryStage before = stage();
  if (before == MemoryStage::kCalm) return;
  const int64_t sum = charged();
  if (limit() != 0 && sum >= points(kLines[static_cast<size_t>(before)] - kHysteresis)) {
    below_since_.store(0, std::memory_order_relaxed);
    return;
  }
  int64_t since = 0;
  const int64_t now_ns = now.time_since_epoch().count();
  if (below_since_.compare_exchange_strong(since, now_ns, std::memory_order_relaxed)) return;
  if (now_ns - since < kCalmFor.count()) return;
  below_since_.store(0, std::memory_order_relaxed);
  // No further down than where the hysteresis of the next stage would hold it.
  move(before, std::min(before, stage_at(sum + points(kHysteresis))));
}

// Of two that move it at the same time the higher one stays: the other looks again soon enough.
void MemoryBudget::move(MemoryStage before, MemoryStage now) {
  while (before != now) {
    if (stage_.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
      if (observer_ != nullptr) observer_->on_memory_stage(before, now);
      return;
    }
    if (before >= now) return;
  }
}

void MemoryMeter::push() {
  if (budget_ == nullptr) {
    batch_ = std::numeric_limits<int64_t>::max() / 4;
    return;
  }
  const int64_t drift = drift_;
  drift_ = 0;
  batch_ = budget_->batch();
  budget_->add(drift);
}

bool MemoryMeter::fits(int64_t bytes) const {
  if (budget_ == nullptr) return true;
  const int64_t limit = budget_->limit();
  return limit == 0 || budget_->charged() + drift_ + bytes <= limit;
}

}  // namespace weir::base
