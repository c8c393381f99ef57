// SPDX-License-Identifier: Apache-2.0
// An application that gives its client a new home: the tag in its answer wins over that of the
// request, and goes on signed as any other. Only of clusters that the config names, because who may
// say this can move clients to a cell of his choice; what others say is stripped. Failures name
// nobody's home. This request stays where it was.
#include <chrono>

#include "http/header_id.h"
#include "proxy/cell_call.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using policy::Reassignment;

// Empty: there is none. Nullopt: they contradict each other.
std::optional<std::string_view> told_once(const HeaderList& headers, std::string_view name) {
  std::string_view text;
  for (const Header& header : headers) {
    if (header.name.size() != name.size() || !http::iequals(header.name, name)) continue;
    if (!text.empty() && text != header.value) return std::nullopt;
    text = header.value;
  }
  return text;
}

}  // namespace

// Whether a header of this name may come from the cluster that the exchange is in.
bool Exchange::may_tell_cell(std::string_view name) const {
  const Cells& cells = *cell_->cells;
  if (http::iequals(name, cells.config().tag.header)) return cells.may_assign(cluster().name());
  return !http::iequals(name, cells.config().served_header) ||
         cluster().config().peer == ClusterPeer::kWeir;
}

void Exchange::take_answered_cell(const HeaderList& headers) {
  const Cells& cells = *cell_->cells;
  if (cells.config().upstream_may_assign.empty() || cell_->home == Cells::kNone) return;
  if (!admitted() || upstream_status_ >= 500 || !cells.may_assign(cluster().name())) return;
  const auto text = told_once(headers, cells.config().tag.header);
  if (text && text->empty()) return;
  const std::string_view tenant = owner_ != nullptr ? owner_->tenant : std::string_view();
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(worker_.loop().wall().time_since_epoch())
          .count();
  auto cell =
      text ? cells.reassigned(*text, tenant, now)
           : std::expected<uint32_t, Reassignment>(std::unexpected(Reassignment::kMalformed));
  if (cell && *cell == cell_->home) return;
  if (cell && (cells.open_to_homes() >> *cell & 1U) == 0) {
    cell = std::unexpected(Reassignment::kClosed);
  }
  // Who says which cell he is in gives no home to those who are there for a while.
  if (cell && *cell == cell_->served) cell = std::unexpected(Reassignment::kGuest);
  const Reassignment outcome = cell ? Reassignment::kTaken : cell.error();
  worker_.mutable_stats().cell_reassignments[static_cast<size_t>(outcome)].add();
  if (!cell) return;
  cell_->tag = cells.tag(*cell, tenant, now, arena_);
  cell_->fresh = true;
}

}  // namespace weir::proxy
