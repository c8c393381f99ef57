// SPDX-License-Identifier: Apache-2.0
// Memory for nghttp2 as the process has it, but for one thing: every session of nghttp2 holds a
// buffer of 16 KiB for the frame that is being built, whose bytes are of no use once they have been
// returned. H2Session::pull() copies them at once, so that all sessions of a thread share one such
// buffer: 20 KiB of an idle connection's address space, 4 of its memory. It also counts: what a
// session takes depends on the peer. Internal to this folder.
#pragma once

#include <nghttp2/nghttp2.h>

namespace weir::http {

struct H2Memory {
  H2Memory();
  H2Memory(const H2Memory&) = delete;
  H2Memory& operator=(const H2Memory&) = delete;
  /// To be given to nghttp2; valid as long as this object.
  nghttp2_mem interface();

  void* const shared;  ///< The thread's; outlives its sessions.
  size_t held = 0;     ///< Bytes that nghttp2 has now, as the allocator counts them.
  bool making = true;  ///< nghttp2_session_*_new() is running: the first such buffer is the one.
};

}  // namespace weir::http
