// SPDX-License-Identifier: Apache-2.0
// The clusters of one config, in the order of Config::clusters: what a snapshot holds, so that a
// route can name its cluster by index. Immutable; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "upstream/cluster.h"

namespace weir::upstream {

class ClusterList {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  explicit ClusterList(std::vector<std::shared_ptr<Cluster>> clusters);

  std::size_t size() const { return clusters_.size(); }
  const std::shared_ptr<Cluster>& operator[](std::size_t index) const { return clusters_[index]; }
  /// kNone if there is no such cluster. For compiling, not for requests.
  std::size_t index_of(std::string_view name) const;

 private:
  std::vector<std::shared_ptr<Cluster>> clusters_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

}  // namespace weir::upstream
