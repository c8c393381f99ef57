// SPDX-License-Identifier: Apache-2.0
// What the process keeps in memory of its own code. Call it once, when weir is ready.
#pragma once

namespace weir::app {

/// Lets go of the pages of code and constants that were read so far: most of them served only to
/// start (YAML, the loader, certificates), and a sidecar is one of hundreds on its machine. What is
/// needed comes back from the page cache, a minor fault each time. Any thread; others may run.
void release_startup_pages();

}  // namespace weir::app
