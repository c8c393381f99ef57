// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

constexpr std::array<const char*, static_cast<size_t>(proxy::MemoryRefusal::kCount)> kReasons{
    "budget", "share", "body", "priority", "reset"};

}  // namespace

bool add_memory(Metric metric, const Totals& t, Samples& out) {
  switch (metric) {
    case Metric::kMemoryBudget:
      out.add(t.memory.budget_bytes);
      return true;
    case Metric::kMemoryErrorBound:
      out.add(t.memory.error_bytes);
      return true;
    case Metric::kMemoryStage:
      out.add(base::MemoryBudget::kLines[static_cast<size_t>(t.memory.stage)]);
      return true;
    case Metric::kMemoryRefusals:
      for (size_t i = 0; i < kReasons.size(); ++i) {
        out.add(t.memory.refusals[i], {{"reason", kReasons[i]}});
      }
      return true;
    default:
      return false;
  }
}

}  // namespace weir::admin
