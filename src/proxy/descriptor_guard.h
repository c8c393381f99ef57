// SPDX-License-Identifier: Apache-2.0
// When descriptors run short, and who then gives some back. The kernel hands out the lowest free
// number, so the number of a new descriptor says how many are in use: no counting, no shared state.
// From the first mark on, connections that idle are closed, the oldest first, on every worker; from
// the second, clients are refused; from the third, origins. What lies above is kept for the admin
// side, probes, logs and a reload. Any thread once all workers are enlisted; outlives their run().
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace weir::proxy {

class Worker;
struct SharedListener;

/// Descriptor numbers.
struct DescriptorMarks {
  int shed = std::numeric_limits<int>::max();
  int clients = std::numeric_limits<int>::max();
  int origins = std::numeric_limits<int>::max();

  /// `limit`: RLIMIT_NOFILE.
  static DescriptorMarks from_limit(uint64_t limit);
};

class DescriptorGuard {
 public:
  explicit DescriptorGuard(DescriptorMarks marks) : marks_(marks) {}
  DescriptorGuard(const DescriptorGuard&) = delete;
  DescriptorGuard& operator=(const DescriptorGuard&) = delete;

  /// Before any worker runs. `worker` outlives the other workers' run().
  void enlist(Worker& worker) { workers_.push_back(&worker); }
  const DescriptorMarks& marks() const { return marks_; }
  /// Each worker but `asker` closes up to `most` connections that idle (see Worker::shed_idle()).
  void shed_elsewhere(const Worker& asker, uint32_t most, const SharedListener* only = nullptr);

 private:
  const DescriptorMarks marks_;
  std::vector<Worker*> workers_;
};

}  // namespace weir::proxy
