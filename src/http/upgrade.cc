// SPDX-License-Identifier: Apache-2.0
#include "http/upgrade.h"

#include <array>
#include <cstring>

#include "http/chars.h"
#include "http/framing.h"
#include "http/grpc_web.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

constexpr std::string_view kWebSocket = "websocket";
// 16 bytes in base64.
constexpr size_t kKeyBytes = 16;
constexpr size_t kKeySize = base64_size(kKeyBytes);
// Longer than every registered protocol; a bound for what is copied and compared.
constexpr size_t kMaxToken = 64;

bool is_token(std::string_view text) {
  for (char c : text) {
    if (!is_char(c, kTokenChar)) return false;
  }
  return !text.empty() && text.size() <= kMaxToken;
}

/// The only member of the only field of that id; empty if there are more, or none.
std::string_view only_member(const HeaderList& headers, HeaderId id) {
  std::string_view found;
  for (const Header& header : headers) {
    if (header.id != id) continue;
    std::string_view list = header.value;
    const std::string_view member = next_member(list);
    if (!found.empty() || !next_member(list).empty()) return {};
    found = member;
  }
  return found;
}

const char* check_websocket(const RequestHead& head) {
  if (only_member(head.headers, HeaderId::kSecWebsocketVersion) != "13") {
    return "WebSocket of a version other than 13";
  }
  if (head.version == Version::kHttp2) return nullptr;
  if (head.method != Method::kGet) return "WebSocket asked for with a method other than GET";
  const std::string_view key = only_member(head.headers, HeaderId::kSecWebsocketKey);
  std::array<char, kKeySize> bytes;
  Base64Decoder decoder;
  const auto decoded = key.size() == kKeySize ? decoder.next(key, bytes) : std::nullopt;
  return decoded && decoded->size() == kKeyBytes ? nullptr : "WebSocket without one valid key";
}

HeaderList without(const HeaderList& headers, HeaderId id, base::Arena& arena) {
  HeaderList out(arena.unset_array<Header>(headers.size()), headers.size());
  for (const Header& header : headers) {
    if (header.id != id) out.push(header);
  }
  return out;
}

}  // namespace

std::string_view requested_protocol(const RequestHead& head, base::Arena& arena) {
  if (head.version != Version::kHttp11) return {};
  if (head.body.kind == Kind::kChunked || head.body.length > 0) return {};
  if (is_plain_connect(head)) return kConnectProtocol;
  if (!head.upgrade) return {};
  const std::string_view token = only_member(head.headers, HeaderId::kUpgrade);
  if (!is_token(token)) return {};
  char* lower = static_cast<char*>(arena.allocate(token.size()));
  for (size_t i = 0; i < token.size(); ++i) lower[i] = to_lower(token[i]);
  const std::string_view protocol(lower, token.size());
  // "connect" is no protocol: the word is CONNECT's own.
  return protocol == "h2c" || protocol == kConnectProtocol ? std::string_view{} : protocol;
}

Result<void> check_upgrade(const RequestHead& head) {
  const char* problem = head.protocol == kWebSocket ? check_websocket(head) : nullptr;
  if (problem != nullptr) return fail(ErrorCode::kBadHeader, problem);
  return {};
}

HeaderList with_upgrade(const HeaderList& headers, std::string_view protocol, base::Arena& arena) {
  const size_t room = headers.size() + 3;
  HeaderList out(arena.unset_array<Header>(room), room);
  for (const Header& header : headers) out.push(header);
  out.push({"connection", "upgrade", HeaderId::kConnection});
  out.push({"upgrade", protocol, HeaderId::kUpgrade});
  return out;
}

bool switches_to(const ResponseHead& head, std::string_view protocol) {
  return head.status == 101 && connection_names(head.headers, "upgrade") &&
         iequals(only_member(head.headers, HeaderId::kUpgrade), protocol);
}

std::string_view new_websocket_key(uint64_t high, uint64_t low, base::Arena& arena) {
  std::array<char, kKeyBytes> bytes;
  std::memcpy(bytes.data(), &high, 8);
  std::memcpy(bytes.data() + 8, &low, 8);
  char* key = static_cast<char*>(arena.allocate(kKeySize));
  return base64_encode({bytes.data(), bytes.size()}, {key, kKeySize});
}

void from_extended_connect(RequestHead& head) {
  if (head.protocol.empty()) return;
  head.body = {Kind::kTunnel, 0};
  if (head.protocol == kConnectProtocol) return;
  head.method = Method::kGet;
  head.method_text = "GET";
  // The key belongs to HTTP/1's handshake: what a client sends of it here proves nothing.
  head.headers.remove_if([](const Header& header) {
    return header.id == HeaderId::kSecWebsocketKey || header.id == HeaderId::kSecWebsocketAccept;
  });
}

RequestHead to_extended_connect(const RequestHead& head, base::Arena& arena) {
  RequestHead out = head;
  if (head.protocol.empty() || is_plain_connect(head)) return out;
  out.method = Method::kConnect;
  out.method_text = "CONNECT";
  out.headers = without(head.headers, HeaderId::kSecWebsocketKey, arena);
  return out;
}

void from_connect_answer(ResponseHead& head, std::string_view protocol) {
  if (protocol.empty() || head.status < 200 || head.status > 299) return;
  head.body = {Kind::kTunnel, 0};
  if (protocol == kConnectProtocol) return;
  head.status = 101;
  head.reason = "Switching Protocols";
}

ResponseHead to_connect_answer(const ResponseHead& head, base::Arena& arena) {
  ResponseHead out = head;
  if (head.status != 101) return out;
  out.status = 200;
  out.headers = without(head.headers, HeaderId::kSecWebsocketAccept, arena);
  return out;
}

}  // namespace weir::http
