// SPDX-License-Identifier: Apache-2.0
// What the process asks of its allocator beyond malloc and free. Any thread.
#pragma once

namespace weir::app {

/// Gives free pages back to the kernel now. jemalloc does it by and by, but only as its arenas are
/// used: after a reload of 100,000 routes nobody uses them, and 150 MiB would stay.
void release_free_memory();
/// What has been free for longer than jemalloc's decay time goes back: the "by and by" above, for
/// arenas that are not used. To be called every second or so.
void decay_free_memory();

}  // namespace weir::app
