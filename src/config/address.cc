// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <limits>

#include "config/values.h"

namespace weir::config {

namespace {

constexpr std::size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

Finding not_an_address() {
  return {"not an address", "write ip:port such as 127.0.0.1:8080 or [::1]:8080, or unix:/path"};
}

Parsed<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_integer(text);
  if (number && *number >= 0 && *number <= std::numeric_limits<std::uint16_t>::max()) {
    return static_cast<std::uint16_t>(*number);
  }
  return std::unexpected(Finding{"not a port", "write a number from 0 to 65535 after the colon"});
}

Parsed<Address> parse_unix(std::string_view path) {
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@')) {
    return std::unexpected(Finding{"a unix socket without a full path",
                                   "write unix:/run/name.sock, or unix:@name without a file"});
  }
  if (path.size() > kMaxUnixPath) {
    return std::unexpected(
        Finding{"a unix socket's path of " + std::to_string(path.size()) + " bytes, too many",
                "the kernel takes " + std::to_string(kMaxUnixPath) + " at most"});
  }
  return Address{Address::Kind::kUnix, {}, 0, std::string(path), "unix:" + std::string(path)};
}

bool looks_like_host_name(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

Finding explain_host(std::string_view host, std::string_view text) {
  if (std::count(text.begin(), text.end(), ':') > 1) {
    return {"an IPv6 address without brackets", "write [::1]:8080"};
  }
  if (host.empty()) {
    return {"an address without a host",
            "write 0.0.0.0" + std::string(text) + " for every address"};
  }
  if (looks_like_host_name(host)) {
    return {"a host name, not an address",
            "write an IP address; a cluster takes names under dns: {name: ..., port: ...}"};
  }
  return not_an_address();
}

std::string ip_and_port(const IpAddress& ip, std::uint16_t port) {
  const std::string host = ip.is_v6 ? "[" + format_ip(ip) + "]" : format_ip(ip);
  return host + ":" + std::to_string(port);
}

std::uint8_t max_bits(const IpAddress& ip) { return ip.is_v6 ? 128 : 32; }

void clear_host_bits(Cidr& cidr) {
  for (unsigned bit = cidr.prefix_bits; bit < max_bits(cidr.base); ++bit) {
    std::uint8_t& byte = cidr.base.bytes[bit / 8];
    byte = static_cast<std::uint8_t>(byte & ~(0x80U >> (bit % 8)));
  }
}

Finding not_a_network() {
  return {"not a network", "write an address and its prefix length, such as 10.0.0.0/8"};
}

}  // namespace

Parsed<IpAddress> parse_ip(std::string_view text) {
  const std::string copy(text);  // inet_pton wants a terminator
  IpAddress ip;
  if (inet_pton(AF_INET, copy.c_str(), ip.bytes.data()) == 1) return ip;
  ip.is_v6 = true;
  if (inet_pton(AF_INET6, copy.c_str(), ip.bytes.data()) == 1) return ip;
  return std::unexpected(Finding{"not an IP address", "write 127.0.0.1 or ::1"});
}

std::string format_ip(const IpAddress& ip) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(ip.is_v6 ? AF_INET6 : AF_INET, ip.bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

Parsed<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (text.starts_with('/')) {
    return std::unexpected(
        Finding{"a path, not an address", "write unix:" + std::string(text) + " for a socket"});
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    if (parse_ip(text)) {
      return std::unexpected(
          Finding{"an address without a port", "add one: " + std::string(text) + ":8080"});
    }
    return std::unexpected(not_an_address());
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = parse_ip(host);
  if (!ip || ip->is_v6 != bracketed) return std::unexpected(explain_host(host, text));
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  return Address{Address::Kind::kIp, *ip, *port, {}, ip_and_port(*ip, *port)};
}

Parsed<Cidr> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return std::unexpected(not_a_network());
  if (ip->unmapped() != *ip) {  // peers are compared unmapped, so such a rule would never match
    return std::unexpected(
        Finding{"an IPv4 network in IPv6 dress", "write it as IPv4: " + format_ip(ip->unmapped())});
  }
  Cidr cidr{*ip, max_bits(*ip)};
  if (slash == std::string_view::npos) return cidr;
  const auto bits = parse_integer(text.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > max_bits(*ip)) return std::unexpected(not_a_network());
  cidr.prefix_bits = static_cast<std::uint8_t>(*bits);
  const Cidr given = cidr;
  clear_host_bits(cidr);
  if (given == cidr) return cidr;
  // 10.1.2.3/8 is as often a slip for /32 as a sloppy 10.0.0.0/8, and the two trust different
  // peers.
  return std::unexpected(Finding{"a network with host bits set",
                                 "write " + format_cidr(cidr) + " for the network, or " +
                                     format_ip(given.base) + " for the one address"});
}

std::string format_cidr(const Cidr& cidr) {
  return format_ip(cidr.base) + "/" + std::to_string(cidr.prefix_bits);
}

}  // namespace weir::config
