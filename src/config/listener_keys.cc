// SPDX-License-Identifier: Apache-2.0
// Keys of a listener.
#include "config/keys.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxConnections = 100'000'000;
constexpr std::uint32_t kMaxGlitches = 1'000'000'000;

const Words<Profile> kProfiles{{"edge", Profile::kEdge}, {"sidecar", Profile::kSidecar}};

CodecPtr<Http1Config> http1_section() {
  using S = Http1Config;
  return section<S>({
      key("keepalive_timeout", &S::keepalive_timeout, duration(Zero::kRefused),
          "How long a connection may idle between requests (sidecar: 5m)."),
      key("header_timeout", &S::header_timeout, duration(Zero::kRefused),
          "From the first byte of a request head to its last; beyond it 408."),
      key("body_idle_timeout", &S::body_idle_timeout, duration(Zero::kOff),
          "The longest gap between two pieces of a request body; 0 for no limit (sidecar: 5m)."),
      key("min_receive_rate", &S::min_receive_rate, rate(),
          "A request body that comes slower on average is cut; 0 for no limit (sidecar: 0)."),
      key("min_send_rate", &S::min_send_rate, rate(),
          "A client that reads a response slower on average is cut; 0 for no limit (sidecar: 0)."),
      key("max_requests", &S::max_requests, count<std::uint64_t>(),
          "Requests that one connection may carry; 0 for no limit."),
  });
}

CodecPtr<Http2Config> http2_section() {
  using S = Http2Config;
  return section<S>({
      key("max_concurrent_streams", &S::max_concurrent_streams, http2_streams(),
          "Requests that a connection may have open (sidecar: 1024)."),
      key("initial_stream_window", &S::initial_stream_window, http2_window(),
          "Request bytes that may be under way in a stream (sidecar: 1MiB)."),
      key("initial_connection_window", &S::initial_connection_window, http2_window(),
          "Request bytes that may be under way in a connection."),
      key("max_glitches", &S::max_glitches, count<std::uint32_t>(0, kMaxGlitches),
          "Misuses after which a connection is closed; GOAWAY at 75 %; 0 for no limit."),
  });
}

constexpr std::uint32_t kMaxAcceptRate = 10'000'000;

// 0, or connections a second: "2000/s".
ScalarPtr<std::uint32_t> accept_rate() {
  ScalarSpec<std::uint32_t> spec;
  spec.type = {"number/s or 0", "2000/s"};
  spec.parse = [](const std::string& text) -> Parsed<std::uint32_t> {
    if (text == "0") return 0;
    const auto amount = parse_integer(std::string_view(text).substr(0, text.rfind('/')));
    if (!text.ends_with("/s") || !amount) {
      return std::unexpected(
          Finding{"not a rate of connections", "write connections a second: 2000/s"});
    }
    if (*amount >= 1 && *amount <= kMaxAcceptRate) return static_cast<std::uint32_t>(*amount);
    return std::unexpected(Finding{"out of range", "write 1/s to 10000000/s, or 0 for no limit"});
  };
  spec.format = [](const std::uint32_t& value) {
    if (value == 0) return Scalar{"0", Scalar::Kind::kNumber};
    return text_scalar(std::to_string(value) + "/s");
  };
  return scalar(std::move(spec));
}

CodecPtr<ListenerLimits> limits_section() {
  using S = ListenerLimits;
  return section<S>({
      key("max_connections", &S::max_connections,
          or_word("auto", count<std::uint32_t>(1, kMaxConnections)),
          "Connections open at once in the process; auto derives it from the descriptor limit."),
      key("max_connections_per_ip", &S::max_connections_per_ip,
          count<std::uint32_t>(0, kMaxConnections),
          "Of those, connections of one client address; 0 for no limit (sidecar: 0)."),
      key("ipv6_prefix", &S::ipv6_prefix, count<std::uint8_t>(1, 128),
          "The first bits of an IPv6 address that count as one client."),
      key("accept_rate", &S::accept_rate, accept_rate(),
          "Connections taken a second, in the process; more wait in the kernel. 0 for no limit."),
      key("max_header_bytes", &S::max_header_bytes, size(Zero::kRefused, 1024, 1024 * 1024),
          "Request line and headers together; beyond it 431."),
      key("max_headers", &S::max_headers, count<std::uint32_t>(1, 1000),
          "Header fields of a request; beyond it 431."),
      key("max_uri_bytes", &S::max_uri_bytes, size(Zero::kRefused, 256, 1024 * 1024),
          "The request target; beyond it 414."),
  });
}

// Which profile is decided before any other key is read, wherever it stands in the map. A bad word
// is reported when its key is read.
void apply_profile(Reader& reader, NodeId id, ListenerConfig& listener) {
  const NodeId profile = reader.find(id, "profile");
  if (profile == Document::kNone || reader.document().kind(profile) != NodeKind::kScalar) return;
  for (const auto& [word, value] : kProfiles) {
    if (reader.document().text(profile) != word) continue;
    listener.http1 = http1_defaults(value);
    listener.http2 = http2_defaults(value);
    listener.limits = listener_limit_defaults(value);
  }
}

}  // namespace

Http1Config http1_defaults(Profile profile) {
  Http1Config http1;
  if (profile == Profile::kEdge) return http1;
  // One local peer that is known: a slow body is a slow application, not an attack.
  http1.keepalive_timeout = std::chrono::minutes{5};
  http1.body_idle_timeout = std::chrono::minutes{5};
  http1.min_receive_rate = {};
  http1.min_send_rate = {};
  return http1;
}

Http2Config http2_defaults(Profile profile) {
  Http2Config http2;
  if (profile == Profile::kEdge) return http2;
  // Its one peer brings the requests of many, over few connections.
  http2.max_concurrent_streams = 1024;
  http2.initial_stream_window = std::uint64_t{1024} * 1024;
  return http2;
}

ListenerLimits listener_limit_defaults(Profile profile) {
  ListenerLimits limits;
  // One local peer is one address, however many it brings.
  if (profile == Profile::kSidecar) limits.max_connections_per_ip = 0;
  return limits;
}

CodecPtr<ListenerConfig> listener_section() {
  using S = ListenerConfig;
  static const auto table = section<S>(
      {
          key("address", &S::address, address(),
              "Where to accept: ip:port or unix:/path; port 0 takes any free one.",
              KeyUse::kRequired),
          key("profile", &S::profile, enumeration(kProfiles),
              "The defaults to start from: edge for strangers, sidecar for one local peer."),
          key("proxy_protocol", &S::proxy_protocol,
              enumeration<AcceptProxy>({{"off", AcceptProxy::kOff},
                                        {"accept", AcceptProxy::kAccept},
                                        {"require", AcceptProxy::kRequire}}),
              "Whether trusted peers may or must begin with a PROXY header (v1 or v2)."),
          key("tls", &S::tls, optional(listener_tls_section()),
              "Encryption; left out, the listener is plain.", KeyUse::kAlternative),
          key("http1", &S::http1, http1_section(),
              "Timeouts and rates of clients; they hold for HTTP/2 as well."),
          key("http2", &S::http2, http2_section(), "What an HTTP/2 client may do."),
          key("limits", &S::limits, limits_section(), "How much a client may ask for."),
      },
      {}, apply_profile);
  return table;
}

}  // namespace weir::config
