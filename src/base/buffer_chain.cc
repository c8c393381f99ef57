// SPDX-License-Identifier: Apache-2.0
#include "base/buffer_chain.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace weir::base {

BufferChain::~BufferChain() { CHECK(head_ == nullptr); }

void BufferChain::append(std::string_view bytes, BlockPool& pool, Account& account) {
  while (!bytes.empty()) {
    if (tail_ == nullptr || tail_->writable() == 0) {
      Block* block = pool.take(account);
      (tail_ == nullptr ? head_ : tail_->next) = block;
      tail_ = block;
    }
    size_t n = std::min(bytes.size(), tail_->writable());
    std::memcpy(tail_->data() + tail_->end, bytes.data(), n);
    tail_->end += static_cast<uint32_t>(n);
    size_ += n;
    bytes.remove_prefix(n);
  }
}

void BufferChain::consume(size_t bytes, BlockPool& pool) {
  DCHECK(bytes <= size_);
  size_ -= bytes;
  while (head_ != nullptr) {
    size_t n = std::min(bytes, head_->readable());
    head_->begin += static_cast<uint32_t>(n);
    bytes -= n;
    if (head_->readable() > 0) return;
    Block* next = head_->next;
    pool.release(head_);
    head_ = next;
  }
  tail_ = nullptr;
}

size_t BufferChain::fill(std::span<iovec> out, size_t skip) const {
  size_t used = 0;
  for (Block* block = head_; block != nullptr && used < out.size(); block = block->next) {
    size_t n = block->readable();
    if (skip >= n) {
      skip -= n;
      continue;
    }
    out[used++] = {block->data() + block->begin + skip, n - skip};
    skip = 0;
  }
  return used;
}

void BufferChain::clear(BlockPool& pool) { consume(size_, pool); }

}  // namespace weir::base
