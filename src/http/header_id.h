// SPDX-License-Identifier: Apache-2.0
// Header names: from text to HeaderId, comparison without regard to case, and the rules for fields
// that belong to one connection only. Pure functions, safe from every thread; nothing allocates.
#pragma once

#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

/// kOther for a name that weir does not treat specially. Case does not matter.
HeaderId header_id(std::string_view name);

/// The canonical lower-case name of a known id; empty for kOther.
std::string_view header_name(HeaderId id);

/// Equal without regard to ASCII case.
bool iequals(std::string_view a, std::string_view b);

/// Which ids a list has, found in one pass, so that what is not there need not be looked for.
class HeaderIds {
 public:
  explicit HeaderIds(const HeaderList& headers) {
    for (const Header& header : headers) bits_ |= bit(header.id);
  }
  bool has(HeaderId id) const { return (bits_ & bit(id)) != 0; }

 private:
  static_assert(static_cast<size_t>(HeaderId::kCount) <= 64);
  static uint64_t bit(HeaderId id) { return uint64_t{1} << static_cast<unsigned>(id); }

  uint64_t bits_ = 0;
};

/// The first field of that name, or null. For names that weir does not treat specially: the others
/// are found by their id.
const Header* find_field(const HeaderList& headers, std::string_view name);
/// Removes all fields of that name.
void remove_field(HeaderList& headers, std::string_view name);

/// Whether a field name is one of the X-Forwarded-* family, known or not.
bool is_x_forwarded(std::string_view name);

/// Fields that every intermediary removes before it forwards (RFC 9110, 7.6.1).
bool is_hop_by_hop(HeaderId id);

/// Whether some Connection field of `headers` lists `token`, without regard to case.
bool connection_names(const HeaderList& headers, std::string_view token);

/// Removes the hop-by-hop fields and every field that Connection names. Exceptions, with reasons:
/// - TE survives as exactly "trailers" when it lists that: weir forwards trailers and gRPC servers
///   insist on it (RFC 9110, 10.1.4).
/// - Trailer stays: it is not a hop-by-hop field any more (RFC 9110, 6.6.2 and 7.6.1).
/// - A field that weir knows (Host, Content-Length, Cookie, X-Forwarded-For, ...) is never removed
///   because Connection names it: RFC 9110, 7.6.1 forbids such options, and obeying them lets a
///   client strip what a proxy in front of weir has added.
void remove_hop_by_hop(HeaderList& headers);

}  // namespace weir::http
