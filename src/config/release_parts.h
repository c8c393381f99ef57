// SPDX-License-Identifier: Apache-2.0
// What the tables of releases and their checks share. Not seen outside config/.
#pragma once

#include <weir/config.h>

#include "config/reader.h"

namespace weir::config {

// Names the rules of a release, and reports those that can take nobody. `id` is the release.
void check_release(Reader& reader, NodeId id, ReleaseConfig& release);

}  // namespace weir::config
