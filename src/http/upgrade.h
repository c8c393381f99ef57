// SPDX-License-Identifier: Apache-2.0
// Upgrades (RFC 9110, 7.8), WebSocket handshakes (RFC 6455) and their other form, the extended
// CONNECT of HTTP/2 (RFC 8441), as facts about heads. Between the two codecs a request for a tunnel
// has one form: `protocol` says what is asked for, the method is what HTTP/1 would use, body is
// kTunnel; an accepted upgrade is answered by 101 with body kTunnel, an accepted CONNECT by 200
// with body kTunnel. Connection and Upgrade fields are in neither. Pure functions, safe from every
// thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

/// `protocol` of a plain CONNECT.
inline constexpr std::string_view kConnectProtocol = "connect";

/// Whether this asks for a tunnel by CONNECT, not by an upgrade.
inline bool is_plain_connect(const RequestHead& head) { return head.method == Method::kConnect; }

// ---- HTTP/1.

/// What an HTTP/1.1 request asks to become: "connect" for CONNECT, else the one token of its
/// Upgrade field in lower case. Empty for what weir may ignore and does (RFC 9110, 7.8): h2c,
/// several protocols to choose from, versions ("tls/1.0"), and a request with a body, which would
/// have to come before the tunnel. Requires: framing is known.
std::string_view requested_protocol(const RequestHead& head, base::Arena& arena);

/// Whether a request for an upgrade keeps the rules of its protocol: "websocket" is version 13, and
/// over HTTP/1 a GET with one valid key. kBadHeader if not.
Result<void> check_upgrade(const RequestHead& head);

/// `headers` with "connection: upgrade" and "upgrade: <protocol>", and room for one more.
HeaderList with_upgrade(const HeaderList& headers, std::string_view protocol, base::Arena& arena);

/// Whether a 101 switches to `protocol` and to nothing else.
bool switches_to(const ResponseHead& head, std::string_view protocol);

/// A Sec-WebSocket-Key from 128 random bits, for a request whose client needed none.
std::string_view new_websocket_key(uint64_t high, uint64_t low, base::Arena& arena);

// ---- HTTP/2. Plain CONNECT and all other requests pass through these unchanged, but for the body
// of a tunnel.

/// From the head of an extended CONNECT to the common form.
void from_extended_connect(RequestHead& head);
/// The reverse: method CONNECT, without the key that HTTP/2 does not know.
RequestHead to_extended_connect(const RequestHead& head, base::Arena& arena);
/// From an origin's answer to a request for `protocol` (empty: for no tunnel): 2xx accepts.
void from_connect_answer(ResponseHead& head, std::string_view protocol);
/// The reverse: 101 becomes 200, without Sec-WebSocket-Accept.
ResponseHead to_connect_answer(const ResponseHead& head, base::Arena& arena);

}  // namespace weir::http
