// SPDX-License-Identifier: Apache-2.0
// Digests and base64, where HTTP asks for them. Not for secrets. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::net {

std::array<uint8_t, 20> sha1(std::string_view bytes);
std::string base64(std::string_view bytes);
/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, 4.2.2).
std::string websocket_accept(std::string_view key);

}  // namespace weir::net
