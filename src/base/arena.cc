// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <cstdlib>

#include "base/check.h"

namespace weir::base {

void* Arena::allocate_slow(size_t bytes) {
  if (bytes > pool_.block_size() - sizeof(Block)) {
    size_t total = sizeof(Large) + bytes;
    auto* large = static_cast<Large*>(std::malloc(total));
    CHECK(large != nullptr);
    *large = {large_, total};
    large_ = large;
    account_->charge(total);
    held_ += total;
    return large + 1;
  }
  Block* block = pool_.take(*account_);
  held_ += block->size;
  block->next = head_;
  head_ = block;
  block->end = static_cast<uint32_t>(bytes);
  return block->data();
}

std::string_view Arena::concat(std::span<const std::string_view> parts) {
  size_t total = 0;
  for (std::string_view part : parts) total += part.size();
  if (total == 0) return {};
  char* memory = static_cast<char*>(allocate(total));
  char* at = memory;
  for (std::string_view part : parts) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return {memory, total};
}

void Arena::reset() {
  while (head_ != nullptr) {
    Block* next = head_->next;
    pool_.release(head_);
    head_ = next;
  }
  while (large_ != nullptr) {
    Large* next = large_->next;
    account_->refund(large_->bytes);
    std::free(large_);
    large_ = next;
  }
  held_ = 0;
}

}  // namespace weir::base
