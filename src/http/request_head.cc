// SPDX-License-Identifier: Apache-2.0
// A request head: start line, fields, and all the rules that make it mean one thing only.
#include <algorithm>
#include <array>

#include "http/chars.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/header_id.h"
#include "http/limits.h"
#include "http/llhttp_split.h"
#include "http/request_rules.h"
#include "http/upgrade.h"
#include "http/uri.h"

namespace weir::http {
namespace {

/// " HTTP/1.x" at the end of the line, which is cut off.
Result<Version> take_version(std::string_view& line) {
  if (line.size() < 9) return fail(ErrorCode::kBadRequestLine, "no HTTP version");
  std::string_view end = line.substr(line.size() - 9);
  bool form = end.starts_with(" HTTP/") && end[6] >= '0' && end[6] <= '9' && end[7] == '.' &&
              end[8] >= '0' && end[8] <= '9';
  if (!form) return fail(ErrorCode::kBadRequestLine, "no HTTP version");
  if (end[6] != '1' || end[8] > '1') return fail(ErrorCode::kBadVersion);
  line.remove_suffix(9);
  return end[8] == '1' ? Version::kHttp11 : Version::kHttp10;
}

Result<void> parse_request_line(std::string_view line, const HeadLimits& limits, RequestHead& out) {
  size_t space = line.find(' ');
  if (space == line.npos) return fail(ErrorCode::kBadRequestLine);
  out.method_text = line.substr(0, space);
  Result<Method> method = parse_method(out.method_text);
  if (!method) return std::unexpected(method.error());
  out.method = *method;
  Result<Version> version = take_version(line);
  if (!version) return std::unexpected(version.error());
  out.version = *version;
  // Nothing but single spaces separates the three parts: a reader that is generous with white
  // space sees another target (RFC 9112, 3).
  if (line.size() <= space + 1) return fail(ErrorCode::kBadRequestLine, "no target");
  out.target = line.substr(space + 1);
  if (out.target.size() > limits.max_uri_bytes) return fail(ErrorCode::kUriTooLong);
  if (out.target.find_first_of(" \t") != out.target.npos) {
    return fail(ErrorCode::kBadRequestLine, "white space in the target");
  }
  return {};
}

/// "http://host[:port][/path][?query]". Its authority replaces Host, whatever that says (RFC 9112,
/// 3.2.2: a proxy must ignore the received Host and replace it), so origins never see the other.
Result<void> parse_absolute_form(std::string_view target, base::Arena& arena, RequestHead& out) {
  size_t colon = target.find("://");
  if (colon == target.npos) return fail(ErrorCode::kBadTarget, "unknown form of target");
  std::string_view scheme = target.substr(0, colon);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) {
    return fail(ErrorCode::kBadTarget, "scheme is not http or https");
  }
  std::string_view rest = target.substr(colon + 3);
  size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  Result<void> authority = set_authority(rest.substr(0, end), arena, out);
  if (!authority) return authority;
  rest.remove_prefix(end);
  // RFC 9112, 3.2.4: OPTIONS with neither path nor query asks about the server itself.
  if (out.method == Method::kOptions && rest.empty()) {
    out.path = "*";
    return {};
  }
  return set_path_and_query(rest, arena, out);
}

Result<void> parse_target(base::Arena& arena, RequestHead& out) {
  if (out.method == Method::kConnect) {
    if (set_authority(out.target, arena, out)) return {};
    return fail(ErrorCode::kBadTarget, "CONNECT takes host:port");
  }
  if (out.target.front() == '/') return set_path_and_query(out.target, arena, out);
  if (out.target == "*") {
    if (out.method != Method::kOptions) return fail(ErrorCode::kBadTarget, "'*' is for OPTIONS");
    out.path = out.target;
    return {};
  }
  return parse_absolute_form(out.target, arena, out);
}

/// What the walk over the fields finds out.
struct FieldFacts {
  FramingFacts framing;
  ConnectionFacts connection;
  std::string_view host;
  uint32_t hosts = 0;
  bool upgrade = false;
  bool expect = false;
  bool expect_unknown = false;
  bool underscores = false;
};

void note_field(const Header& header, FieldFacts& facts) {
  switch (header.id) {
    case HeaderId::kHost:
      facts.host = header.value;
      ++facts.hosts;
      break;
    case HeaderId::kContentLength:
      facts.framing.add_content_length(header.value);
      break;
    case HeaderId::kTransferEncoding:
      facts.framing.add_transfer_encoding(header.value);
      break;
    case HeaderId::kConnection:
      facts.connection.add(header.value);
      break;
    case HeaderId::kUpgrade:
      facts.upgrade = true;
      break;
    case HeaderId::kExpect:
      (iequals(header.value, "100-continue") ? facts.expect : facts.expect_unknown) = true;
      break;
    default:
      break;
  }
}

/// Any other field name with '_' is dropped below, which is nginx's default
/// (underscores_in_headers off): weir cannot know which names origins and policies rely on.
Result<void> walk_fields(HeaderList& headers, FieldFacts& facts) {
  for (Header& header : headers) {
    header.id = header_id(header.name);
    if (header.id != HeaderId::kOther) {
      note_field(header, facts);
      continue;
    }
    bool underscore = false;
    if (!is_field_name(header.name, underscore)) {
      return fail(ErrorCode::kBadHeader, "field name is not a token");
    }
    if (!underscore) continue;
    facts.underscores = true;
    if (aliases_known_field(header.name)) {
      return fail(ErrorCode::kBadHeader, "field name with '_' that aliases a known field");
    }
  }
  if (facts.underscores) {
    headers.remove_if([](const Header& h) { return h.name.find('_') != h.name.npos; });
  }
  return {};
}

Result<void> check_host(const FieldFacts& facts, base::Arena& arena, RequestHead& out) {
  if (facts.hosts > 1) return fail(ErrorCode::kBadHost, "several Host fields");
  if (facts.hosts == 0) {
    if (out.version == Version::kHttp11) return fail(ErrorCode::kBadHost, "no Host field");
    return {};
  }
  if (out.authority.empty()) return set_authority(facts.host, arena, out);
  // The target's authority has won, but an invalid Host is refused all the same (RFC 9112, 3.2).
  RequestHead ignored;
  return set_authority(facts.host, arena, ignored);
}

Result<void> apply(FieldFacts& facts, base::Arena& arena, RequestHead& out) {
  facts.framing.finish(out.version);
  if (facts.framing.problem != nullptr) return fail(ErrorCode::kBadFraming, facts.framing.problem);
  if (facts.framing.chunked) {
    out.body = {BodyFraming::Kind::kChunked, 0};
  } else if (facts.framing.has_length) {
    out.body = {BodyFraming::Kind::kLength, facts.framing.length};
  }
  if (facts.connection.too_many) {
    return fail(ErrorCode::kBadHeader, "too many Connection options");
  }
  out.keep_alive = facts.connection.persistent(out.version);
  if (out.version == Version::kHttp11) {
    if (facts.expect_unknown) return fail(ErrorCode::kExpectationFailed);
    out.expect_continue = facts.expect;
    out.upgrade = facts.connection.upgrade && facts.upgrade;
  } else if (facts.expect || facts.expect_unknown) {
    // RFC 9110, 7.8 and 10.1.1: from an HTTP/1.0 client both are ignored; Expect must not reach the
    // origin either, for which the request becomes one of HTTP/1.1.
    out.headers.remove_if([](const Header& h) { return h.id == HeaderId::kExpect; });
  }
  if (out.upgrade || out.method == Method::kConnect) {
    out.protocol = requested_protocol(out, arena);
  }
  return check_host(facts, arena, out);
}

}  // namespace

Result<void> parse_request_head(std::string_view text, const HeadLimits& limits, base::Arena& arena,
                                RequestHead& out) {
  out = RequestHead{};
  out.scheme = "http";
  if (text.starts_with("\r\n")) text.remove_prefix(2);
  std::string_view line = text.substr(0, text.find('\r'));
  Result<void> done = parse_request_line(line, limits, out);
  if (!done) return done;
  Result<HeaderList> headers = make_header_list(text, limits, MessageKind::kRequest, arena);
  if (!headers) return std::unexpected(headers.error());
  out.headers = *headers;

  std::string_view target;
  bool known = out.method != Method::kOther;
  done = split_request(text, out.method_text.size(), known, target, out.headers);
  if (!done) return done;
  if (target.data() != out.target.data() || target.size() != out.target.size()) {
    return fail(ErrorCode::kBadTarget, "target out of place");
  }
  const char* problem = check_tiling(text, line.data() + line.size() + 2, out.headers);
  if (problem != nullptr) return fail(ErrorCode::kBadHeader, problem);

  FieldFacts facts;
  done = walk_fields(out.headers, facts);
  if (done) done = parse_target(arena, out);
  if (done) done = apply(facts, arena, out);
  return done;
}

}  // namespace weir::http
