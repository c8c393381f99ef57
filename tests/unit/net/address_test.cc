// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace weir::net {
namespace {

Address unix_address(const std::string& path) {
  return {Address::Kind::kUnix, {}, 0, path, "unix:" + path};
}

TEST(SocketAddressTest, Ipv4) {
  const SocketAddress address(Address{Address::Kind::kIp, {false, {10, 1, 2, 3}}, 8080, "", ""});
  EXPECT_EQ(address.family(), AF_INET);
  EXPECT_EQ(address.length(), sizeof(sockaddr_in));
  const auto* sin = reinterpret_cast<const sockaddr_in*>(address.raw());
  EXPECT_EQ(ntohs(sin->sin_port), 8080);
  EXPECT_EQ(ntohl(sin->sin_addr.s_addr), 0x0a010203U);
}

TEST(SocketAddressTest, Ipv6) {
  IpAddress ip{.is_v6 = true, .bytes = {}};
  ip.bytes[15] = 1;
  const SocketAddress address = SocketAddress::from_ip(ip, 443);
  EXPECT_EQ(address.family(), AF_INET6);
  EXPECT_EQ(address.length(), sizeof(sockaddr_in6));
  const auto* sin6 = reinterpret_cast<const sockaddr_in6*>(address.raw());
  EXPECT_EQ(ntohs(sin6->sin6_port), 443);
  EXPECT_EQ(std::memcmp(&sin6->sin6_addr, &in6addr_loopback, 16), 0);
}

TEST(SocketAddressTest, AUnixPathIsClosedByANul) {
  const SocketAddress address(unix_address("/run/fn.sock"));
  EXPECT_EQ(address.family(), AF_UNIX);
  const auto* sun = reinterpret_cast<const sockaddr_un*>(address.raw());
  EXPECT_STREQ(sun->sun_path, "/run/fn.sock");
  EXPECT_EQ(address.length(), offsetof(sockaddr_un, sun_path) + sizeof("/run/fn.sock"));
}

TEST(SocketAddressTest, AnAbstractNameIsExactlyItsBytes) {
  const SocketAddress address(unix_address("@fn"));
  const auto* sun = reinterpret_cast<const sockaddr_un*>(address.raw());
  EXPECT_EQ(std::memcmp(sun->sun_path, "\0fn", 3), 0);
  EXPECT_EQ(address.length(), offsetof(sockaddr_un, sun_path) + 3);
}

TEST(SocketAddressTest, ALongPathStaysWithinTheKernelsBounds) {
  const SocketAddress address(unix_address('/' + std::string(300, 'x')));
  EXPECT_LE(address.length(), sizeof(sockaddr_un));
}

sockaddr_storage storage_of(const SocketAddress& address) {
  sockaddr_storage storage{};
  std::memcpy(&storage, address.raw(), address.length());
  return storage;
}

std::string text_of(const Peer& peer) {
  char text[Peer::kMaxText];
  return std::string(peer.ip_text(text));
}

TEST(PeerTest, KeepsAddressAndPort) {
  const Peer peer = Peer::from(storage_of(SocketAddress::from_ip({false, {192, 0, 2, 1}}, 5'000)));
  EXPECT_EQ(text_of(peer), "192.0.2.1");
  EXPECT_EQ(peer.port, 5'000);
  EXPECT_FALSE(peer.is_unix);
}

TEST(PeerTest, AMappedPeerIsAnIpv4Peer) {
  IpAddress mapped{.is_v6 = true, .bytes = {}};
  mapped.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  const Peer peer = Peer::from(storage_of(SocketAddress::from_ip(mapped, 1)));
  EXPECT_FALSE(peer.ip.is_v6);
  EXPECT_EQ(text_of(peer), "192.0.2.1");
}

TEST(PeerTest, AUnixPeerHasNoAddress) {
  const Peer peer = Peer::from(storage_of(SocketAddress(unix_address("/x"))));
  EXPECT_TRUE(peer.is_unix);
  EXPECT_EQ(text_of(peer), "unix");
}

TEST(IpTextTest, IsCanonical) {
  EXPECT_EQ(ip_to_string({false, {127, 0, 0, 1}}), "127.0.0.1");
  IpAddress ip{.is_v6 = true, .bytes = {0x20, 0x01, 0x0d, 0xb8}};
  ip.bytes[15] = 0x0a;
  EXPECT_EQ(ip_to_string(ip), "2001:db8::a");
}

}  // namespace
}  // namespace weir::net
