// SPDX-License-Identifier: Apache-2.0
// Where an exchange with a home is served: at home, or by the rules of hops in another cell. An
// overloaded cell sheds, it does not spread: only who finds nobody at home may leave, or who is to
// come home to a cell that was out a little later than others.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "base/hash.h"
#include "proxy/cell_call.h"
#include "proxy/cell_heads.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using policy::CellReason;

// Endpoints at home that may be found dead one after the other before a request hops.
constexpr uint32_t kMostAtHome = 12;

bool is_safe(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions;
}

// Of a cell that a request leaves, or would.
std::string_view state_words(CellReason reason) {
  switch (reason) {
    case CellReason::kDrained:
      return " is drained ";
    case CellReason::kCircuitOpen:
      return " has its circuit breaker open ";
    default:
      return " has nobody ";
  }
}

// Nothing was sent, because there was nobody to send it to.
bool met_nobody(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNoEndpoint:
    case ErrorCode::kNoHealthyEndpoint:
    case ErrorCode::kDnsFailure:
      return true;
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kConnectFailed:
    case ErrorCode::kUpstreamTls:
      return error.retry == Retry::kUnsent;
    default:
      return false;
  }
}

}  // namespace

Result<void> Exchange::enter_cell() {
  const Cells& cells = *cell_->cells;
  const uint32_t self = cells.self();
  const uint32_t target = choose_target();
  if ((target & kCellsBit) == 0) {
    if (self != Cells::kNone) {
      if (const Result<void> taken = take_guest(); !taken) return taken;
      if (const Result<void> passed = pass_cell_breaker(self); !passed) return passed;
      cell_->served = self;
    }
    return enter(target);
  }
  cell_->targets = &worker_.snapshot().targets.of_cells[target & ~kCellsBit];
  // Who has hopped to this cell is served here: sending him home would send him in circles.
  const bool sent = cell_->hops > 0 && self != Cells::kNone;
  const uint32_t first = sent ? self : cell_->home;
  if (cells.state(first) == CellState::kDrained) return hop_from(first, CellReason::kDrained);
  if (!cell_usable(first)) return hop_from(first, CellReason::kNoEndpoint);
  // Who may not leave is told by the breaker itself, which knows when to come again.
  if (cell_open(first) && why_no_hop(first) == nullptr) {
    return hop_from(first, CellReason::kCircuitOpen);
  }
  if (!sent && comes_home_later(first) && wait_away(first)) return {};
  return serve_in(first, cell_->reason);
}

// False: nobody takes it, and nothing has happened.
bool Exchange::wait_away(uint32_t home) {
  const CellReason reason = cell_->reason;
  const uint64_t visited = cell_->visited;
  if (hop_from(home, CellReason::kReturning)) {
    cell_->reason_at_home = reason;
    return true;
  }
  cell_->reason = reason;
  cell_->visited = visited;
  return false;
}

// Where it was to wait there is nobody, and its home is well. It is there as if it had never left,
// but for the cells that it need not be sent to again.
bool Exchange::go_home_after(const Error& error) {
  note_attempt(attempt_, error_info(error.code).reason);
  leave_guest();
  --cell_->hops;
  const size_t name = cell_->name(cell_->home).size();
  cell_->left.remove_suffix(std::min(cell_->left.size(), name + 1));
  if (!serve_in(cell_->home, cell_->reason_at_home)) return false;
  repeat_in_cell();
  return true;
}

void Exchange::repeat_in_cell() {
  attempt_.forget_tried();
  if (upstream_request_.headers.size() != 0) stamp_cell(upstream_request_.headers, true, *this);
  repeat({}, Duration::zero());
}

// A cell that was out gets its own requests back bit by bit: the same ones go home from look to
// look, and more of them. Only who may hop is asked to, and only while others have room.
bool Exchange::comes_home_later(uint32_t home) {
  const uint32_t place = (*cell_->targets)[home];
  const upstream::HomeShare& at =
      (place & kGroupBit) == 0
          ? worker_.cluster(place).shared().home_share()
          : (*worker_.snapshot().failover)[place & ~kGroupBit].state().home_share;
  const uint32_t share = at.load();
  if (share == upstream::Failback::kWhole || why_no_hop(home) != nullptr) return false;
  const std::string_view who =
      owner_ != nullptr && !owner_->tenant.empty() ? owner_->tenant : client_key();
  return base::mix64(base::hash64(who)) % upstream::Failback::kWhole >= share;
}

bool Exchange::cell_usable(uint32_t cell) {
  const uint32_t place = (*cell_->targets)[cell];
  if ((place & kGroupBit) == 0) return worker_.cluster(place).shared().health().usable;
  return std::ranges::any_of((*worker_.snapshot().failover)[place & ~kGroupBit].seats(),
                             [](const auto& seat) { return seat.cluster->health().usable; });
}

// Requests that the cell could take besides those that it has.
uint32_t Exchange::room_in(uint32_t cell) {
  uint64_t whole = 0;
  uint64_t used = 0;
  const auto add = [&](const upstream::Cluster& cluster) {
    whole += cluster.limits().max_requests;
    used += cluster.requests();
  };
  const uint32_t place = (*cell_->targets)[cell];
  if ((place & kGroupBit) == 0) {
    add(worker_.cluster(place).shared());
  } else {
    for (const auto& seat : (*worker_.snapshot().failover)[place & ~kGroupBit].seats()) {
      add(*seat.cluster);
    }
  }
  const auto& capacity = cell_->cells->member(cell).capacity;
  if (capacity) whole = *capacity;
  return whole <= used ? 0 : static_cast<uint32_t>(std::min<uint64_t>(whole - used, UINT32_MAX));
}

Result<void> Exchange::serve_in(uint32_t cell, CellReason reason) {
  if (cell == cell_->cells->self()) {
    if (const Result<void> taken = take_guest(); !taken) return taken;
    if (cell_->guest_of != nullptr && !policy::is_hop(reason)) reason = CellReason::kGuest;
  }
  if (const Result<void> passed = pass_cell_breaker(cell); !passed) return passed;
  if (hops_ != nullptr) leave_group();
  const Result<void> entered = enter((*cell_->targets)[cell]);
  if (!entered) {
    leave_guest();
    return entered;
  }
  cell_->served = cell;
  cell_->reason = reason;
  return {};
}

// A place among the guests, for who lives elsewhere.
Result<void> Exchange::take_guest() {
  const Cells& cells = *cell_->cells;
  const uint32_t self = cells.self();
  if (cell_->home == self || cell_->guest_of != nullptr) return {};
  policy::CellRecord& host = cells.record(self);
  const CellState state = cells.state(self);
  const bool closed =
      state == CellState::kDrained || state == CellState::kFenced || state == CellState::kIsolated;
  if (closed || !host.take_guest(cells.guest_limit())) {
    worker_.mutable_stats().cell_guests_refused.add();
    return weir::fail(ErrorCode::kGuestCapacity,
                      closed ? "the cell takes no guests" : "the cell has as many as it takes");
  }
  cell_->guest_of = &host;
  cell_->reason = CellReason::kGuest;
  return {};
}

void Exchange::leave_guest() {
  if (auto* const of = std::exchange(cell_->guest_of, nullptr)) of->release_guest();
}

// Null: it may.
const char* Exchange::why_no_hop(uint32_t from) const {
  const Cells& cells = *cell_->cells;
  const CellsConfig& config = cells.config();
  const RouteCellsConfig& own = route_->config().cells;
  if (own.fallback.value_or(config.fallback) == CellFallback::kStrict) {
    return "and the route is strict";
  }
  const CellHop hop = own.hop.value_or(config.hop);
  if (hop == CellHop::kNever) return "and the route never hops";
  if (hop == CellHop::kSafeMethods && !is_safe(request_.method)) {
    return "and the method is not safe to hop with";
  }
  const bool isolated =
      cells.state(from) == CellState::kIsolated || cells.state(cell_->home) == CellState::kIsolated;
  if (isolated) return "and it is isolated";
  if (cell_->hops >= config.max_hops) return "and max_hops is reached";
  return nullptr;
}

Result<void> Exchange::hop_from(uint32_t from, CellReason reason) {
  const auto refuse = [&](std::string_view why) {
    const std::string_view detail = arena_.concat(
        {"cell ", cell_->name(from), state_words(reason), why, std::string_view("\0", 1)});
    return weir::fail(ErrorCode::kCellUnavailable, detail.data());
  };
  if (const char* const why = why_no_hop(from)) return refuse(why);
  cell_->visited |= uint64_t{1} << from;
  for (uint32_t to = roomiest_cell(); to != Cells::kNone; to = roomiest_cell()) {
    cell_->visited |= uint64_t{1} << to;
    const bool was_guest = cell_->guest_of != nullptr;
    if (!serve_in(to, reason)) continue;
    if (was_guest && to != cell_->cells->self()) leave_guest();
    ++cell_->hops;
    cell_->left = cell_->left.empty() ? cell_->name(from)
                                      : arena_.concat({cell_->left, ",", cell_->name(from)});
    worker_.mutable_stats().cell_hops.add();
    return {};
  }
  return refuse("and no other cell can take it");
}

// Of those that were not tried: in the home's region before elsewhere, then by free capacity.
uint32_t Exchange::roomiest_cell() {
  const Cells& cells = *cell_->cells;
  const std::string& region = cells.member(cell_->home).region;
  uint32_t best = Cells::kNone;
  uint64_t best_rank = 0;
  for (uint32_t i = 0; i < cells.size(); ++i) {
    if ((cell_->visited >> i & 1U) != 0 || i == cell_->home) continue;
    // A weight of 0 is for those who are named by pins and rules.
    if (cells.member(i).weight == 0) continue;
    if (cells.state(i) != CellState::kActive || !cell_usable(i) || cell_open(i)) continue;
    const uint32_t room = room_in(i);
    if (room == 0) continue;
    const uint64_t near = !region.empty() && cells.member(i).region == region ? 1 : 0;
    const uint64_t rank = near << 32 | room;
    if (rank <= best_rank) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

// Nobody at home could be reached: the next cell at once, since this one has felt nothing of it.
bool Exchange::hop_after(const Error& error) {
  const bool possible = cell_->served != Cells::kNone && routed() && met_nobody(error) &&
                        cell_->targets != nullptr && !downstream_gone_ &&
                        bytes_received_ == held_.size();
  if (!possible) return false;
  // A group has seen to it that nobody is left.
  const bool others = hops_ == nullptr && attempt_.has_untried();
  if (others && may_repeat()) return false;
  if (others && error.code != ErrorCode::kConnectTimeout && attempts_ < kMostAtHome) {
    // Nothing was sent and others stand at home: that costs nobody a retry.
    note_attempt(attempt_, error_info(error.code).reason);
    repeat({}, Duration::zero());
    return true;
  }
  if (cell_->reason == CellReason::kReturning) return go_home_after(error);
  const uint32_t from = cell_->served;
  cell_->visited |= uint64_t{1} << from;
  if (why_no_hop(from) != nullptr || roomiest_cell() == Cells::kNone) return false;
  note_attempt(attempt_, error_info(error.code).reason);
  if (!hop_from(from, CellReason::kConnectFailure)) return false;
  repeat_in_cell();
  return true;
}

}  // namespace weir::proxy
