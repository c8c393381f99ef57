// SPDX-License-Identifier: Apache-2.0
// From a header block to a request that means in HTTP/1 what it means here.
#include <algorithm>
#include <utility>

#include "http/chars.h"
#include "http/framing.h"
#include "http/h2_fields.h"
#include "http/header_id.h"
#include "http/request_rules.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

struct RequestFacts {
  FramingFacts framing;
  const Header* host = nullptr;
  bool expect = false;
  bool expect_unknown = false;
  bool underscores = false;
};

/// Connection fields, several Hosts and malformed names have been refused by nghttp2.
Result<void> walk_fields(const HeaderList& headers, RequestFacts& facts) {
  for (const Header& header : headers) {
    switch (header.id) {
      case HeaderId::kHost:
        facts.host = &header;
        break;
      case HeaderId::kContentLength:
        facts.framing.add_content_length(header.value);
        break;
      case HeaderId::kExpect:
        (iequals(header.value, "100-continue") ? facts.expect : facts.expect_unknown) = true;
        break;
      case HeaderId::kOther:
        if (header.name.find('_') == header.name.npos) break;
        facts.underscores = true;
        if (aliases_known_field(header.name)) {
          return fail(ErrorCode::kBadHeader, "field name with '_' that aliases a known field");
        }
        break;
      default:
        break;
    }
  }
  if (facts.framing.problem != nullptr) return fail(ErrorCode::kBadFraming, facts.framing.problem);
  if (facts.expect_unknown) return fail(ErrorCode::kExpectationFailed);
  return {};
}

/// RFC 9113, 8.3.1: Host may stand beside :authority if it says the same. Compared in normal form,
/// since "A.example:" and "a.example" are one.
Result<void> check_authority(const H2Fields& fields, const RequestFacts& facts, RequestHead& out) {
  if (fields.authority.empty() && facts.host == nullptr) {
    return fail(ErrorCode::kBadHost, "neither :authority nor Host");
  }
  if (fields.authority.empty()) return set_authority(facts.host->value, fields.arena, out);
  Result<void> done = set_authority(fields.authority, fields.arena, out);
  if (!done || facts.host == nullptr) return done;
  RequestHead host;
  done = set_authority(facts.host->value, fields.arena, host);
  if (done && host.authority != out.authority) {
    return fail(ErrorCode::kBadHost, "Host differs from :authority");
  }
  return done;
}

Result<void> set_target(const H2Fields& fields, RequestHead& out) {
  if (out.method == Method::kConnect) {
    out.target = fields.authority;
    return {};
  }
  out.target = fields.path;
  // What a client claims says nothing about how the request came: the scheme is the connection's,
  // as for an absolute-form target in HTTP/1. Proxies that end TLS for us send either.
  if (!iequals(fields.scheme, "http") && !iequals(fields.scheme, "https")) {
    return fail(ErrorCode::kBadTarget, "scheme is not http or https");
  }
  if (fields.path == "*") {
    if (out.method != Method::kOptions) return fail(ErrorCode::kBadTarget, "'*' is for OPTIONS");
    out.path = fields.path;
    return {};
  }
  if (!fields.path.starts_with('/')) return fail(ErrorCode::kBadTarget, "unknown form of target");
  return set_path_and_query(fields.path, fields.arena, out);
}

/// RFC 8441: what would be a GET with Upgrade in HTTP/1. A plain CONNECT has no :protocol.
Result<void> set_method(const H2Fields& fields, RequestHead& out) {
  out.method_text = fields.method;
  Result<Method> method = parse_method(fields.method);
  if (!method) return std::unexpected(method.error());
  out.method = *method;
  if (out.method != Method::kConnect) return {};
  if (fields.protocol.empty()) {
    out.protocol = "connect";
    return {};
  }
  out.method = Method::kGet;
  out.method_text = "GET";
  char* lower = static_cast<char*>(fields.arena.allocate(fields.protocol.size()));
  for (size_t i = 0; i < fields.protocol.size(); ++i) lower[i] = to_lower(fields.protocol[i]);
  out.protocol = {lower, fields.protocol.size()};
  return {};
}

/// The crumbs become the one field that HTTP/1 knows (RFC 9113, 8.2.3), where the first stood.
void join_cookies(H2Fields& fields) {
  size_t size = 0;
  for (const Header& header : fields.list) {
    if (header.id == HeaderId::kCookie) size += header.value.size() + 2;
  }
  char* const begin = static_cast<char*>(fields.arena.allocate(size));
  char* at = begin;
  Header* first = nullptr;
  for (Header& header : fields.list) {
    if (header.id != HeaderId::kCookie) continue;
    if (first == nullptr) first = &header;
    at = std::copy(header.value.begin(), header.value.end(), at);
    *at++ = ';';
    *at++ = ' ';
  }
  first->value = {begin, size - 2};
  bool seen = false;
  fields.list.remove_if(
      [&seen](const Header& h) { return h.id == HeaderId::kCookie && std::exchange(seen, true); });
}

void set_headers(H2Fields& fields, const RequestFacts& facts, RequestHead& out) {
  if (fields.cookies > 1) join_cookies(fields);
  if (facts.underscores) {
    fields.list.remove_if([](const Header& h) { return h.name.find('_') != h.name.npos; });
  }
  if (facts.host == nullptr) {
    fields.list.push({header_name(HeaderId::kHost), out.authority, HeaderId::kHost});
  }
  out.headers = fields.list;
}

void set_body(const RequestFacts& facts, bool ended, RequestHead& out) {
  if (!out.protocol.empty()) {
    out.body = {Kind::kTunnel, 0};
  } else if (facts.framing.has_length) {
    // "content-length: 0" is kept: some origins refuse a POST without it.
    out.body = {Kind::kLength, facts.framing.length};
  } else if (!ended) {
    out.body = {Kind::kChunked, 0};
  }
  out.expect_continue = facts.expect && !ended;
}

}  // namespace

Result<void> make_h2_request(H2Fields& fields, std::string_view scheme, bool ended,
                             RequestHead& out) {
  out = RequestHead{};
  out.version = Version::kHttp2;
  out.scheme = scheme;
  if (fields.problem != ErrorCode::kCount) return fail(fields.problem);
  RequestFacts facts;
  Result<void> done = set_method(fields, out);
  if (done) done = walk_fields(fields.list, facts);
  if (done) done = check_authority(fields, facts, out);
  if (done) done = set_target(fields, out);
  if (!done) return done;
  set_headers(fields, facts, out);
  set_body(facts, ended, out);
  return {};
}

}  // namespace weir::http
