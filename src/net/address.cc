// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::net {

SocketAddress SocketAddress::from_ip(const IpAddress& ip, uint16_t port) {
  SocketAddress out;
  if (ip.is_v6) {
    auto* sin6 = reinterpret_cast<sockaddr_in6*>(&out.storage_);
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(port);
    std::memcpy(&sin6->sin6_addr, ip.bytes.data(), 16);
    out.length_ = sizeof(sockaddr_in6);
  } else {
    auto* sin = reinterpret_cast<sockaddr_in*>(&out.storage_);
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    std::memcpy(&sin->sin_addr, ip.bytes.data(), 4);
    out.length_ = sizeof(sockaddr_in);
  }
  return out;
}

SocketAddress::SocketAddress(const Address& address) {
  if (address.kind == Address::Kind::kIp) {
    *this = from_ip(address.ip, address.port);
    return;
  }
  auto* sun = reinterpret_cast<sockaddr_un*>(&storage_);
  sun->sun_family = AF_UNIX;
  const size_t n = std::min(address.path.size(), sizeof(sun->sun_path) - 1);
  std::memcpy(sun->sun_path, address.path.data(), n);
  const bool abstract = n > 0 && address.path[0] == '@';
  if (abstract) sun->sun_path[0] = '\0';
  // An abstract name is exactly its bytes; a path is closed by a NUL.
  length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
}

Peer Peer::from(const sockaddr_storage& storage) {
  Peer peer;
  if (storage.ss_family == AF_INET) {
    const auto& sin = reinterpret_cast<const sockaddr_in&>(storage);
    std::memcpy(peer.ip.bytes.data(), &sin.sin_addr, 4);
    peer.port = ntohs(sin.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& sin6 = reinterpret_cast<const sockaddr_in6&>(storage);
    peer.ip.is_v6 = true;
    std::memcpy(peer.ip.bytes.data(), &sin6.sin6_addr, 16);
    peer.ip = peer.ip.unmapped();
    peer.port = ntohs(sin6.sin6_port);
  } else {
    peer.is_unix = true;
  }
  return peer;
}

std::string_view Peer::ip_text(char (&out)[kMaxText]) const {
  if (is_unix) return "unix";
  if (ip.is_v6) return inet_ntop(AF_INET6, ip.bytes.data(), out, kMaxText);
  // Every request needs it, and inet_ntop() goes through sprintf: 1,400 instructions.
  char* at = out;
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, out + kMaxText, ip.bytes[i]).ptr;
  }
  return {out, static_cast<size_t>(at - out)};
}

std::string ip_to_string(const IpAddress& ip) {
  char text[Peer::kMaxText];
  return std::string(Peer{ip, 0, false}.ip_text(text));
}

}  // namespace weir::net
