// SPDX-License-Identifier: Apache-2.0
// What weir tells origins about the client: X-Forwarded-*, X-Real-IP, Forwarded (RFC 7239), Via
// (RFC 9110, 7.6.3). Who is trusted is decided elsewhere; here is what follows from it. Values live
// in the arena. Pure functions on a head; one thread.
#pragma once

#include <weir/message.h>
#include <weir/units.h>

#include <optional>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

struct ForwardedFacts {
  std::string_view peer;   ///< Peer address without port or brackets; empty for a unix socket.
  std::string_view proto;  ///< "http" or "https": how the request came to weir.
  std::string_view host;   ///< The request's authority.
  std::string_view port;   ///< Port of the listener, as text; empty to leave X-Forwarded-Port out.
  bool trusted = false;    ///< Peer is in trusted_proxies: what it says is kept and appended to.
  bool emit_forwarded = true;  ///< Also write the Forwarded field.
};

/// Sets the forwarding fields of a request. Untrusted peer: all that came is removed and replaced
/// by the facts. Trusted peer: X-Forwarded-For and Forwarded are appended to; X-Forwarded-Proto,
/// -Host, -Port and X-Real-IP are kept if there, else set. Adds at most 6 headers; false if
/// `headers` had no room.
bool set_forwarded(HeaderList& headers, const ForwardedFacts& facts, base::Arena& arena);

/// The client as X-Forwarded-For tells it: the last address that is no trusted proxy's own, read
/// from the right, because what stands left of it is anybody's word. nullopt: there is no such
/// field, or what stands in that place is no address. Requires: the peer is trusted.
template <typename IsTrusted>
std::optional<IpAddress> forwarded_client(const HeaderList& headers, IsTrusted is_trusted);
/// `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
std::optional<IpAddress> parse_forwarded_address(std::string_view text);

/// `existing, peer`, or `peer` alone if nothing exists.
std::string_view append_forwarded_for(std::string_view existing, std::string_view peer,
                                      base::Arena& arena);
/// One element of Forwarded: `for=192.0.2.1;host=a.example;proto=http`, quoted where needed; an
/// empty peer is `unknown`.
std::string_view forwarded_element(const ForwardedFacts& facts, base::Arena& arena);

/// The value of the Via line that weir adds after those that came: "1.1 weir".
std::string_view via_value(Version received);

template <typename IsTrusted>
std::optional<IpAddress> forwarded_client(const HeaderList& headers, IsTrusted is_trusted) {
  std::optional<IpAddress> found;
  // Several fields are one list (RFC 9110, 5.3).
  for (size_t i = headers.size(); i-- > 0;) {
    if (headers[i].id != HeaderId::kXForwardedFor) continue;
    std::string_view list = headers[i].value;
    for (bool more = true; more;) {
      const size_t comma = list.rfind(',');
      more = comma != list.npos;
      const auto address = parse_forwarded_address(more ? list.substr(comma + 1) : list);
      if (!address) return found;
      found = address;
      if (!is_trusted(*address)) return found;
      if (more) list = list.substr(0, comma);
    }
  }
  return found;
}

}  // namespace weir::http
