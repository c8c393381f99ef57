// SPDX-License-Identifier: Apache-2.0
// From the origin's response head to the client's, and the heads of answers that weir makes itself.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <string_view>

namespace weir::proxy {

class Exchange;

/// Turns the origin's head into the client's: end-to-end headers, Via, Date, request id, then the
/// route's operations.
void make_client_response(ResponseHead& head, Exchange& exchange);

/// A head of weir's own with room for `extra` more headers: Date and request id are in it.
ResponseHead local_head(uint16_t status, size_t extra, Exchange& exchange);

/// Another weir has refused this by itself (429 or 503, and its Proxy-Status says so): the origin
/// behind it had no part in it. What it says of a failure of that origin, 502 or 504, is none.
bool refused_by_weir(const ResponseHead& head);
/// The value of Proxy-Status for an answer that weir makes (RFC 9209).
std::string_view proxy_status(const Error& error, Exchange& exchange);

/// The body for an error and its content type: problem+json (RFC 9457) for a client that accepts
/// JSON, else one line of text.
struct ErrorBody {
  std::string_view content_type;
  std::string_view text;
};
ErrorBody error_body(const Error& error, Exchange& exchange);

}  // namespace weir::proxy
