// SPDX-License-Identifier: Apache-2.0
// Checks across sections, after all keys are read: names that must exist, addresses that must
// differ. What one section can tell alone is checked in its table; what needs a compiler (regexes)
// is the validators' of other layers.
#pragma once

#include <weir/config.h>

#include "config/diagnostics.h"

namespace weir::config {

void validate(const Config& config, Diagnostics& diagnostics);

}  // namespace weir::config
