// SPDX-License-Identifier: Apache-2.0
// Which version of a service a request gets and by which rule, in words: for `weir explain`. Asks
// the very rules that the data path asks.
#pragma once

#include <weir/message.h>

#include <string>

#include "app/compile.h"
#include "app/explain_owner.h"
#include "base/arena.h"
#include "route/route.h"

namespace weir::app {

struct ReleaseWords {
  std::string text;  ///< Lines ending in '\n'.
  std::string to;    ///< Where it goes.
};

/// Requires: the route's target is a release.
ReleaseWords explain_release(const Compiled& compiled, const Sender& sender,
                             const route::Route& route, const RequestHead& head,
                             base::Arena& arena);

}  // namespace weir::app
