// SPDX-License-Identifier: Apache-2.0
// The process's descriptor limit, raised as far as it goes, and what `auto` means for a listener.
// (For a cluster: upstream::AutoLimits.) Pure but for raise_descriptor_limit().
#pragma once

#include <cstdint>

namespace weir::app {

/// Raises the soft limit to the hard one and returns what it is now.
uint64_t raise_descriptor_limit();

/// Connections of one of `listeners` listeners: together they may hold half the descriptors, the
/// other half being the upstream side's; some are kept for logs, pipes and the admin socket.
uint32_t automatic_max_connections(uint64_t descriptor_limit, uint32_t listeners);

}  // namespace weir::app
