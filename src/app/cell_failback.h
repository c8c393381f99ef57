// SPDX-License-Identifier: Apache-2.0
// Brings the requests of a cell home after it was out: what stands for a cell, a cluster or a
// failover group, has a Failback, as members of groups do, and its share says which part of the
// cell's own requests is served there rather than where they may hop to. Who was out: it could not
// be used (a group: none of its members), or an operator had drained the cell. Looks a few times a
// second, logs what changes.
// Thread: the control loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "proxy/snapshot.h"
#include "upstream/failback.h"

namespace weir::app {

class CellFailback {
 public:
  static constexpr Duration kLookEvery = std::chrono::milliseconds(100);

  explicit CellFailback(net::Loop& loop);
  CellFailback(const CellFailback&) = delete;
  CellFailback& operator=(const CellFailback&) = delete;
  ~CellFailback();

  /// A config came into force. What was found of a place is kept while it stands for its cell.
  void watch(std::shared_ptr<const proxy::Snapshot> snapshot);
  /// Lets go of the snapshot.
  void stop();

 private:
  struct Entry {
    uint32_t cell = 0;
    uint32_t place = 0;  ///< Of Targets::of_cells.
    std::string name;    ///< The cluster's or the group's.
    std::shared_ptr<upstream::HomeShare> share;
    upstream::Failback failback;
    bool served = false;  ///< From then on changes are news.
  };

  using Entries = std::unordered_map<std::string, Entry>;  // By name and cell.

  /// Takes what is known of it from `before`.
  void add(uint32_t place, uint32_t cell, Entries& before);
  void look();
  void look_at(Entry& entry, TimePoint now);
  std::string why_out(const Entry& entry) const;

  net::Loop& loop_;
  net::Timer timer_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;  ///< Null: no {cell} anywhere.
  Entries entries_;
};

}  // namespace weir::app
