// SPDX-License-Identifier: Apache-2.0
// Kernel pipes that carry spliced bodies from one socket to the other without a copy. A pipe goes
// back only when it is empty; a used one is closed. Bounded: the kernel's memory is somebody's
// memory too. One thread.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

namespace weir::net {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  size_t capacity = 0;  ///< Bytes the kernel granted.
  bool valid() const { return read_end >= 0; }
};

class PipePool {
 public:
  /// At most `max_open` pipes at once, of which `max_free` are kept for reuse. None gets a
  /// descriptor of `mark` or above: those are worth more than a copy saved.
  PipePool(size_t max_open, size_t max_free, int mark = std::numeric_limits<int>::max())
      : max_open_(max_open), max_free_(max_free), mark_(mark) {}
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  /// An invalid pipe if the bound is reached or the kernel has none: the caller copies instead.
  Pipe take();
  /// `empty`: nothing is left in it.
  void give_back(Pipe pipe, bool empty);
  size_t open() const { return open_; }
  /// Closes those that are kept for reuse.
  void trim();

 private:
  const size_t max_open_;
  const size_t max_free_;
  const int mark_;
  size_t open_ = 0;
  std::vector<Pipe> free_;
};

}  // namespace weir::net
