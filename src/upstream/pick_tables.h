// SPDX-License-Identifier: Apache-2.0
// The tables that make a pick a look-up, worked out by the control thread when endpoints change.
// Requires of all: set.eligible() > 0. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "upstream/endpoint_set.h"

namespace weir::upstream {

/// For draws by weight in constant time.
std::vector<AliasColumn> make_alias(const EndpointSet& set);
/// Indices in the order of a smooth rotation with exact shares.
std::vector<std::uint32_t> make_rotation(const EndpointSet& set);
/// EndpointSet::kMaglevSize indices.
std::vector<std::uint16_t> make_maglev(const EndpointSet& set);

}  // namespace weir::upstream
