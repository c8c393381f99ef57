// SPDX-License-Identifier: Apache-2.0
// What heads say of cells, both ways. Only for exchanges that have a cell().
#pragma once

#include <weir/message.h>

#include <cstddef>

namespace weir::proxy {

class Exchange;

/// Headers that each of the two may add.
inline constexpr size_t kAddedByCell = 3;

/// Of the request: the tag in place of what came, and the path to those who are weirs themselves.
/// Requires: admitted to a cluster. `any_weir`: some header of it may begin with kWeirPrefix.
void stamp_cell(HeaderList& headers, bool any_weir, Exchange& exchange);

/// Of the response: tag, cookie, and where it was served.
void tell_cell(HeaderList& headers, Exchange& exchange);

}  // namespace weir::proxy
