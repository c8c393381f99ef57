// SPDX-License-Identifier: Apache-2.0
// An Address (a value of the config) as the kernel wants it, and a peer as it is kept for an idle
// connection: 20 bytes. Free to copy; no thread rule.
#pragma once

#include <sys/socket.h>
#include <weir/error.h>
#include <weir/units.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::net {

class SocketAddress {
 public:
  SocketAddress() = default;
  /// Unix paths longer than the kernel takes (107 bytes) are refused by config/.
  explicit SocketAddress(const Address& address);
  static SocketAddress from_ip(const IpAddress& ip, uint16_t port);

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

/// Who is at the other end of an accepted connection. A unix peer has no address.
struct Peer {
  IpAddress ip;
  uint16_t port = 0;
  bool is_unix = false;

  static Peer from(const sockaddr_storage& storage);
  static constexpr size_t kMaxText = 46;
  /// The address without port ("unix" for a unix peer), written to `out`.
  std::string_view ip_text(char (&out)[kMaxText]) const;
};

/// The text of an address: "10.0.0.1" or "2001:db8::1".
std::string ip_to_string(const IpAddress& ip);

}  // namespace weir::net
