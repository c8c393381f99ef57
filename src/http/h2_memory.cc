// SPDX-License-Identifier: Apache-2.0
#include "http/h2_memory.h"

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

void* allocate(size_t size, void*) { return std::malloc(size); }
void* allocate_zeroed(size_t count, size_t size, void*) { return std::calloc(count, size); }

void release(void* memory, void* self) {
  if (memory != static_cast<H2Memory*>(self)->shared) std::free(memory);
}

void* reallocate(void* memory, size_t size, void* self) {
  H2Memory& own = *static_cast<H2Memory*>(self);
  if (memory == nullptr && size == kFrameBuffer && std::exchange(own.making, false)) {
    return own.shared;
  }
  if (memory != own.shared) return std::realloc(memory, size);
  if (size <= kFrameBuffer) return memory;
  void* larger = std::malloc(size);
  if (larger != nullptr) std::memcpy(larger, memory, kFrameBuffer);
  return larger;
}

}  // namespace

H2Memory::H2Memory() : shared(shared_buffer()) {}

nghttp2_mem H2Memory::interface() { return {this, allocate, release, allocate_zeroed, reallocate}; }

}  // namespace weir::http
