// SPDX-License-Identifier: Apache-2.0
// A message head as every layer sees it: views into memory that the exchange owns (its arena),
// valid until the exchange is recycled. A head owns nothing; copying one copies views. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

enum class Method : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kPatch,
  kOptions,
  kConnect,
  kTrace,
  kOther
};

enum class Version : uint8_t { kHttp10, kHttp11, kHttp2 };

/// Header names that weir treats specially. Found once, when the head is parsed.
enum class HeaderId : uint8_t {
  kOther,
  kAccept,
  kAuthorization,
  kConnection,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kExpect,
  kForwarded,
  kHost,
  kKeepAlive,
  kLocation,
  kMaxForwards,
  kProxyAuthenticate,
  kProxyAuthenticationInfo,
  kProxyAuthorization,
  kProxyConnection,
  kProxyStatus,
  kRetryAfter,
  kServer,
  kSetCookie,
  kTe,
  kTraceparent,
  kTracestate,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVia,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXRealIp,
  kXRequestId,
  kIdempotencyKey,
  kHttp2Settings,
  kSecWebsocketKey,
  kSecWebsocketAccept,
  kSecWebsocketVersion,
  kClientCert,
  kClientCertChain,
  kPriority,
  kGrpcStatus,
  kGrpcMessage,
  kGrpcTimeout,
  kCount
};

struct Header {
  std::string_view name;   ///< As received; compare without regard to case.
  std::string_view value;  ///< Without surrounding white space.
  HeaderId id = HeaderId::kOther;
};

/// A growable array of headers in caller-provided memory (the arena). Order is kept.
/// Copying a HeaderList makes a second view of the same memory: change only one of them.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(Header* memory, size_t capacity)
      : data_(memory), capacity_(static_cast<uint32_t>(capacity)) {}

  const Header* begin() const { return data_; }
  const Header* end() const { return data_ + size_; }
  Header* begin() { return data_; }
  Header* end() { return data_ + size_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  const Header& operator[](size_t i) const { return data_[i]; }

  /// False if there is no room left: the caller sized the memory wrongly.
  bool push(const Header& header) {
    if (size_ == capacity_) return false;
    data_[size_++] = header;
    return true;
  }
  /// Removes all headers for which `gone(header)` is true, keeping the order of the rest.
  template <typename Predicate>
  void remove_if(Predicate gone) {
    uint32_t kept = 0;
    // What stands before the first that goes stays where it is: mostly that is all of them.
    while (kept < size_ && !gone(data_[kept])) ++kept;
    for (uint32_t i = kept + 1; i < size_; ++i) {
      if (!gone(data_[i])) data_[kept++] = data_[i];
    }
    if (kept < size_) size_ = kept;
  }
  /// The first header of that id, or null.
  const Header* find(HeaderId id) const {
    for (uint32_t i = 0; i < size_; ++i) {
      if (data_[i].id == id) return &data_[i];
    }
    return nullptr;
  }

 private:
  Header* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

/// How the end of a body is told (RFC 9112, section 6.3), after all the checks.
struct BodyFraming {
  /// kTunnel: what an upgrade or CONNECT opens: bytes both ways, each until its sender ends.
  enum class Kind : uint8_t { kNone, kLength, kChunked, kUntilClose, kTunnel };
  Kind kind = Kind::kNone;
  uint64_t length = 0;  ///< Bytes, for kLength only.
};

struct RequestHead {
  Method method = Method::kGet;
  Version version = Version::kHttp11;
  bool keep_alive = true;        ///< What the client asked for, by version and Connection.
  bool expect_continue = false;  ///< Expect: 100-continue, from an HTTP/1.1 client.
  bool has_query = false;        ///< "?" was there, though `query` may be empty.
  bool upgrade = false;          ///< Connection names upgrade, and there is an Upgrade header.
  /// What the connection is asked to become, lower case: "websocket" and the like (Upgrade,
  /// RFC 9110, 7.8; :protocol, RFC 8441), "connect" for a plain CONNECT. Empty for all others, and
  /// for an upgrade that weir does not tunnel (h2c).
  std::string_view protocol;
  std::string_view method_text;
  std::string_view target;     ///< As received, for logs.
  std::string_view scheme;     ///< "http" or "https".
  std::string_view authority;  ///< host[:port], lower case; what Host says on the way out.
  std::string_view host;       ///< `authority` without the port (brackets kept for IPv6).
  std::string_view path;       ///< Normalised: the one path for routing, policy, forwarding.
  std::string_view query;      ///< Without the "?".
  HeaderList headers;          ///< All fields as received, Host included.
  BodyFraming body;
};

struct ResponseHead {
  uint16_t status = 0;
  Version version = Version::kHttp11;
  bool keep_alive = true;  ///< What the origin allows, by version and Connection.
  std::string_view reason;
  HeaderList headers;
  BodyFraming body;  ///< Of a response to the request's method (RFC 9112, 6.3).
};

}  // namespace weir
