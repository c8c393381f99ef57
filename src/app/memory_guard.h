// SPDX-License-Identifier: Apache-2.0
// Holds the memory budget of the process and the tenants' shares of it, and answers when a stage of
// pressure begins or ends: says so in the log, has every worker make room, and gives free memory
// back to the kernel on the way down, and by and by. Not the accounting: that is base/ and the
// workers'. Thread: on_memory_stage() any; the rest the control loop's. Outlives the workers.
#pragma once

#include <weir/config.h>

#include <memory>
#include <vector>

#include "base/memory_budget.h"
#include "net/loop.h"
#include "net/timer_wheel.h"
#include "policy/memory_shares.h"
#include "proxy/worker.h"

namespace weir::app {

class MemoryGuard final : public base::MemoryBudget::Observer {
 public:
  /// `workers` is filled with `count` of them before the first stage.
  MemoryGuard(net::Loop& loop, const std::vector<std::unique_ptr<proxy::Worker>>& workers,
              uint32_t count);

  /// What `config` says, `auto` resolved. Returns the bytes.
  int64_t apply(const MemoryConfig& config);

  base::MemoryBudget& budget() { return budget_; }
  const base::MemoryBudget& budget() const { return budget_; }
  policy::MemoryShares& shares() { return shares_; }

  void on_memory_stage(base::MemoryStage before, base::MemoryStage now) override;

 private:
  void answer(base::MemoryStage before, base::MemoryStage now);
  void on_tick();

  net::Loop& loop_;
  const std::vector<std::unique_ptr<proxy::Worker>>& workers_;
  base::MemoryBudget budget_;
  policy::MemoryShares shares_;
  net::Timer tick_;
};

}  // namespace weir::app
