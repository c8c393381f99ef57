// SPDX-License-Identifier: Apache-2.0
// Bytes that must be held: a queue of charged blocks. Empty, it is two null pointers and owns
// nothing.
//
//   head_ -> [####] -> [######] -> [##....] <- tail_       '#' unread bytes, '.' room for append()
//
// Views from front() and fill() are valid until the next call that changes the chain. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/block.h"

namespace weir::base {

class BufferChain {
 public:
  BufferChain() = default;
  BufferChain(const BufferChain&) = delete;
  BufferChain& operator=(const BufferChain&) = delete;
  /// Requires: empty, or clear() was called: only the owner knows the pool.
  ~BufferChain();

  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }
  /// Copies `bytes` to the end, into blocks of `pool` charged to `account`.
  void append(std::string_view bytes, BlockPool& pool, Account& account);
  /// The first contiguous run of bytes; empty if there is none.
  std::string_view front() const {
    return head_ == nullptr ? std::string_view{}
                            : std::string_view{head_->data() + head_->begin, head_->readable()};
  }
  /// Drops `bytes` from the front and releases blocks that become empty. Requires: bytes <= size().
  void consume(size_t bytes, BlockPool& pool);
  /// Fills `out` with the runs from `skip` bytes after the start; returns how many entries were
  /// used.
  size_t fill(std::span<iovec> out, size_t skip = 0) const;
  void clear(BlockPool& pool);

 private:
  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace weir::base
