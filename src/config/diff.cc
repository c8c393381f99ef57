// SPDX-License-Identifier: Apache-2.0
#include "config/diff.h"

#include "config/changes.h"
#include "config/keys.h"

namespace weir::config {

std::vector<Change> diff(const Config& before, const Config& after) {
  Changes changes;
  config_section()->compare(changes, before, after);
  return changes.take();
}

}  // namespace weir::config
