// SPDX-License-Identifier: Apache-2.0
#include "app/memory_guard.h"

#include "app/allocator.h"
#include "app/granted_memory.h"
#include "app/op_log.h"

namespace weir::app {
namespace {

// The rest is for what is not counted: code, config, tables, the allocator's slack.
constexpr uint64_t kAutoPercent = 60;
constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kShortTick = std::chrono::milliseconds(100);

}  // namespace

MemoryGuard::MemoryGuard(net::Loop& loop,
                         const std::vector<std::unique_ptr<proxy::Worker>>& workers, uint32_t count)
    : loop_(loop),
      workers_(workers),
      budget_(count, this),
      tick_(net::timer_callback<&MemoryGuard::on_tick>(this)) {
  on_tick();
}

void MemoryGuard::on_tick() {
  const base::MemoryStage stage = budget_.stage();
  if (stage < base::MemoryStage::kShrink) {
    decay_free_memory();
  } else {
    // What is free counts for nobody, and is resident all the same. To have it purged at once costs
    // page faults, which memory that is merely well used does not call for.
    release_free_memory();
  }
  if (stage == base::MemoryStage::kCalm) return loop_.arm(tick_, kTick);
  shares_.measure(budget_.limit());
  loop_.arm(tick_, kShortTick);
}

int64_t MemoryGuard::apply(const MemoryConfig& config) {
  const uint64_t bytes = config.budget.value_or(granted_memory() / 100 * kAutoPercent);
  budget_.set_limit(static_cast<int64_t>(bytes));
  return budget_.limit();
}

void MemoryGuard::on_memory_stage(base::MemoryStage before, base::MemoryStage now) {
  loop_.post([this, before, now] { answer(before, now); });
}

void MemoryGuard::answer(base::MemoryStage before, base::MemoryStage now) {
  const int64_t line = base::MemoryBudget::kLines[static_cast<size_t>(now)];
  op_log(now > before ? LogLevel::kWarning : LogLevel::kInfo,
         now > before ? "memory is short" : "memory is less short",
         {{"from_percent", line},
          {"charged_bytes", budget_.charged()},
          {"budget_bytes", budget_.limit()}});
  if (now != base::MemoryStage::kCalm) {
    shares_.measure(budget_.limit());
    loop_.arm(tick_, kShortTick);
  }
  for (const auto& worker : workers_) worker->relieve();
  if (now < before) release_free_memory();
}

}  // namespace weir::app
