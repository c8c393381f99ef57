// SPDX-License-Identifier: Apache-2.0
#include "base/block.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace weir::base {

BlockPool::~BlockPool() {
  CHECK(live_ == 0);
  trim();
}

void BlockPool::trim() {
  least_free_ = free_count_;
  trim_unused(0);
}

void BlockPool::trim_unused(size_t keep) {
  while (least_free_ > 0 && free_count_ > keep) {
    Block* next = free_->next;
    std::free(free_);
    free_ = next;
    --free_count_;
    --least_free_;
  }
  least_free_ = free_count_;
}

Block* BlockPool::take(Account& account) {
  void* memory = free_;
  if (memory != nullptr) {
    free_ = free_->next;
    if (--free_count_ < least_free_) least_free_ = free_count_;
  } else {
    memory = std::malloc(block_size_);
    CHECK(memory != nullptr);
  }
  Block* block = new (memory) Block;
  block->size = block_size_;
  block->account = &account;
  account.charge(block_size_);
  ++live_;
  return block;
}

void BlockPool::release(Block* block) {
  DCHECK(block->size == block_size_);
  block->account->refund(block_size_);
  --live_;
  if (free_count_ >= max_free_) {
    std::free(block);
    return;
  }
  block->next = free_;
  free_ = block;
  ++free_count_;
}

}  // namespace weir::base
