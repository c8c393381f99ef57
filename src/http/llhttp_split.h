// SPDX-License-Identifier: Apache-2.0
// The one place that calls llhttp: it splits a whole head into its start line and fields. Whatever
// llhttp lets through is checked again by the caller against the text, so that a leniency of some
// llhttp version cannot become one of weir's. Pure functions, safe from every thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <string_view>

#include "http/head.h"

namespace weir::http {

/// Requires: `head` is a whole head without a leading empty line; `method_bytes` of it are the
/// method. Appends every field to `headers` (ids not set); `target` becomes the request target.
/// A method that llhttp has no table entry for is read as if it were GET.
Result<void> split_request(std::string_view head, size_t method_bytes, bool known_method,
                           std::string_view& target, HeaderList& headers);

/// The same for a response head.
Result<void> split_response(std::string_view head, std::string_view& reason, HeaderList& headers);

/// An array for the fields of `text` with kHeaderHeadroom to spare, or an error if there are more
/// than the limit.
Result<HeaderList> make_header_list(std::string_view text, const HeadLimits& limits,
                                    MessageKind kind, base::Arena& arena);

/// Checks that the fields tile the text from `first` to the final empty line with nothing between
/// them but one colon and optional white space each, and trims their values. Returns what is wrong,
/// or null. `first` is the first byte after the start line.
const char* check_tiling(std::string_view text, const char* first, HeaderList& headers);

}  // namespace weir::http
