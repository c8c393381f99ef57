// SPDX-License-Identifier: Apache-2.0
// Units that config and data path share: shares, byte rates, and addresses as values.
// Not sockets: nothing here opens, resolves or includes a system header; net/ turns an Address into
// what the kernel wants. All types are plain values, free to copy between threads.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weir {

// Durations of the config have millisecond steps; 0 means "off" only where the field says so.
using Millis = std::chrono::milliseconds;

// A share of a whole in parts per million, so that 0.01% is exact and no float is compared.
struct Share {
  std::uint32_t ppm = 0;
  static constexpr std::uint32_t kWhole = 1'000'000;
  static constexpr Share percent(std::uint32_t n) { return Share{n * 10'000}; }
  bool operator==(const Share&) const = default;
};

struct ByteRate {
  std::uint64_t bytes_per_second = 0;
  bool operator==(const ByteRate&) const = default;
};

// An IPv4 or IPv6 address in network order; IPv4 uses the first four bytes, the rest are zero.
struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};

  // ::ffff:a.b.c.d is a.b.c.d: a dual-stack socket shows IPv4 peers so, and a rule must not miss
  // them.
  constexpr IpAddress unmapped() const;
  bool operator==(const IpAddress&) const = default;
};

struct Cidr {
  IpAddress base;
  std::uint8_t prefix_bits = 0;

  constexpr bool contains(const IpAddress& peer) const;
  bool operator==(const Cidr&) const = default;
};

// Where to listen or connect: ip and port, or the path of a unix socket.
struct Address {
  enum class Kind : std::uint8_t { kIp, kUnix };

  Kind kind = Kind::kIp;
  IpAddress ip;            // kIp
  std::uint16_t port = 0;  // kIp; 0 asks the kernel for a free port when listening
  std::string path;        // kUnix; a leading '@' is the abstract namespace

  // Canonical: "127.0.0.1:80", "[::1]:80", "unix:/run/fn.sock".
  std::string text;

  // Text is derived, but two addresses of one text are one address, so it may take part.
  bool operator==(const Address&) const = default;
};

constexpr IpAddress IpAddress::unmapped() const {
  if (!is_v6 || bytes[10] != 0xff || bytes[11] != 0xff) return *this;
  for (std::size_t i = 0; i < 10; ++i) {
    if (bytes[i] != 0) return *this;
  }
  return IpAddress{false, {bytes[12], bytes[13], bytes[14], bytes[15]}};
}

constexpr bool Cidr::contains(const IpAddress& peer) const {
  const IpAddress ip = peer.unmapped();
  if (ip.is_v6 != base.is_v6) return false;
  const std::size_t whole = prefix_bits / 8U;
  for (std::size_t i = 0; i < whole; ++i) {
    if (ip.bytes[i] != base.bytes[i]) return false;
  }
  const unsigned rest = prefix_bits % 8U;
  if (rest == 0) return true;
  return ((ip.bytes[whole] ^ base.bytes[whole]) >> (8U - rest)) == 0;
}

}  // namespace weir
