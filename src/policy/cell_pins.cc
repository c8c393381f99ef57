// SPDX-License-Identifier: Apache-2.0
#include "policy/cell_pins.h"

#include <bit>

#include "base/check.h"
#include "base/hash.h"

namespace weir::policy {

CellPins::CellPins(std::size_t count) : slots_(std::bit_ceil(count * 2 + 1)) {}

// Where the tenant is, or where he would be put.
std::size_t CellPins::place(std::string_view tenant, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.cell == kNone) return i;
    if (slot.hash == tag && std::string_view(names_).substr(slot.offset, slot.length) == tenant) {
      return i;
    }
  }
}

void CellPins::add(std::string_view tenant, std::uint32_t cell) {
  CHECK(size_ * 2 < slots_.size() && cell != kNone);
  const std::uint64_t hash = base::hash64(tenant);
  Slot& slot = slots_[place(tenant, hash)];
  if (slot.cell != kNone) return;
  slot = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(names_.size()),
          static_cast<std::uint32_t>(tenant.size()), cell};
  names_ += tenant;
  ++size_;
}

std::uint32_t CellPins::find(std::string_view tenant) const {
  return slots_[place(tenant, base::hash64(tenant))].cell;
}

}  // namespace weir::policy
