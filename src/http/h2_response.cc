// SPDX-License-Identifier: Apache-2.0
// From a header block of an origin to a response head, framed for HTTP/1 as well.
#include "http/framing.h"
#include "http/h2_fields.h"
#include "http/status.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

/// nghttp2 has checked that these are three digits, and not 101 (RFC 9113, 8.6).
Result<uint16_t> parse_status(std::string_view text) {
  unsigned status = 0;
  for (char c : text) status = status * 10 + static_cast<unsigned>(c - '0');
  if (status < 100) return fail(ErrorCode::kUpstreamBadHead, "status below 100");
  return static_cast<uint16_t>(status);
}

/// With END_STREAM in the head a body that could be there has no bytes: HTTP/1 must be told so, or
/// its client would wait for the end of the connection.
BodyFraming body_of(const FramingFacts& framing, H2Asked asked, bool ended, uint16_t status) {
  if (status < 200) return {};
  if (asked.tunnel && status < 300 && !ended) return {Kind::kTunnel, 0};
  if (status == 204 || status == 304 || asked.method == Method::kHead) return {};
  if (ended) return {Kind::kLength, 0};
  if (framing.has_length) return {Kind::kLength, framing.length};
  return {Kind::kChunked, 0};
}

}  // namespace

Result<void> make_h2_response(H2Fields& fields, H2Asked asked, bool ended, ResponseHead& out) {
  out = ResponseHead{};
  out.version = Version::kHttp2;
  if (fields.problem != ErrorCode::kCount) return fail(ErrorCode::kUpstreamHeadTooLarge);
  Result<uint16_t> status = parse_status(fields.status);
  if (!status) return std::unexpected(status.error());
  out.status = *status;
  // HTTP/2 has none; some HTTP/1 clients cannot do without.
  out.reason = reason_phrase(out.status);
  FramingFacts framing;
  if (const Header* length = fields.list.find(HeaderId::kContentLength)) {
    framing.add_content_length(length->value);
  }
  if (framing.problem != nullptr) return fail(ErrorCode::kUpstreamBadFraming, framing.problem);
  out.headers = fields.list;
  out.body = body_of(framing, asked, ended, out.status);
  return {};
}

}  // namespace weir::http
