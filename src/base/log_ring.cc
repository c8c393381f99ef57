// SPDX-License-Identifier: Apache-2.0
#include "base/log_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::base {

LogRing::LogRing(size_t bytes)
    : capacity_(std::bit_ceil(bytes)), memory_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

bool LogRing::write(std::string_view line) {
  const uint64_t at = written_.load(std::memory_order_relaxed);
  const uint64_t before = at - consumed_.load(std::memory_order_acquire);
  if (line.size() > capacity_ - before) return false;
  const size_t offset = at & (capacity_ - 1);
  const size_t first = std::min(line.size(), capacity_ - offset);
  std::memcpy(memory_.get() + offset, line.data(), first);
  std::memcpy(memory_.get(), line.data() + first, line.size() - first);
  written_.store(at + line.size(), std::memory_order_release);
  const bool crossed = before < capacity_ / 2 && before + line.size() >= capacity_ / 2;
  if (crossed && half_full_ != nullptr) half_full_(half_full_context_);
  return true;
}

std::string_view LogRing::front() const {
  const uint64_t at = consumed_.load(std::memory_order_relaxed);
  const uint64_t ready = written_.load(std::memory_order_acquire) - at;
  const size_t offset = at & (capacity_ - 1);
  return {memory_.get() + offset, std::min<size_t>(ready, capacity_ - offset)};
}

void LogRing::consume(size_t bytes) {
  consumed_.store(consumed_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
}

size_t LogRing::size() const {
  return written_.load(std::memory_order_acquire) - consumed_.load(std::memory_order_acquire);
}

}  // namespace weir::base
