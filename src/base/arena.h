// SPDX-License-Identifier: Apache-2.0
// Bump allocation for what lives exactly as long as one exchange: head bytes, header arrays,
// rewritten paths. Blocks come from a charged pool; what is larger than a block comes from malloc,
// charged too. Everything is freed at once by reset(); destructors are not run. One thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/block.h"

namespace weir::base {

class Arena {
 public:
  /// `pool` and `account` outlive the arena.
  Arena(BlockPool& pool, Account& account) : pool_(pool), account_(&account) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { reset(); }

  /// Memory of `bytes`, aligned to 8. Never null.
  void* allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (head_ == nullptr || head_->writable() < bytes) return allocate_slow(bytes);
    void* memory = head_->data() + head_->end;
    head_->end += static_cast<uint32_t>(bytes);
    return memory;
  }
  template <typename T>
  T* array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    return new (allocate(count * sizeof(T))) T[count];
  }
  /// The same without setting them: each is written before it is read.
  template <typename T>
  T* unset_array(size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* memory = static_cast<char*>(allocate(text.size()));
    std::memcpy(memory, text.data(), text.size());
    return {memory, text.size()};
  }
  std::string_view concat(std::span<const std::string_view> parts);
  std::string_view concat(std::initializer_list<std::string_view> parts) {
    return concat(std::span(parts.begin(), parts.size()));
  }
  /// Gives everything back. All views into the arena are dead.
  void reset();
  /// Bytes of blocks held.
  size_t held() const { return held_; }

 private:
  struct Large {
    Large* next;
    size_t bytes;
  };
  void* allocate_slow(size_t bytes);

  BlockPool& pool_;
  Account* account_;
  Block* head_ = nullptr;
  Large* large_ = nullptr;
  size_t held_ = 0;
};

}  // namespace weir::base
