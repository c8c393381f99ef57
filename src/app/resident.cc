// SPDX-License-Identifier: Apache-2.0
#include "app/resident.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace weir::app {
namespace {

// Segments that are not writable hold what their file holds. What the loader has relocated is in
// writable ones, whatever it is protected to afterwards.
int release_segments(dl_phdr_info* object, std::size_t, void*) {
  const std::uintptr_t page = static_cast<std::uintptr_t>(getpagesize());
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void release_startup_pages() { dl_iterate_phdr(&release_segments, nullptr); }

}  // namespace weir::app
