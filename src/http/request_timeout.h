// SPDX-License-Identifier: Apache-2.0
// How long a client says that it waits: a header of the config's choice (`250ms`, `2s`, `2`), and
// `wait=N` among the preferences of a Prefer header (RFC 7240, 4.3). What is malformed says
// nothing. Pure functions; any thread.
#pragma once

#include <weir/clock.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// Whole numbers of at most nine digits; without a unit they are seconds.
std::optional<Duration> parse_request_timeout(std::string_view text);
/// "1500ms"; what has passed is "0ms".
std::string_view request_timeout_text(Duration left, base::Arena& arena);

struct PreferWait {
  Duration wait{};
  std::size_t begin = 0;  ///< Where its digits stand.
  std::size_t end = 0;
};
/// The first wait of the list.
std::optional<PreferWait> find_prefer_wait(std::string_view prefer);
/// `prefer` with another wait in place of `found`, in whole seconds, rounded up: an origin that is
/// told 0 would not begin.
std::string_view with_prefer_wait(std::string_view prefer, const PreferWait& found, Duration left,
                                  base::Arena& arena);

}  // namespace weir::http
