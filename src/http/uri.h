// SPDX-License-Identifier: Apache-2.0
// Targets and authorities: one normal form each, so that routing, policies and origins read the
// same thing, or an error where two readers could differ. Results are views of the input, or of the
// arena where something had to change. Pure functions, safe from every thread.
#pragma once

#include <weir/error.h>

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// The normal form of an absolute path (without query); `raw` itself if it is normal already.
/// - dot segments are removed; climbing above the root is refused (as nginx does);
/// - empty segments are merged ("//" is "/"): an origin that merges would else see a path that no
///   rule of weir's has matched;
/// - percent-encoded unreserved characters are decoded, other encodings get upper-case digits
///   (RFC 3986, 6.2.2); printable bytes that a path may not hold (such as '|') are encoded;
/// - refused, kBadTarget: encoded slashes, backslashes and control bytes, encoded dot segments and
///   dot segments with parameters ("/..;/"), overlong UTF-8 of ASCII, broken encodings, raw
///   backslash, '#', space, control and non-ASCII bytes.
Result<std::string_view> normalise_path(std::string_view raw, base::Arena& arena);

/// Whether a query (without "?") may be forwarded: printable ASCII without '#'. It is never
/// changed.
bool is_valid_query(std::string_view query);

struct Authority {
  std::string_view text;  ///< host[:port] in lower case, without a final dot or an empty port.
  std::string_view host;  ///< The same without the port; brackets kept for IPv6.
  uint16_t port = 0;      ///< 0 if there is none.
};
/// uri-host [":" port] of Host or an absolute-form target. Refused, kBadHost: empty, userinfo,
/// percent-encoding, anything but letters, digits, '-', '.', '_', '~' or an IPv6 literal; empty
/// labels; ports that are not 1-65535 in canonical decimal.
Result<Authority> parse_authority(std::string_view raw, base::Arena& arena);

/// `text` with every valid %XX decoded, for matching and logging only, never for forwarding. The
/// input itself if there is nothing to decode.
std::string_view percent_decode(std::string_view text, base::Arena& arena);

}  // namespace weir::http
