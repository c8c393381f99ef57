// SPDX-License-Identifier: Apache-2.0
// Keys of a listener.
#include "config/keys.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxConnections = 100'000'000;

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

CodecPtr<ListenerLimits> limits_section() {
  using S = ListenerLimits;
  return section<S>({
      key("max_connections", &S::max_connections,
          or_word("auto", count<std::uint32_t>(1, kMaxConnections)),
          "Connections open at once in the process; auto derives it from the descriptor limit."),
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
    if (reader.document().text(profile) == word) listener.http1 = http1_defaults(value);
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

CodecPtr<ListenerConfig> listener_section() {
  using S = ListenerConfig;
  static const auto table = section<S>(
      {
          key("address", &S::address, address(),
              "Where to accept: ip:port or unix:/path; port 0 takes any free one.",
              KeyUse::kRequired),
          key("profile", &S::profile, enumeration(kProfiles),
              "The defaults to start from: edge for strangers, sidecar for one local peer."),
          key("http1", &S::http1, http1_section(), "Timeouts and rates of HTTP/1.1 clients."),
          key("limits", &S::limits, limits_section(), "How much a client may ask for."),
      },
      {}, apply_profile);
  return table;
}

}  // namespace weir::config
