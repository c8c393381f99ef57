// SPDX-License-Identifier: Apache-2.0
#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace weir::net {
namespace {

// Measured with bench/e2e `huge`: the default of 64 KiB halves the gain of splicing.
constexpr int kPipeBytes = 1 << 20;

}  // namespace

PipePool::~PipePool() {
  trim();
  CHECK(open_ == 0);
}

void PipePool::trim() {
  for (const Pipe& pipe : free_) {
    ::close(pipe.read_end);
    ::close(pipe.write_end);
  }
  open_ -= free_.size();
  free_.clear();
}

Pipe PipePool::take() {
  if (!free_.empty()) {
    Pipe pipe = free_.back();
    free_.pop_back();
    return pipe;
  }
  int ends[2];
  if (open_ >= max_open_ || ::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
  if (std::max(ends[0], ends[1]) >= mark_) {
    ::close(ends[0]);
    ::close(ends[1]);
    return {};
  }
  ++open_;
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  // An unprivileged process over pipe-user-pages-soft gets less than it asks for.
  const int granted = ::fcntl(ends[1], F_GETPIPE_SZ);
  return {ends[0], ends[1], granted > 0 ? static_cast<size_t>(granted) : 4096};
}

void PipePool::give_back(Pipe pipe, bool empty) {
  if (!pipe.valid()) return;
  if (empty && free_.size() < max_free_) {
    free_.push_back(pipe);
    return;
  }
  ::close(pipe.read_end);
  ::close(pipe.write_end);
  --open_;
}

}  // namespace weir::net
