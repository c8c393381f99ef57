// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker_clusters.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace weir::upstream {

void WorkerClusters::adopt(const ClusterList& list) {
  std::unordered_map<const Cluster*, std::unique_ptr<WorkerCluster>> known;
  for (auto& view : current_) {
    const Cluster* const key = &view->shared();
    known.emplace(key, std::move(view));
  }
  current_.clear();
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto& view = known[list[i].get()];
    if (view == nullptr) {
      seed_ = base::mix64(seed_ + 0x9e3779b97f4a7c15ULL);
      view = std::make_unique<WorkerCluster>(loop_, list[i], seed_);
    }
    current_.push_back(std::move(view));
  }
  for (auto& [key, view] : known) {
    if (view == nullptr) continue;
    view->retire();
    retired_.push_back(std::move(view));
  }
  std::erase_if(retired_, [](const auto& view) { return !view->in_use(); });
}

void WorkerClusters::close_idle() {
  for (auto& view : current_) view->close_idle();
}

bool WorkerClusters::close_idle_before(TimePoint until) {
  constexpr std::size_t kLook = 256;
  const std::size_t look = std::min(kLook, current_.size());
  WorkerCluster* oldest = nullptr;
  for (std::size_t i = 0; i < look; ++i) {
    WorkerCluster& view = *current_[(look_at_ + i) % current_.size()];
    if (view.idle() == 0 || view.oldest_idle() > until) continue;
    if (oldest == nullptr || view.oldest_idle() < oldest->oldest_idle()) oldest = &view;
  }
  if (oldest != nullptr) return oldest->close_oldest_idle();
  if (look > 0) look_at_ = (look_at_ + look) % current_.size();
  return false;
}

}  // namespace weir::upstream
