// SPDX-License-Identifier: Apache-2.0
// A response head of an origin. Origins are trusted more than clients, but a response that can be
// cut in two ways poisons the pool for the next client, so framing is held to the same rules.
#include "http/framing.h"
#include "http/head.h"
#include "http/header_id.h"
#include "http/llhttp_split.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

/// "HTTP/1.x NNN[ reason]". The space before an empty reason is missing in many answers in the
/// wild; nothing else depends on it.
Result<void> parse_status_line(std::string_view line, ResponseHead& out) {
  bool form = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ';
  if (!form || line[7] < '0' || line[7] > '1') {
    return fail(ErrorCode::kUpstreamBadHead, "not an HTTP/1.0 or 1.1 status line");
  }
  out.version = line[7] == '1' ? Version::kHttp11 : Version::kHttp10;
  unsigned status = 0;
  for (char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return fail(ErrorCode::kUpstreamBadHead, "status is not a number");
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  // Codes from 600 are not HTTP's, yet some sites use them and no reader misreads their framing.
  if (status < 100) return fail(ErrorCode::kUpstreamBadHead, "status below 100");
  out.status = static_cast<uint16_t>(status);
  if (line.size() == 12) return {};
  if (line[12] != ' ') return fail(ErrorCode::kUpstreamBadHead, "status is not three digits");
  out.reason = line.substr(13);
  return {};
}

Result<void> walk_fields(HeaderList& headers, FramingFacts& framing, ConnectionFacts& connection) {
  for (Header& header : headers) {
    header.id = header_id(header.name);
    bool underscore = false;
    switch (header.id) {
      case HeaderId::kContentLength:
        framing.add_content_length(header.value);
        break;
      case HeaderId::kTransferEncoding:
        framing.add_transfer_encoding(header.value);
        break;
      case HeaderId::kConnection:
        connection.add(header.value);
        break;
      case HeaderId::kOther:
        if (!is_field_name(header.name, underscore)) {
          return fail(ErrorCode::kUpstreamBadHead, "field name is not a token");
        }
        break;
      default:
        break;
    }
  }
  if (connection.too_many) return fail(ErrorCode::kUpstreamBadHead, "too many Connection options");
  return {};
}

/// RFC 9112, 6.3, in its order.
Result<void> set_framing(const FramingFacts& framing, Method request_method, ResponseHead& out) {
  bool promises_body = framing.chunked || framing.length > 0;
  if (out.status < 200) {
    if (promises_body) return fail(ErrorCode::kUpstreamBadFraming, "body promised by a 1xx");
    return {};
  }
  if (request_method == Method::kConnect && out.status < 300) {
    // What framing fields say of it is to be ignored (RFC 9110, 9.3.6).
    out.body = {Kind::kTunnel, 0};
    out.keep_alive = false;
    return {};
  }
  if (out.status == 204) {
    // Forbidden, yet sent in the wild, some with body bytes behind: they must not be taken for the
    // next response, so the connection is not used again.
    if (promises_body) out.keep_alive = false;
    return {};
  }
  if (request_method == Method::kHead || out.status == 304) return {};
  if (framing.chunked) {
    out.body = {Kind::kChunked, 0};
  } else if (framing.has_length) {
    out.body = {Kind::kLength, framing.length};
  } else {
    out.body = {Kind::kUntilClose, 0};
    out.keep_alive = false;
  }
  return {};
}

}  // namespace

Result<void> parse_response_head(std::string_view text, const HeadLimits& limits,
                                 base::Arena& arena, Method request_method, ResponseHead& out) {
  out = ResponseHead{};
  std::string_view line = text.substr(0, text.find('\r'));
  Result<void> done = parse_status_line(line, out);
  if (!done) return done;
  Result<HeaderList> headers = make_header_list(text, limits, MessageKind::kResponse, arena);
  if (!headers) return std::unexpected(headers.error());
  out.headers = *headers;

  std::string_view reason;
  done = split_response(text, reason, out.headers);
  if (!done) return done;
  const char* problem = check_tiling(text, line.data() + line.size() + 2, out.headers);
  if (problem != nullptr) return fail(ErrorCode::kUpstreamBadHead, problem);

  FramingFacts framing;
  ConnectionFacts connection;
  done = walk_fields(out.headers, framing, connection);
  if (!done) return done;
  framing.finish(out.version);
  if (framing.problem != nullptr) {
    return fail(ErrorCode::kUpstreamBadFraming, framing.problem);
  }
  out.keep_alive = connection.persistent(out.version);
  return set_framing(framing, request_method, out);
}

}  // namespace weir::http
