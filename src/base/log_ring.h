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

  /// Before the first write: `call(context)` runs in the writer's thread each time the ring becomes
  /// half full, so that the reader need not look often to come in time.
  void on_half_full(void (*call)(void*), void* context) {
    half_full_ = call;
    half_full_context_ = context;
  }

  /// Writer: appends all of `line` (which ends in '\n') or nothing. False: full.
  bool write(std::string_view line);
  /// Reader: the oldest contiguous bytes; empty if there are none. Valid until consume().
  std::string_view front() const;
  void consume(size_t bytes);
  /// Either side: bytes waiting, about.
  size_t size() const;
  size_t capacity() const { return capacity_; }

 private:
  const size_t capacity_;
  std::unique_ptr<char[]> memory_;
  void (*half_full_)(void*) = nullptr;
  void* half_full_context_ = nullptr;
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> consumed_{0};
};

}  // namespace weir::base
