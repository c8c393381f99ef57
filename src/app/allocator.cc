// SPDX-License-Identifier: Apache-2.0
#include "app/allocator.h"

#include <cstddef>

// Weak: jemalloc is linked into the executable alone, and not under a sanitizer.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                       size_t new_size) __attribute__((weak));

namespace weir::app {

void decay_free_memory() {
  if (mallctl != nullptr) mallctl("arena.4096.decay", nullptr, nullptr, nullptr, 0);
}

void release_free_memory() {
  // 4096 is MALLCTL_ARENAS_ALL.
  if (mallctl != nullptr) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

}  // namespace weir::app
