// SPDX-License-Identifier: Apache-2.0
// Fixed-size memory blocks from a per-worker free list, each charged to an account while it is
// held. Two sizes: small ones carry an exchange's arena, large ones (a TLS record) carry bytes that
// a socket did not take. One thread: a block goes back to the pool that it came from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/account.h"

namespace weir::base {

/// A block's header stands in its first bytes; `data()` follows it.
struct Block {
  Block* next = nullptr;
  Account* account = nullptr;
  uint32_t size = 0;   ///< Whole block, header included: what is charged.
  uint32_t begin = 0;  ///< First unread byte of data().
  uint32_t end = 0;    ///< Past the last written byte of data().

  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t capacity() const { return size - sizeof(Block); }
  size_t readable() const { return end - begin; }
  size_t writable() const { return capacity() - end; }
};

/// Keeps at most `max_free` blocks for reuse and gives the others back to the allocator, so that a
/// burst does not keep its memory for ever.
class BlockPool {
 public:
  BlockPool(size_t block_size, size_t max_free)
      : block_size_(static_cast<uint32_t>(block_size)), max_free_(max_free) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  /// Requires: every block has come back.
  ~BlockPool();

  /// Never null: out of memory ends the process. Charged to `account` until release().
  Block* take(Account& account);
  void release(Block* block);
  /// Gives what is kept for reuse back to the allocator.
  void trim();
  /// The same with what has lain unused since the last call, but for `keep` blocks: what a burst
  /// left behind.
  void trim_unused(size_t keep);
  size_t block_size() const { return block_size_; }
  /// Blocks held by somebody now; zero at exit, by test.
  size_t live() const { return live_; }
  /// Blocks kept for reuse.
  size_t free() const { return free_count_; }

 private:
  const uint32_t block_size_;
  const size_t max_free_;
  Block* free_ = nullptr;
  size_t free_count_ = 0;
  size_t least_free_ = 0;  ///< Since the last trim_unused().
  size_t live_ = 0;
};

}  // namespace weir::base
