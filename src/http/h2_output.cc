// SPDX-License-Identifier: Apache-2.0
#include "http/h2_output.h"

#include <charconv>

#include "http/framing.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

const uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
// nghttp2's array is of pointers that it does not write through.
uint8_t* as_field(std::string_view text) { return const_cast<uint8_t*>(as_bytes(text)); }

/// Fields that differ from request to request would push others out of the peer's dynamic table;
/// credentials are kept out of it (RFC 7541, 7.1.3; nghttp2 sees to Authorization and short
/// cookies).
bool stays_out_of_table(HeaderId id) {
  switch (id) {
    case HeaderId::kProxyAuthorization:
    case HeaderId::kTraceparent:
    case HeaderId::kXRequestId:
      return true;
    default:
      return false;
  }
}

bool lists_trailers(std::string_view value) {
  for (std::string_view member = next_member(value); !member.empty(); member = next_member(value)) {
    if (iequals(member, "trailers")) return true;
  }
  return false;
}

}  // namespace

H2Output::H2Output(base::Arena& arena, size_t capacity)
    : arena_(arena), fields_(capacity <= kInline ? inline_ : arena.array<nghttp2_nv>(capacity)) {}

void H2Output::add(std::string_view name, std::string_view value, uint8_t flags) {
  fields_[size_++] = {as_field(name), as_field(value), name.size(), value.size(), flags};
}

void H2Output::add_constant(std::string_view name, std::string_view value) {
  add(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

void H2Output::add_header(const Header& header) {
  // nghttp2 folds the case of what it copies.
  if (header.id == HeaderId::kOther) return add(header.name, header.value, NGHTTP2_NV_FLAG_NONE);
  uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
  if (stays_out_of_table(header.id)) flags |= NGHTTP2_NV_FLAG_NO_INDEX;
  add(header_name(header.id), header.value, flags);
}

void H2Output::add_length(const BodyFraming& body, bool seen) {
  // END_STREAM says zero well enough where nobody has said it in words.
  if (body.kind != Kind::kLength || (body.length == 0 && !seen)) return;
  char* end = std::to_chars(length_, length_ + sizeof(length_), body.length).ptr;
  add_constant(header_name(HeaderId::kContentLength),
               {length_, static_cast<size_t>(end - length_)});
}

void H2Output::request(const RequestHead& head, std::string_view scheme) {
  const bool plain_connect = head.protocol == "connect";
  add_constant(":method", head.protocol.empty() ? head.method_text : "CONNECT");
  if (!plain_connect) {
    add_constant(":scheme", scheme);
    add_constant(":path",
                 !head.has_query ? head.path : arena_.concat({head.path, "?", head.query}));
  }
  if (!head.authority.empty()) add_constant(":authority", head.authority);
  if (!head.protocol.empty() && !plain_connect) add_constant(":protocol", head.protocol);
  bool has_length = false;
  for (const Header& header : head.headers) {
    if (header.id == HeaderId::kHost) continue;
    if (header.id == HeaderId::kContentLength) {
      has_length = true;
    } else if (header.id == HeaderId::kTe) {
      if (lists_trailers(header.value)) add_constant("te", "trailers");
    } else if (!is_hop_by_hop(header.id)) {
      add_header(header);
    }
  }
  add_length(head.body, has_length);
}

void H2Output::response(const ResponseHead& head) {
  for (int i = 2, rest = head.status; i >= 0; --i, rest /= 10) {
    status_[i] = static_cast<char>('0' + rest % 10);
  }
  add_constant(":status", {status_, sizeof(status_)});
  // Without a body (HEAD, 304) it describes what GET would give (RFC 9110, 8.6).
  const bool keep_length =
      head.body.kind == Kind::kNone && head.status >= 200 && head.status != 204;
  bool has_length = false;
  for (const Header& header : head.headers) {
    if (header.id == HeaderId::kContentLength) {
      has_length = true;
      if (keep_length) add_header(header);
    } else if (!is_hop_by_hop(header.id)) {
      add_header(header);
    }
  }
  add_length(head.body, has_length);
}

void H2Output::trailers(const HeaderList& list) {
  for (const Header& header : list) {
    if (!is_hop_by_hop(header.id)) add_header(header);
  }
}

}  // namespace weir::http
