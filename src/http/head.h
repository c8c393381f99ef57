// SPDX-License-Identifier: Apache-2.0
// From bytes to a checked head: where it ends, and what it says. find_head_end() looks at every
// byte once (control bytes, line ends, limits); parse_*_head() lets llhttp split the whole head and
// then applies weir's own rules, which are stricter than llhttp's: framing, Host, target, names.
// What is accepted has exactly one meaning, and head_writer.h writes it in one canonical form.
// Not a socket, not a state machine: a head is parsed in one go, once it lies whole in memory.
// The views of a parsed head point into `text` and into the arena: both must outlive it. Pure
// functions, safe from every thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstddef>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

enum class MessageKind : uint8_t { kRequest, kResponse };

struct HeadLimits {
  size_t max_bytes = 65536;      ///< Start line and fields together, the empty line included.
  size_t max_headers = 100;      ///< Field lines.
  size_t max_uri_bytes = 16384;  ///< Request target, as received.
};

/// A parsed HeaderList has room for this many more headers, for what weir adds on the way: four to
/// every answer, three of a cell.
inline constexpr size_t kHeaderHeadroom = 7;

/// Where a head ends. n > 0: the head is bytes[0, n), the empty line included. 0: not complete yet.
/// `searched` is how many of these bytes an earlier call has seen (0 for the first call), so that a
/// head that comes byte by byte is not looked at again and again.
/// One empty line before a request line is skipped (RFC 9112, 2.2) and is part of the n bytes.
/// Errors: control bytes, bare CR or LF, obs-fold; kUriTooLong even before the line ends;
/// kHeaderTooLarge. For a response: kUpstreamBadHead, kUpstreamHeadTooLarge.
/// The verdict does not depend on how the bytes were cut into pieces.
Result<size_t> find_head_end(std::string_view bytes, size_t searched, const HeadLimits& limits,
                             MessageKind kind);

/// Requires: `text` is a whole head as find_head_end() delimited it.
/// On success all of `out` is set; `scheme` is "http" always: what an absolute-form target claims
/// says nothing about how the request came, so the owner of a TLS connection overwrites it.
Result<void> parse_request_head(std::string_view text, const HeadLimits& limits, base::Arena& arena,
                                RequestHead& out);

/// The same for an origin's response to a request of `request_method`. Status 101 and other 1xx
/// are parsed like any other, with no body; the caller decides what they mean.
Result<void> parse_response_head(std::string_view text, const HeadLimits& limits,
                                 base::Arena& arena, Method request_method, ResponseHead& out);

}  // namespace weir::http
