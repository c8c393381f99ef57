// SPDX-License-Identifier: Apache-2.0
// Which tag came in with which trace, so that a sidecar can put it on the calls that its
// application makes: applications carry `traceparent` (W3C Trace Context) further, but not our tag.
// Of fixed size. What is in flight stays; what has ended makes room, the oldest first. A trace that
// has come with two tags says nothing about either: it yields none until it is forgotten. Nor does
// one that has come from two tenants: a signed tag is good for one of them.
// Any thread. Outlives its holds.
#pragma once

#include <weir/clock.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

#include "policy/cell_tag.h"

namespace weir::policy {

/// What came of a call out, and of a request in that could not be remembered.
enum class TraceOutcome : std::uint8_t {
  kAttached,
  kUnknown,    ///< No request in has this trace, or none within the time.
  kAmbiguous,  ///< Requests of one trace have come with different tags.
  kNoRoom,     ///< A request in, while as many as there is room for are in flight.
  kCount
};
std::string_view outcome_word(TraceOutcome outcome);

class TraceTags {
 public:
  /// A request in. Until it ends, its trace is known; move-only.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& from) noexcept
        : table_(std::exchange(from.table_, nullptr)), slot_(from.slot_), now_(from.now_) {}
    Hold& operator=(Hold&& from) noexcept {
      release(now_);
      table_ = std::exchange(from.table_, nullptr);
      slot_ = from.slot_;
      now_ = from.now_;
      return *this;
    }
    ~Hold() { release(now_); }
    explicit operator bool() const { return table_ != nullptr; }
    /// Harmless when repeated.
    void release(TimePoint now);

   private:
    friend class TraceTags;
    Hold(TraceTags& table, std::size_t slot, TimePoint now)
        : table_(&table), slot_(slot), now_(now) {}
    TraceTags* table_ = nullptr;
    std::size_t slot_ = 0;
    TimePoint now_;
  };

  struct Found {
    TraceOutcome outcome = TraceOutcome::kUnknown;
    std::string_view tag;  ///< Within the room that was given.
  };

  /// Room for `entries` traces, rounded up; each is known for `ttl` after its last request.
  TraceTags(std::uint32_t entries, Duration ttl);
  TraceTags(const TraceTags&) = delete;
  TraceTags& operator=(const TraceTags&) = delete;

  std::uint32_t entries() const { return entries_; }
  Duration ttl() const { return ttl_; }

  /// Of a request in.
  struct Told {
    std::string_view tag;  ///< Of at most CellTag::kMaxBytes.
    std::string_view tenant;
  };
  /// An empty hold: no room.
  Hold remember(std::string_view trace_id, const Told& told, TimePoint now);
  /// The tag of a trace, copied into `room` of CellTag::kMaxBytes.
  Found find(std::string_view trace_id, std::span<char> room, TimePoint now) const;

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kIdBytes = 32;

  struct Slot {
    std::array<char, kIdBytes> id;
    std::array<char, CellTag::kMaxBytes> tag;
    TimePoint last;            ///< When the last of its requests ended.
    std::uint64_t tenant = 0;  ///< A hash.
    std::uint32_t in_flight = 0;
    std::uint16_t length = 0;  ///< Of the tag; 0: the slot is free.
    bool ambiguous = false;
  };
  struct Set {
    mutable std::mutex mutex;
    std::array<Slot, kWays> slots;
  };

  bool lives(const Slot& slot, TimePoint now) const;
  static bool is(const Slot& slot, std::string_view trace_id);
  Set& set_of(std::string_view trace_id) const;
  Slot* room_in(Set& set, TimePoint now) const;

  const std::uint32_t entries_;
  const Duration ttl_;
  const std::size_t sets_;
  const std::unique_ptr<Set[]> table_;
};

}  // namespace weir::policy
