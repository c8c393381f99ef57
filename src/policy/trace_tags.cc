// SPDX-License-Identifier: Apache-2.0
#include "policy/trace_tags.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace weir::policy {
namespace {

// Two tags of one cell differ in when they were signed.
std::string_view cell_in(std::string_view tag) { return tag.substr(0, tag.find(':')); }

}  // namespace

std::string_view outcome_word(TraceOutcome outcome) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(TraceOutcome::kCount)>
      kWords{"attached", "unknown", "ambiguous", "no_room"};
  return kWords[static_cast<std::size_t>(outcome)];
}

TraceTags::TraceTags(std::uint32_t entries, Duration ttl)
    : entries_(entries),
      ttl_(ttl),
      sets_((entries + kWays - 1) / kWays),
      table_(std::make_unique<Set[]>(sets_)) {
  CHECK(entries > 0);
}

bool TraceTags::lives(const Slot& slot, TimePoint now) const {
  return slot.length != 0 && (slot.in_flight != 0 || now - slot.last < ttl_);
}

bool TraceTags::is(const Slot& slot, std::string_view trace_id) {
  return std::string_view(slot.id.data(), slot.id.size()) == trace_id;
}

TraceTags::Set& TraceTags::set_of(std::string_view trace_id) const {
  return table_[base::hash64(trace_id) % sets_];
}

// A free one, or the one that ended first. Requires: the set's lock.
TraceTags::Slot* TraceTags::room_in(Set& set, TimePoint now) const {
  Slot* oldest = nullptr;
  for (Slot& slot : set.slots) {
    if (!lives(slot, now)) return &slot;
    if (slot.in_flight != 0) continue;
    if (oldest == nullptr || slot.last < oldest->last) oldest = &slot;
  }
  return oldest;
}

TraceTags::Hold TraceTags::remember(std::string_view trace_id, const Told& told, TimePoint now) {
  const std::string_view tag = told.tag;
  const std::uint64_t tenant = base::hash64(told.tenant);
  if (trace_id.size() != kIdBytes || tag.empty()) return {};
  CHECK(tag.size() <= CellTag::kMaxBytes);
  Set& set = set_of(trace_id);
  const std::lock_guard lock(set.mutex);
  const auto known = std::ranges::find_if(
      set.slots, [&](const Slot& slot) { return lives(slot, now) && is(slot, trace_id); });
  Slot* const slot = known == set.slots.end() ? room_in(set, now) : &*known;
  if (slot == nullptr) return {};
  if (known == set.slots.end()) {
    std::ranges::copy(trace_id, slot->id.begin());
    std::ranges::copy(tag, slot->tag.begin());
    slot->length = static_cast<std::uint16_t>(tag.size());
    slot->tenant = tenant;
    slot->in_flight = 0;
    slot->ambiguous = false;
  } else if (slot->tenant != tenant || cell_in({slot->tag.data(), slot->length}) != cell_in(tag)) {
    slot->ambiguous = true;
  } else {
    // Of the same cell, and good for longer.
    std::ranges::copy(tag, slot->tag.begin());
    slot->length = static_cast<std::uint16_t>(tag.size());
  }
  ++slot->in_flight;
  const auto in_set = static_cast<std::size_t>(slot - set.slots.data());
  return Hold(*this, static_cast<std::size_t>(&set - table_.get()) * kWays + in_set, now);
}

void TraceTags::Hold::release(TimePoint now) {
  if (table_ == nullptr) return;
  Set& set = table_->table_[slot_ / kWays];
  const std::lock_guard lock(set.mutex);
  Slot& slot = set.slots[slot_ % kWays];
  --slot.in_flight;
  slot.last = std::max(now, slot.last);
  table_ = nullptr;
}

TraceTags::Found TraceTags::find(std::string_view trace_id, std::span<char> room,
                                 TimePoint now) const {
  if (trace_id.size() != kIdBytes) return {};
  const Set& set = set_of(trace_id);
  const std::lock_guard lock(set.mutex);
  for (const Slot& slot : set.slots) {
    if (!lives(slot, now) || !is(slot, trace_id)) continue;
    if (slot.ambiguous) return {TraceOutcome::kAmbiguous, {}};
    std::copy_n(slot.tag.begin(), slot.length, room.begin());
    return {TraceOutcome::kAttached, {room.data(), slot.length}};
  }
  return {};
}

}  // namespace weir::policy
