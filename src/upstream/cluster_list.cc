// SPDX-License-Identifier: Apache-2.0
#include "upstream/cluster_list.h"

#include <utility>

namespace weir::upstream {

ClusterList::ClusterList(std::vector<std::shared_ptr<Cluster>> clusters)
    : clusters_(std::move(clusters)) {
  for (std::size_t i = 0; i < clusters_.size(); ++i) by_name_.emplace(clusters_[i]->name(), i);
}

std::size_t ClusterList::index_of(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? kNone : found->second;
}

}  // namespace weir::upstream
