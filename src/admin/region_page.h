// SPDX-License-Identifier: Apache-2.0
// /region/health: whether DNS should name this region, for those who balance between regions. The
// status says it in one word, the body with the reason. Thread: any.
#pragma once

#include <weir/clock.h>

#include <string>

#include "upstream/region_state.h"

namespace weir::admin {

std::string region_json(const upstream::RegionReading& region, const Clock& clock);

}  // namespace weir::admin
