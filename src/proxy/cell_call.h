// SPDX-License-Identifier: Apache-2.0
// Where an exchange lives and where it is served: in the exchange's arena, and only where the
// config has cells. The code is in exchange_cells.cc and exchange_cell_hop.cc.
// Lifetime: from the matched route to the end of the exchange, which gives a guest's place back.
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/cells.h"

namespace weir::proxy {

struct CellCall {
  explicit CellCall(const Cells& of) : cells(&of) {}
  CellCall(const CellCall&) = delete;
  CellCall& operator=(const CellCall&) = delete;
  ~CellCall() = default;

  const Cells* cells;                 ///< Of the snapshot that it was identified by.
  std::shared_ptr<const Cells> kept;  ///< The same, once that snapshot has gone.
  /// The target's clusters, cell by cell, in that snapshot; null: it names no {cell}.
  const std::vector<std::uint32_t>* targets = nullptr;
  std::uint32_t home = Cells::kNone;
  std::uint32_t served = Cells::kNone;  ///< kNone: not yet, or nobody here knows.
  std::uint32_t hops = 0;               ///< Of this leg between weirs, those before this one too.
  std::uint64_t visited = 0;            ///< Cells that it may not hop to, a bit each.
  std::string_view path;                ///< As another weir has told it.
  std::string_view left;                ///< The cells that it has left here, as `path`.
  std::string_view tag;                 ///< What upstreams and the client are told.
  policy::CellReason reason = policy::CellReason::kTag;
  policy::CellReason reason_at_home = policy::CellReason::kTag;  ///< Of who comes home later.
  bool fresh = false;                      ///< The client does not have this tag yet.
  policy::CellRecord* guest_of = nullptr;  ///< Who has a place less for it.
  policy::TraceTags::Hold trace;           ///< Its tag is known by its trace.
  bool judged = false;                     ///< The cell that serves has a breaker,
  policy::Breaker* probe = nullptr;        ///< and is being probed with this.

  void end_probe() {
    if (probe != nullptr) std::exchange(probe, nullptr)->end_probe();
  }
  /// Its records are never freed.
  std::string_view name(std::uint32_t cell) const {
    return cell == Cells::kNone ? std::string_view() : cells->record(cell).name;
  }
};

}  // namespace weir::proxy
