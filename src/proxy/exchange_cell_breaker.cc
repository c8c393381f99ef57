// SPDX-License-Identifier: Apache-2.0
// The circuit breaker of a cell as a whole, the level above those of its clusters: it judges what
// theirs do not explain. Who finds it open hops as from a cell where nobody is at home.
#include "proxy/cell_call.h"
#include "proxy/exchange.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using policy::Breaker;
using policy::CallEnd;

// What clusters of the cell that are out by their own breakers have done, of the cell's window.
struct OpenClusters final : policy::ExplainedBy {
  OpenClusters(const Snapshot& in, uint32_t of) : snapshot(in), cell(of) {}

  base::OutcomeCounts explained(const base::OutcomeCounts&, TimePoint now) const override {
    base::OutcomeCounts out;
    if (snapshot.breakers.empty()) return out;
    for (const uint32_t cluster : snapshot.targets.in_cell[cell]) {
      const auto& breakers = snapshot.breakers[cluster];
      if (breakers == nullptr) continue;
      out += breakers->explains(*snapshot.config->clusters[cluster].circuit_breaker, now);
    }
    return out;
  }

  const Snapshot& snapshot;
  const uint32_t cell;
};

}  // namespace

// A breaker that refuses everything, the cell's or its cluster's; one that refuses some sheds,
// which is no reason to spread.
bool Exchange::cell_open(uint32_t cell) {
  const Snapshot& snapshot = worker_.snapshot();
  const TimePoint now = worker_.loop().now();
  const Cells& cells = *cell_->cells;
  if (cells.config().circuit_breaker && cells.record(cell).breaker.open(now)) return true;
  if (snapshot.breakers.empty()) return false;
  const uint32_t place = (*cell_->targets)[cell];
  // A group passes by those of its members that are open.
  if ((place & kGroupBit) != 0) return false;
  const auto& breakers = snapshot.breakers[place];
  return breakers != nullptr && breakers->open(now);
}

Result<void> Exchange::pass_cell_breaker(uint32_t cell) {
  const auto& config = cell_->cells->config().circuit_breaker;
  cell_->judged = config.has_value();
  cell_->end_probe();
  if (!config) return {};
  Breaker& breaker = cell_->cells->record(cell).breaker;
  const TimePoint now = worker_.loop().now();
  const Breaker::Verdict verdict = breaker.admit(*config, now, worker_.rng());
  if (verdict == Breaker::Verdict::kProbe) cell_->probe = &breaker;
  if (verdict != Breaker::Verdict::kRefuse) return {};
  breaker_.retry_after = breaker.retry_after(now);
  breaker_.refused_by.reset();
  const std::string_view detail =
      arena_.concat({"cell ", cell_->name(cell), std::string_view("\0", 1)});
  return weir::fail(ErrorCode::kCircuitOpen, detail.data());
}

bool Exchange::judged() const {
  return breaker_.of != nullptr || (cell_ != nullptr && cell_->judged);
}

void Exchange::tell_cell_breaker(const CallEnd& end, const CallEnd* instead_of) {
  if (cell_ == nullptr || !cell_->judged || cell_->served == Cells::kNone) return;
  const CircuitBreakerConfig& config = *cell_->cells->config().circuit_breaker;
  const Snapshot& snapshot = worker_.snapshot();
  const OpenClusters open(snapshot, cell_->served);
  // After a reload its number may be another cell's.
  const bool current = snapshot.cells.get() == cell_->cells;
  Breaker& breaker = cell_->cells->record(cell_->served).breaker;
  if (instead_of != nullptr) breaker.withdraw(config, *instead_of);
  breaker.record(config, end.judged(config), end.at, current ? &open : nullptr);
}

}  // namespace weir::proxy
