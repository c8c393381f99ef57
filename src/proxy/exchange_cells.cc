// SPDX-License-Identifier: Apache-2.0
// The home cell of an exchange: read from the tag that came, or assigned, and told to the client,
// to the application, and to the weir behind this one. To configs without cells all of it costs the
// test of a null pointer.
#include <algorithm>
#include <charconv>
#include <new>
#include <span>
#include <variant>

#include "http/header_id.h"
#include "proxy/cell_call.h"
#include "proxy/cell_heads.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/request_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using policy::CellReason;
using policy::TagFault;

// Longer chains of weirs are a circle, though none of them knows its own name.
constexpr uint32_t kLongestPath = 8;
// A name more than that, of 128 bytes each, and what parts them.
constexpr size_t kLongestPathText = (kLongestPath + 1) * 130;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Calls `see` with each part of a list, without the blanks around it.
template <class See>
void each_part(std::string_view list, char separator, See see) {
  for (;;) {
    const size_t end = list.find(separator);
    see(trimmed(list.substr(0, end)));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

bool is_path(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._-/, ").find(c) != std::string_view::npos;
  });
}

std::string_view find_cookie(const HeaderList& headers, std::string_view name) {
  std::string_view out;
  for (const Header& header : headers) {
    if (header.id != HeaderId::kCookie) continue;
    each_part(header.value, ';', [&](std::string_view pair) {
      if (pair.size() <= name.size() || pair[name.size()] != '=' || !pair.starts_with(name)) return;
      if (out.empty()) out = pair.substr(name.size() + 1);
    });
  }
  return out;
}

}  // namespace

bool Exchange::identify_cell() {
  if (cell_ != nullptr) release_cell();
  const Cells* const cells = worker_.snapshot().cells.get();
  const RouteTarget& target = route_->target();
  if (cells == nullptr || std::holds_alternative<DirectTarget>(target) ||
      std::holds_alternative<RedirectTarget>(target)) {
    return true;
  }
  cell_ = new (arena_.allocate(sizeof(CellCall))) CellCall(*cells);
  if (trusted_peer_ && !read_cell_path()) return false;
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(worker_.loop().wall().time_since_epoch())
          .count();
  if (!take_cell_tag(now)) assign_cell(now);
  if (cells->traces() != nullptr) remember_trace();
  return true;
}

// What another weir has written on the leg to this one. False: it has been here before.
bool Exchange::read_cell_path() {
  const Cells& cells = *cell_->cells;
  if (const Header* hops = http::find_field(request_.headers, kCellHopsHeader)) {
    std::from_chars(hops->value.begin(), hops->value.end(), cell_->hops);
  }
  const Header* const path = http::find_field(request_.headers, kCellPathHeader);
  if (path == nullptr || path->value.size() > kLongestPathText || !is_path(path->value))
    return true;
  cell_->path = path->value;
  uint32_t length = 0;
  each_part(path->value, ',', [&](std::string_view name) {
    ++length;
    const uint32_t cell = cells.find(name);
    if (cell != Cells::kNone) cell_->visited |= uint64_t{1} << cell;
  });
  const uint32_t self = cells.self();
  const bool again = self != Cells::kNone && (cell_->visited >> self & 1U) != 0;
  if (!again && length <= kLongestPath) return true;
  const std::string_view here = self == Cells::kNone ? "this front door" : cell_->name(self);
  const std::string_view walk =
      arena_.concat({"by ", path->value, ",", here, std::string_view("\0", 1)});
  fail(make_error(ErrorCode::kCellLoop, walk.data()));
  return false;
}

// True: the request has named its home, and is believed.
bool Exchange::take_cell_tag(int64_t now) {
  const CellsConfig& config = cell_->cells->config();
  std::string_view text;
  bool twice = false;
  for (const Header& header : request_.headers) {
    if (header.name.size() != config.tag.header.size()) continue;
    if (!http::iequals(header.name, config.tag.header)) continue;
    twice = twice || (!text.empty() && text != header.value);
    text = header.value;
  }
  if (text.empty() && !config.tag.cookie.empty()) {
    text = find_cookie(request_.headers, config.tag.cookie);
  }
  if (text.empty()) return cell_->cells->traces() != nullptr && take_trace_tag();
  const std::string_view tenant = owner_ != nullptr ? owner_->tenant : std::string_view();
  auto claim = cell_->cells->believe(text, tenant, trusted_peer_, now);
  if (twice) claim = std::unexpected(TagFault::kMalformed);
  if (!claim) {
    worker_.mutable_stats().cell_tags_rejected[static_cast<size_t>(claim.error())].add();
    return false;
  }
  cell_->home = claim->cell;
  cell_->reason = CellReason::kTag;
  cell_->fresh = claim->renew;
  cell_->tag = claim->renew ? cell_->cells->tag(claim->cell, tenant, now, arena_) : text;
  return true;
}

// A call of the application behind this weir, which keeps the trace but not the tag. What came in
// has been believed, so the tag that it had is not asked for its signature again.
bool Exchange::take_trace_tag() {
  const Cells& cells = *cell_->cells;
  if (!cells.reattaches(client_.listener->config().name)) return false;
  const std::span<char> room(static_cast<char*>(arena_.allocate(policy::CellTag::kMaxBytes)),
                             policy::CellTag::kMaxBytes);
  auto found = cells.traces()->find(trace_id(), room, worker_.loop().now());
  const auto tag = policy::parse_cell_tag(found.tag);
  const uint32_t cell = tag ? cells.find(tag->cell) : Cells::kNone;
  const bool attached = found.outcome == policy::TraceOutcome::kAttached;
  if (attached && cell == Cells::kNone) found.outcome = policy::TraceOutcome::kUnknown;
  worker_.mutable_stats().cell_reattach[static_cast<size_t>(found.outcome)].add();
  if (cell == Cells::kNone) return false;
  cell_->home = cell;
  cell_->reason = CellReason::kTrace;
  cell_->tag = found.tag;
  return true;
}

void Exchange::remember_trace() {
  if (cell_->cells->reattaches(client_.listener->config().name)) return;
  const std::string_view tenant = owner_ == nullptr ? std::string_view() : owner_->tenant;
  cell_->trace =
      cell_->cells->traces()->remember(trace_id(), {cell_->tag, tenant}, worker_.loop().now());
  if (cell_->trace) return;
  constexpr auto kNoRoom = static_cast<size_t>(policy::TraceOutcome::kNoRoom);
  worker_.mutable_stats().cell_reattach[kNoRoom].add();
}

void Exchange::assign_cell(int64_t now) {
  Cells::Asked asked{request_, {}, {}, client_key(), worker_.rng().next()};
  if (owner_ != nullptr) {
    asked.tenant = owner_->tenant;
    asked.function = owner_->function;
  }
  const Cells::Home home = cell_->cells->assign(asked, arena_);
  cell_->home = home.cell;
  cell_->reason = home.how;
  cell_->fresh = true;
  cell_->tag = cell_->cells->tag(home.cell, asked.tenant, now, arena_);
}

void Exchange::keep_cells(std::shared_ptr<const Cells> cells) {
  if (cell_->kept == nullptr) cell_->kept = std::move(cells);
  cell_->targets = nullptr;
}

void Exchange::release_cell() {
  leave_guest();
  cell_->end_probe();
  cell_->trace.release(worker_.loop().now());
  cell_->~CellCall();
  cell_ = nullptr;
}

void Exchange::count_cell() {
  if (cell_->served == Cells::kNone) return;
  policy::CellRow& row = cell_->cells->row(cell_->home, cell_->served);
  row.of_worker[worker_.index()].count[static_cast<size_t>(cell_->reason)].add();
}

// ---- Heads.

namespace {

std::string_view joined(base::Arena& arena, std::string_view a, std::string_view b) {
  if (a.empty()) return b;
  return b.empty() ? a : arena.concat({a, ",", b});
}

}  // namespace

void stamp_cell(HeaderList& headers, bool any_weir, Exchange& exchange) {
  const CellCall& call = *exchange.cell();
  const Cells& cells = *call.cells;
  base::Arena& arena = exchange.arena();
  for (const std::string& name : cells.stripped_headers()) {
    if (may_have(any_weir, name)) http::remove_field(headers, name);
  }
  headers.push({arena.copy(cells.config().tag.header), call.tag, HeaderId::kOther});
  if (exchange.cluster().config().peer != ClusterPeer::kWeir) return;
  const std::string_view here = cells.self() == Cells::kNone ? "door" : call.name(cells.self());
  std::string_view path = joined(arena, call.path, call.left);
  bool told = false;
  each_part(call.left, ',', [&](std::string_view name) { told = told || name == here; });
  if (!told) path = joined(arena, path, here);
  headers.push({kCellPathHeader, path, HeaderId::kOther});
  headers.push({kCellHopsHeader,
                call.hops == 0   ? "0"
                : call.hops == 1 ? "1"
                                 : "2",
                HeaderId::kOther});
}

void tell_cell(HeaderList& headers, Exchange& exchange) {
  const CellCall& call = *exchange.cell();
  const CellsConfig& config = call.cells->config();
  base::Arena& arena = exchange.arena();
  http::remove_field(headers, config.tag.header);
  // Only another weir knows better where it was served.
  const bool by_weir =
      exchange.admitted() && exchange.cluster().config().peer == ClusterPeer::kWeir;
  if (!by_weir) http::remove_field(headers, config.served_header);
  if (call.home == Cells::kNone) return;
  if (config.tag.response_header) {
    headers.push({arena.copy(config.tag.header), call.tag, HeaderId::kOther});
  }
  const bool away = call.served != Cells::kNone && call.served != call.home;
  if (away && http::find_field(headers, config.served_header) == nullptr) {
    headers.push({arena.copy(config.served_header), call.name(call.served), HeaderId::kOther});
  }
  if (!call.fresh || config.tag.cookie.empty()) return;
  const bool secure = exchange.request().scheme == "https";
  headers.push({"set-cookie",
                arena.concat({config.tag.cookie, "=", call.tag, call.cells->cookie_end(),
                              secure ? "; Secure" : ""}),
                HeaderId::kSetCookie});
}

}  // namespace weir::proxy
