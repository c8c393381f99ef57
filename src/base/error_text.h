// SPDX-License-Identifier: Apache-2.0
// How weir's own answers put an error into words, in pieces to be joined: by the exchange that
// fails, or once beforehand where nothing of it depends on the request. Views of `info` and
// `detail`.
#pragma once

#include <weir/error.h>

#include <array>
#include <string_view>

namespace weir::base {

/// Proxy-Status (RFC 9209). `detail` may be empty.
inline std::array<std::string_view, 7> proxy_status_pieces(const ErrorInfo& info,
                                                           std::string_view detail) {
  return {"weir; error=",
          info.proxy_status,
          "; details=\"",
          info.reason,
          detail.empty() ? "" : ": ",
          detail,
          "\""};
}

/// The body for who does not ask for JSON.
inline std::array<std::string_view, 6> plain_body_pieces(const ErrorInfo& info,
                                                         std::string_view detail) {
  return {info.reason, detail.empty() ? "" : ": ", detail, ". ", info.hint, "\n"};
}

}  // namespace weir::base
