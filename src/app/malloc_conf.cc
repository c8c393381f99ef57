// SPDX-License-Identifier: Apache-2.0
// How jemalloc is set up, before main: it looks for this symbol.
#ifdef WEIR_JEMALLOC

extern "C" {
// Few arenas, because an arena that one thread leaves half empty is resident all the same, and the
// data path does not allocate. Freed pages go back within a second or so. Frees come from the
// threads that run anyway: no thread of the allocator's own.
extern const char* malloc_conf;
const char* malloc_conf =
    "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:false,tcache_max:4096";
}

#endif
