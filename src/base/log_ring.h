// SPDX-License-Identifier: Apache-2.0
// Lines from one worker to the log thread: a ring of bytes with one writer and one reader,
// lock-free. A full ring drops the line and says so; a slow disk never slows a worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace weir::base {

class LogRing {
 public:
  /// Capacity is rounded up to a power of two.
  explicit LogRing(size_t bytes);

  /// Writer: appends all of `line` (which ends in '\n') or nothing. False: full.
  bool write(std::string_view line);
  /// Reader: the oldest contiguous bytes; empty if there are none. Valid until consume().
  std::string_view front() const;
  void consume(size_t bytes);
  /// Either side: bytes waiting, about.
  size_t size() const;

 private:
  const size_t capacity_;
  std::unique_ptr<char[]> memory_;
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> consumed_{0};
};

}  // namespace weir::base
