// SPDX-License-Identifier: Apache-2.0
#include "app/cell_failback.h"

#include <utility>

#include "app/op_log.h"

namespace weir::app {

using upstream::MemberPhase;

CellFailback::CellFailback(net::Loop& loop)
    : loop_(loop), timer_(net::timer_callback<&CellFailback::look>(this)) {}

CellFailback::~CellFailback() = default;

void CellFailback::watch(std::shared_ptr<const proxy::Snapshot> snapshot) {
  Entries before = std::exchange(entries_, {});
  snapshot_ = snapshot->targets.of_cells.empty() ? nullptr : std::move(snapshot);
  if (snapshot_) {
    for (const std::vector<uint32_t>& places : snapshot_->targets.of_cells) {
      for (uint32_t cell = 0; cell < places.size(); ++cell) add(places[cell], cell, before);
    }
  }
  for (auto& [key, entry] : before) {
    // Those that stay have been moved from.
    if (entry.share != nullptr) entry.share->store(upstream::Failback::kWhole);
  }
  if (snapshot_) {
    look();
  } else {
    timer_.cancel();
  }
}

void CellFailback::add(uint32_t place, uint32_t cell, Entries& before) {
  const proxy::Cells& cells = *snapshot_->cells;
  std::string name;
  std::shared_ptr<upstream::HomeShare> share;
  if ((place & proxy::kGroupBit) == 0) {
    const std::shared_ptr<upstream::Cluster>& cluster = (*snapshot_->clusters)[place];
    name = cluster->name();
    share = {cluster, &cluster->home_share()};
  } else {
    const upstream::FailoverGroup& group = (*snapshot_->failover)[place & ~proxy::kGroupBit];
    name = group.name();
    share = {group.shared_state(), &group.state().home_share};
  }
  const std::string key = name + "\n" + cells.member(cell).name;
  if (entries_.contains(key)) return;
  const auto known = before.find(key);
  Entry entry = known == before.end() ? Entry() : std::move(known->second);
  entry.cell = cell;
  entry.place = place;
  entry.name = std::move(name);
  entry.share = std::move(share);
  entry.failback.configure(cells.config().failback);
  entries_.emplace(key, std::move(entry));
}

void CellFailback::stop() {
  timer_.cancel();
  entries_.clear();
  snapshot_.reset();
}

void CellFailback::look() {
  for (auto& [key, entry] : entries_) look_at(entry, loop_.now());
  loop_.arm(timer_, kLookEvery);
}

// Empty: it could serve.
std::string CellFailback::why_out(const Entry& entry) const {
  if (snapshot_->cells->state(entry.cell) == CellState::kDrained) return "the cell is drained";
  if ((entry.place & proxy::kGroupBit) == 0) {
    const upstream::ClusterHealth health = (*snapshot_->clusters)[entry.place]->health();
    return health.usable ? std::string() : why_unusable(health);
  }
  const auto& group = (*snapshot_->failover)[entry.place & ~proxy::kGroupBit];
  for (const upstream::FailoverSeat& seat : group.seats()) {
    if (seat.cluster->health().usable) return {};
  }
  return "no member of its group can be used";
}

void CellFailback::look_at(Entry& entry, TimePoint now) {
  const MemberPhase before = entry.failback.phase();
  const std::string why = why_out(entry);
  entry.failback.look(why.empty(), now);
  const MemberPhase phase = entry.failback.phase();
  // Nothing comes back to who has never been there. Who is out is passed by anyway, and with no
  // share he has nothing at once when he is well, before the next look.
  const bool whole = phase == MemberPhase::kUp || !entry.served;
  const uint32_t part = phase == MemberPhase::kDown ? 0 : entry.failback.share();
  entry.share->store(whole ? upstream::Failback::kWhole : part);
  const bool news = std::exchange(entry.served, entry.served || phase == MemberPhase::kUp);
  if (before == phase || !news) return;
  const bool worse = phase == MemberPhase::kDown;
  op_log(worse ? LogLevel::kWarning : LogLevel::kInfo, "cell changed",
         {{"cell", snapshot_->cells->member(entry.cell).name},
          {(entry.place & proxy::kGroupBit) == 0 ? "cluster" : "failover_group", entry.name},
          {"phase", upstream::phase_word(phase)},
          {"why", why.empty() && phase != MemberPhase::kUp ? "it was out" : why}});
}

}  // namespace weir::app
