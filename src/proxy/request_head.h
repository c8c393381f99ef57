// SPDX-License-Identifier: Apache-2.0
// From the client's request head to the one that goes upstream. Pure functions over heads and
// facts.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

namespace weir::proxy {

class Exchange;

/// `out` is the request as upstream gets it: rewritten path, end-to-end headers, what weir adds,
/// the route's operations last. Host and framing are set when it is sent. kBadTarget if the route's
/// rewrite makes no valid path.
Result<void> make_upstream_head(Exchange& exchange, RequestHead& out);

/// What headers begin with by which weirs tell each other, and by default applications, something.
inline constexpr std::string_view kWeirPrefix = "x-weir-";
/// Whether a header of that name can be there, given whether any begins with the prefix.
constexpr bool may_have(bool any_weir, std::string_view name) {
  return any_weir || !name.starts_with(kWeirPrefix);
}

/// Which try a request is, told between weirs from the second one on. Believed from trusted peers.
inline constexpr std::string_view kAttemptHeader = "x-weir-attempt";
bool is_attempt_header(const Header& header);

/// On copies of requests; those are not copied again. Believed from trusted peers.
inline constexpr std::string_view kMirrorHeader = "x-weir-mirror";
bool is_mirror_header(const Header& header);

/// Whether weir is the last to see this request: "Max-Forwards: 0" (RFC 9110, 7.6.2), or the "*" of
/// OPTIONS, which asks the server as a whole.
bool forwards_exhausted(const RequestHead& head);

}  // namespace weir::proxy
