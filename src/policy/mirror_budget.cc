// SPDX-License-Identifier: Apache-2.0
#include "policy/mirror_budget.h"

namespace weir::policy {
namespace {

// Never above `most`, not even for a moment: what others have taken is theirs.
template <typename Number>
bool take(std::atomic<Number>& taken, Number more, Number most) {
  Number now = taken.load(std::memory_order_relaxed);
  do {
    if (now > most || more > most - now) return false;
  } while (!taken.compare_exchange_weak(now, now + more, std::memory_order_relaxed));
  return true;
}

}  // namespace

bool MirrorBudget::take_place(std::uint32_t most) { return take<std::uint32_t>(copies_, 1, most); }

bool MirrorBudget::take_bytes(std::uint64_t bytes, std::uint64_t most) {
  return take<std::uint64_t>(bytes_, bytes, most);
}

std::string_view mirror_drop_word(MirrorDrop drop) {
  switch (drop) {
    case MirrorDrop::kConcurrency:
      return "concurrency";
    case MirrorDrop::kBytes:
      return "bytes";
    case MirrorDrop::kMemory:
      return "memory";
    case MirrorDrop::kTooLarge:
      return "too_large";
    case MirrorDrop::kIncomplete:
      return "incomplete";
    case MirrorDrop::kStopping:
      return "stopping";
    case MirrorDrop::kCount:
      break;
  }
  return {};
}

}  // namespace weir::policy
