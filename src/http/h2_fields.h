// SPDX-License-Identifier: Apache-2.0
// A header block of HTTP/2 while it is received, field by field, and the rules by which it becomes
// a head (RFC 9113, 8.2 and 8.3, on top of nghttp2's checks). Copies what it keeps into the
// stream's arena. Keeps to HeadLimits: a block that breaks them is taken to its end, or the
// connection's HPACK state would be lost, but no longer stored. Internal to this folder. One
// thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/h2_session.h"

namespace weir::http {

struct H2Fields {
  enum class Kind : uint8_t { kHead, kTrailers };

  H2Fields(Kind kind_of_block, base::Arena& memory, const HeadLimits& bounds);

  /// False: the block is so far beyond its limits that to make us decode it is the purpose.
  bool add(std::string_view name, std::string_view value);

  base::Arena& arena;
  const HeadLimits& limits;
  HeaderList list;
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  std::string_view protocol;
  std::string_view status;
  size_t bytes = 0;
  uint32_t lines = 0;
  uint32_t cookies = 0;                   ///< Crumbs (RFC 9113, 8.2.3); they count as one line.
  ErrorCode problem = ErrorCode::kCount;  ///< A limit that is broken, or kCount.
  Kind kind;

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void keep(const Header& header, bool copy_name);
  void grow();
};

/// The request in the form of parse_request_head(). `ended`: no body follows.
Result<void> make_h2_request(H2Fields& fields, std::string_view scheme, bool ended,
                             RequestHead& out);

/// What was asked, as far as the answer's framing depends on it.
struct H2Asked {
  Method method;
  bool tunnel;
};
Result<void> make_h2_response(H2Fields& fields, H2Asked asked, bool ended, ResponseHead& out);

}  // namespace weir::http
