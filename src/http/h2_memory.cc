// SPDX-License-Identifier: Apache-2.0
#include "http/h2_memory.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace weir::http {
namespace {

// NGHTTP2_FRAMEBUF_CHUNKLEN: head, pad length and the largest payload that nghttp2 sends. Should
// another version of it ask for another size, nothing is shared and all is as usual.
constexpr size_t kFrameBuffer = 9 + 1 + 16384;

void* shared_buffer() {
  static thread_local const std::unique_ptr<char[]> buffer(new char[kFrameBuffer]);
  return buffer.get();
}

void* counted(void* memory, void* self) {
  static_cast<H2Memory*>(self)->held += malloc_usable_size(memory);
  return memory;
}
void* allocate(size_t size, void* self) { return counted(std::malloc(size), self); }
void* allocate_zeroed(size_t count, size_t size, void* self) {
  return counted(std::calloc(count, size), self);
}

void release(void* memory, void* self) {
  H2Memory& own = *static_cast<H2Memory*>(self);
  if (memory == own.shared) return;
  own.held -= malloc_usable_size(memory);
  std::free(memory);
}

void* reallocate(void* memory, size_t size, void* self) {
  H2Memory& own = *static_cast<H2Memory*>(self);
  if (memory == nullptr && size == kFrameBuffer && std::exchange(own.making, false)) {
    return own.shared;
  }
  if (memory != own.shared) {
    const size_t before = malloc_usable_size(memory);
    void* const moved = std::realloc(memory, size);
    if (moved != nullptr) own.held += malloc_usable_size(moved) - before;
    return moved;
  }
  if (size <= kFrameBuffer) return memory;
  void* larger = allocate(size, self);
  if (larger != nullptr) std::memcpy(larger, memory, kFrameBuffer);
  return larger;
}

}  // namespace

H2Memory::H2Memory() : shared(shared_buffer()) {}

nghttp2_mem H2Memory::interface() { return {this, allocate, release, allocate_zeroed, reallocate}; }

}  // namespace weir::http
