// SPDX-License-Identifier: Apache-2.0
#include "http/h2_fields.h"

#include <algorithm>

#include "http/header_id.h"
#include "http/limits.h"
#include "http/trailers.h"

namespace weir::http {
namespace {

// A usual head of a browser has some 20 fields.
constexpr size_t kFirstFields = 28;
constexpr size_t kFirstTrailers = 8;
// What a field costs in HTTP/1 beside its name and value, so that both have the same limit.
constexpr size_t kFieldOverhead = 4;
// What each crumb of a cookie costs beside its bytes (RFC 9113, 10.5.1): crumbs are not lines.
constexpr size_t kCrumbOverhead = 32;
// A block may be so much larger than allowed and still get an answer. A reference to the dynamic
// table takes one byte and stands for some 4000, so that a block of 64 KiB could else make us look
// at 256 MiB.
constexpr size_t kPoliteTimes = 4;
constexpr size_t kPoliteBytes = 262144;

/// Not constructed one by one: only what is pushed is written.
HeaderList make_list(base::Arena& arena, size_t capacity) {
  return {static_cast<Header*>(arena.allocate(capacity * sizeof(Header))), capacity};
}

}  // namespace

H2Fields::H2Fields(Kind kind_of_block, base::Arena& memory, const HeadLimits& bounds)
    : arena(memory), limits(bounds), kind(kind_of_block) {
  size_t first = kind == Kind::kTrailers ? kFirstTrailers : kFirstFields;
  list = make_list(arena, first);
}

void H2Fields::grow() {
  HeaderList larger = make_list(arena, list.capacity() * 2);
  for (const Header& header : list) larger.push(header);
  list = larger;
}

void H2Fields::keep(const Header& header, bool copy_name) {
  // In a head, room is always left for Host and for what weir adds on the way.
  const size_t spare = kind == Kind::kHead ? kHeaderHeadroom + 1 : 0;
  if (list.size() + spare >= list.capacity()) grow();
  Header kept = header;
  if (copy_name) {
    // One piece for both: half the rounding of the arena.
    std::string_view both = arena.concat({header.name, header.value});
    kept.name = both.substr(0, header.name.size());
    kept.value = both.substr(header.name.size());
  } else {
    kept.name = header_name(header.id);
    kept.value = arena.copy(header.value);
  }
  list.push(kept);
}

void H2Fields::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":path" && value.size() > limits.max_uri_bytes) {
    problem = ErrorCode::kUriTooLong;
    return;
  }
  std::string_view kept = arena.copy(value);
  if (name == ":method") {
    method = kept;
  } else if (name == ":path") {
    path = kept;
  } else if (name == ":scheme") {
    scheme = kept;
  } else if (name == ":authority") {
    authority = kept;
  } else if (name == ":status") {
    status = kept;
  } else if (name == ":protocol") {
    protocol = kept;
  }
}

bool H2Fields::add(std::string_view name, std::string_view value) {
  const bool trailers = kind == Kind::kTrailers;
  const size_t max_bytes =
      trailers ? std::min(limits.max_bytes, kMaxTrailerBytes) : limits.max_bytes;
  bytes += name.size() + value.size() + kFieldOverhead;
  HeaderId id = HeaderId::kOther;
  const bool pseudo = name.starts_with(':');
  if (!pseudo) {
    id = header_id(name);
    if (id == HeaderId::kCookie && cookies++ > 0) {
      bytes += kCrumbOverhead;
    } else {
      ++lines;
    }
  }
  if (bytes > max_bytes && problem == ErrorCode::kCount) problem = ErrorCode::kHeaderTooLarge;
  if (lines > (trailers ? kMaxTrailers : limits.max_headers) && problem == ErrorCode::kCount) {
    problem = ErrorCode::kTooManyHeaders;
  }
  if (problem != ErrorCode::kCount) {
    return bytes <= std::max(limits.max_bytes * kPoliteTimes, kPoliteBytes);
  }
  if (pseudo) {
    add_pseudo(name, value);
  } else if (!trailers || !is_forbidden_trailer(name, id)) {
    keep({name, value, id}, id == HeaderId::kOther);
  }
  return true;
}

}  // namespace weir::http
