// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2: what a proxy in front says about the client before the
// first byte of the client's. Reading takes a buffer that grows; writing is version 2 only. Not a
// decision about trust: who may send such a header is the listener's business. Views that come out
// point into the buffer. Pure functions, safe from every thread.
#pragma once

#include <weir/error.h>
#include <weir/units.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::http {

struct ProxyFacts {
  enum class Kind : uint8_t {
    kLocal,    ///< LOCAL: the proxy's own connection (a health check); the socket's peer stands.
    kUnknown,  ///< UNKNOWN or no family that weir reads: the socket's peer stands, TLVs count.
    kIp,       ///< Source and destination are set.
    kUnix,     ///< A client on a unix socket; paths are dropped.
  };
  Kind kind = Kind::kLocal;
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  // TLVs of version 2, as received and checked for nothing; empty where none came.
  std::string_view authority;  ///< The name that the client asked for (SNI).
  std::string_view alpn;
  std::string_view unique_id;  ///< At most 128 bytes.
};

/// The longest header of version 1, CR LF included.
inline constexpr size_t kProxyV1Bytes = 107;
/// The longest header of version 2 that is read: 16 bytes, addresses and TLVs. The format itself
/// would allow 64 KiB, which nobody sends and which every connection could cost.
inline constexpr size_t kProxyV2Bytes = 16 + 4096;

/// Whether `bytes` begin a header of either version, as far as they go. False for all that HTTP and
/// TLS begin with; true for no bytes at all.
bool begins_proxy_header(std::string_view bytes);

/// n > 0: the header is bytes[0, n) and `out` says what is in it. 0: not complete yet; never for
/// kProxyV2Bytes or more. kBadProxyHeader: malformed, too long, or a CRC32C that does not match.
/// The verdict does not depend on how the bytes were cut into pieces.
Result<size_t> parse_proxy_header(std::string_view bytes, ProxyFacts& out);

/// Writes a version 2 header for `facts`; returns its size, or 0 if it does not fit into `out`.
/// Addresses of mixed families become IPv6. A unix client has no address that means anything to
/// the next: it is announced as unknown.
size_t write_proxy_v2(const ProxyFacts& facts, std::span<char> out);
/// Bytes that are enough for it.
size_t proxy_v2_bound(const ProxyFacts& facts);

}  // namespace weir::http
