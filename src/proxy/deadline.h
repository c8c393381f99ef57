// SPDX-License-Identifier: Apache-2.0
// When an exchange must be over, and how its upstream is told. In the exchange's arena; plain
// values. The code is in exchange_overload.cc.
#pragma once

#include <weir/clock.h>

#include <string_view>

namespace weir::proxy {

struct Deadline {
  TimePoint at = TimePoint::max();
  std::string_view header;  ///< The arena's; empty: upstreams are not told.
  bool believed = false;    ///< What the client says of its time counts.
  bool by_client = false;   ///< `at` is the client's.
  bool prefer_wait = false;
};

}  // namespace weir::proxy
