// SPDX-License-Identifier: Apache-2.0
// One configuration as plain values: what config/ fills from YAML, and what everything else reads.
// The in-class values are the defaults of an `edge` listener and the single source of every
// default; conf/reference.yaml and the README are held to them by test. Units are in the types or
// the names. Not behaviour: nothing here is compiled, connected or resolved. A Config is immutable
// once loaded and may then be read by any thread.
#pragma once

#include <weir/breaker_config.h>
#include <weir/cells_config.h>
#include <weir/direct_config.h>
#include <weir/failover_config.h>
#include <weir/health_config.h>
#include <weir/hedge_config.h>
#include <weir/limits_config.h>
#include <weir/location.h>
#include <weir/memory_config.h>
#include <weir/mirror_config.h>
#include <weir/overload_config.h>
#include <weir/region_config.h>
#include <weir/releases_config.h>
#include <weir/units.h>
#include <weir/value_match.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weir {

// nullopt is `auto`: derived at start from the descriptor limit and printed.
using AutoCount = std::optional<std::uint32_t>;

struct AdminConfig {
  // The unix socket (mode 0600) that takes every verb; nullopt is `off`.
  std::optional<Address> address =
      Address{Address::Kind::kUnix, {}, 0, "/run/weir/admin.sock", "unix:/run/weir/admin.sock"};
  // The TCP address that serves metrics and probes only; nullopt is `off`.
  std::optional<Address> metrics =
      Address{Address::Kind::kIp, {false, {127, 0, 0, 1}}, 9901, "", "127.0.0.1:9901"};
  std::vector<std::string> ready_when;  // clusters that must have an endpoint to be picked
  // Tenants and functions with series of their own in the metrics; 0: they are not counted.
  std::uint32_t top_tenants = 50;
  std::uint32_t top_functions = 50;
  bool fault_injection = false;  // operators may delay and abort requests, for drills
  SourceLocation location;
};

struct AccessLogConfig {
  enum class Sink : std::uint8_t { kOff, kStdout, kFile };
  enum class Format : std::uint8_t { kJson, kCommon, kTemplate };

  Sink sink = Sink::kStdout;
  std::string path;  // kFile: where lines are appended
  Format format = Format::kJson;
  std::string format_template;         // kTemplate: text with %{name} fields
  Share sample = Share::percent(100);  // the share of requests that are logged; failures always are
  SourceLocation location;
};

struct ShutdownConfig {
  Millis drain{30'000};  // how long requests in flight may take after SIGTERM
};

// Which defaults a listener starts from: strangers (edge), or one local peer that is known
// (sidecar).
enum class Profile : std::uint8_t { kEdge, kSidecar };

struct Http1Config {
  Millis keepalive_timeout{60'000};  // how long a connection may idle between requests
  Millis header_timeout{10'000};     // from the first byte of a head to its last
  Millis body_idle_timeout{30'000};  // the longest gap between two pieces of a request body; 0 off
  ByteRate min_receive_rate{240};    // a request body slower than this on average is cut; 0 off
  ByteRate min_send_rate{240};     // a client that reads slower than this on average is cut; 0 off
  std::uint64_t max_requests = 0;  // requests a connection may carry; 0 no limit
};

struct Http2Config {
  std::uint32_t max_concurrent_streams = 100;             // streams a client may have open
  std::uint64_t initial_stream_window = 64 * 1024;        // request bytes under way a stream
  std::uint64_t initial_connection_window = 1024 * 1024;  // and a connection
  std::uint32_t max_glitches = 1000;  // abuse allowance; GOAWAY at 75 %, close at 100 %; 0 no limit
};

// A certificate chain and its key, as PEM files.
struct CertificateConfig {
  std::string cert;  // required; the chain, leaf first
  std::string key;   // required
  SourceLocation location;
};

enum class TlsVersion : std::uint8_t { kTls12, kTls13 };

enum class ClientAuth : std::uint8_t { kNone, kOptional, kRequired };

// Protocols that TLS may agree on (ALPN), in the order of preference.
enum class Alpn : std::uint8_t { kH2, kHttp11 };

struct SessionTicketsConfig {
  bool enabled = true;
  // 48 random bytes each; the first seals, all open. Empty: a key of the process, made at start.
  std::vector<std::string> key_files;
  SourceLocation location;
};

struct ListenerTlsConfig {
  std::vector<CertificateConfig> certificates;  // required; the first answers unknown names
  TlsVersion min_version = TlsVersion::kTls12;
  std::vector<Alpn> alpn{Alpn::kH2, Alpn::kHttp11};
  std::string client_ca;  // PEM file of CAs for client certificates; empty: none
  ClientAuth client_auth = ClientAuth::kNone;
  bool forward_client_cert = true;  // send a verified one upstream as Client-Cert (RFC 9440)
  SessionTicketsConfig session_tickets;
  Millis handshake_timeout{10'000};  // from accept to the end of the handshake
  SourceLocation location;
};

// PROXY protocol on a listener: believed from trusted_proxies (and unix peers) only.
enum class AcceptProxy : std::uint8_t { kOff, kAccept, kRequire };

struct ListenerLimits {
  AutoCount max_connections;                    // connections open at once, process-wide
  std::uint32_t max_connections_per_ip = 1024;  // of those, of one client address; 0 no limit
  std::uint8_t ipv6_prefix = 64;                // bits of an IPv6 address that make one client
  std::uint32_t accept_rate = 0;                // connections taken a second, process-wide; 0 off
  std::uint64_t max_header_bytes = 64 * 1024;   // request line and headers together; beyond: 431
  std::uint32_t max_headers = 100;              // header fields of a request; beyond: 431
  std::uint64_t max_uri_bytes = 16 * 1024;      // request target; beyond: 414
};

struct ListenerConfig {
  std::string name;
  Address address;  // required
  Profile profile = Profile::kEdge;
  AcceptProxy proxy_protocol = AcceptProxy::kOff;
  std::optional<ListenerTlsConfig> tls;  // nullopt: plain
  Http1Config http1;  // its time-outs and rates hold for HTTP/2 connections and streams as well
  Http2Config http2;
  ListenerLimits limits;
  SourceLocation location;
};

// What a stable choice (maglev, a sticky split) is keyed on.
struct HashOn {
  enum class Kind : std::uint8_t { kNone, kHeader, kClientIp, kPath };

  Kind kind = Kind::kNone;  // kNone: at random, request by request
  std::string header;       // kHeader: lower-case name
  bool operator==(const HashOn&) const = default;
};

// drain: nothing new, what is in flight goes on; maint: not asked by checks either.
enum class OperatorState : std::uint8_t { kReady, kDrain, kMaint };

struct EndpointConfig {
  Address address;  // required; never port 0
  std::uint32_t weight =
      100;           // share of the cluster's requests relative to its peers; 0 takes none
  std::string zone;  // for logs and zone-aware choice
  OperatorState state = OperatorState::kReady;
  SourceLocation location;
};

struct DnsConfig {
  std::string name;               // required; looked up as A and AAAA
  std::uint16_t port = 0;         // required
  std::optional<Millis> refresh;  // nullopt is `auto`: the record's TTL, held between 1 s and 5 min
  SourceLocation location;
};

enum class BalancePolicy : std::uint8_t { kLeastRequest, kRoundRobin, kRandom, kMaglev };

struct LoadBalancingConfig {
  BalancePolicy policy = BalancePolicy::kLeastRequest;
  HashOn hash_on;           // kMaglev only; required there
  bool zone_aware = false;  // keeps to weir's own zone as far as that can take its part
  std::string own_zone;     // no key: Config::zone where zone_aware is set
};

struct PoolConfig {
  std::uint32_t max_idle = 256;  // idle connections kept to the cluster, process-wide; 0 keeps none
  Millis idle_timeout{60'000};   // an idle connection older than this is closed
  std::uint64_t max_requests = 0;  // requests a connection may carry; 0 no limit
};

struct ResourceLimits {
  AutoCount max_connections;         // connections to the cluster, process-wide
  AutoCount max_requests;            // requests in flight to the cluster, process-wide
  std::uint32_t max_pending = 1024;  // requests that may wait for a connection, process-wide
};

// kAuto: what TLS agrees on (ALPN); needs tls.
enum class UpstreamProtocol : std::uint8_t { kHttp1, kHttp2, kAuto };

struct ClusterTlsConfig {
  std::string ca;   // PEM file; empty is `system`
  std::string sni;  // name sent and verified; empty is `auto`: the endpoint's configured name
  bool verify = true;
  std::optional<CertificateConfig> client_cert;
  SourceLocation location;
};

// Of connections to origins that speak HTTP/2.
struct ClusterHttp2Config {
  std::uint32_t max_concurrent_streams = 100;             // streams a connection; origin may lower
  std::uint64_t initial_stream_window = 256 * 1024;       // response bytes under way a stream
  std::uint64_t initial_connection_window = 1024 * 1024;  // and a connection
};

// PROXY protocol to the endpoints; a connection then serves one request.
enum class SendProxy : std::uint8_t { kOff, kV2 };

// Who answers at the endpoints. Another weir is told how a request has hopped between cells, and
// its refusals are final.
enum class ClusterPeer : std::uint8_t { kApplication, kWeir };

struct ClusterConfig {
  std::string name;
  // Exactly one source is given in YAML. `endpoints_file` is read at load into `endpoints`.
  std::vector<EndpointConfig> endpoints;
  std::optional<DnsConfig> dns;
  std::string endpoints_file;

  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  std::optional<ClusterTlsConfig> tls;  // nullopt: plain
  ClusterHttp2Config http2;
  SendProxy proxy_protocol = SendProxy::kOff;
  ClusterPeer peer = ClusterPeer::kApplication;
  LoadBalancingConfig load_balancing;
  std::optional<HealthCheckConfig> health_check;   // nullopt: endpoints are not asked
  std::optional<OutlierConfig> outlier_detection;  // nullopt: answers are not judged
  SlowStartConfig slow_start;
  PoolConfig pool;
  ResourceLimits resource_limits;
  std::optional<AdaptiveConcurrencyConfig> adaptive_concurrency;  // nullopt: off
  Millis connect_timeout{1'000};                                  // to an established connection
  // Sent bytes that are not acknowledged, or not even accepted (a full receive window), for this
  // long reset the connection; 0 off.
  Millis tcp_user_timeout{30'000};
  Millis response_timeout{60'000};  // from the last request byte to the response head; 0 off
  Millis idle_timeout{300'000};     // the longest silence while a response streams; 0 off
  std::optional<CircuitBreakerConfig> circuit_breaker;  // nullopt: none
  OperatorState state = OperatorState::kReady;
  SourceLocation location;
};

struct PathMatch {
  enum class Kind : std::uint8_t { kExact, kPrefix, kRegex };

  Kind kind = Kind::kPrefix;
  std::string value = "/";  // the path after normalisation; a regex must match the whole path
  SourceLocation location;  // of the value, so that route/ can report a regex that does not compile
};

struct RouteMatch {
  std::vector<std::string> hosts;  // lower-case; exact or "*.example.com"; empty matches every host
  PathMatch path;
  std::vector<std::string> methods;  // upper-case; empty matches every method
  std::vector<ValueMatch> headers;   // all must match
  std::vector<ValueMatch> query;     // all must match
};

struct ClusterTarget {
  std::string cluster;  // may hold kCellPlaceholder
};

// One of cluster and group.
struct WeightedCluster {
  std::string cluster;       // may hold kCellPlaceholder
  std::string group;         // a failover group
  std::uint32_t weight = 1;  // required
  SourceLocation location;
};

struct WeightedTarget {
  std::vector<WeightedCluster> clusters;  // at least one weight above 0
  HashOn hash_on;                         // kNone: at random, request by request
};

// The query is kept. At most one of path and prefix; neither keeps the path.
struct RedirectTarget {
  std::string scheme;                 // "http" | "https"; empty keeps it
  std::string host;                   // host or host:port; empty keeps it
  std::string path;                   // replaces the whole path
  std::optional<std::string> prefix;  // replaces what path.prefix matched
  std::uint16_t status = 302;         // 301 | 302 | 303 | 307 | 308
};

using RouteTarget = std::variant<ClusterTarget, FailoverTarget, WeightedTarget, ReleaseTarget,
                                 DirectTarget, RedirectTarget>;

// Whether requests for it go to an origin.
inline bool is_forwarded(const RouteTarget& target) {
  return !std::holds_alternative<DirectTarget>(target) &&
         !std::holds_alternative<RedirectTarget>(target);
}

struct HostRewrite {
  // kCluster: the endpoint's configured name or address.
  enum class Kind : std::uint8_t { kKeep, kCluster, kLiteral };

  Kind kind = Kind::kKeep;
  std::string literal;  // kLiteral: host or host:port
  bool operator==(const HostRewrite&) const = default;
};

// At most one of prefix and regex.
struct Rewrite {
  std::optional<std::string> prefix;  // replaces what path.prefix or path.exact matched
  std::string regex;                  // empty: none; replaces the first match within the path
  std::string substitution;           // \0-\9 insert groups
  HostRewrite host;
  SourceLocation location;  // of the regex where there is one
};

// Applied in this order: remove, set, add. Names are lower-case.
struct HeaderOps {
  HeaderPairs set;                  // replaces all fields of that name
  HeaderPairs add;                  // appends a field
  std::vector<std::string> remove;  // drops all fields of that name
};

struct RouteLimits {
  std::uint64_t max_request_bytes = 10 * 1024 * 1024;  // request body; beyond: 413; 0 no limit
  std::uint64_t max_response_bytes = 0;  // response body; beyond: 502 or a reset; 0 no limit
};

enum class RetryOn : std::uint8_t {
  kConnectFailure,       // no connection: nothing was sent
  kResetBeforeResponse,  // the connection ended before a byte of the response
  kRefusedStream,        // HTTP/2: REFUSED_STREAM or GOAWAY says that nothing was processed
  kGrpcUnavailable,      // gRPC: UNAVAILABLE in the response's headers, with no message before it
  k429,
  k500,
  k502,
  k503,
  k504,
};

// A set of conditions; a request that may have been processed is retried only if idempotent anyway.
class RetryOnSet {
 public:
  constexpr RetryOnSet() = default;
  template <class... Conditions>
  static constexpr RetryOnSet of(Conditions... conditions) {
    RetryOnSet set;
    (set.insert(conditions), ...);
    return set;
  }
  constexpr void insert(RetryOn c) { bits_ = static_cast<std::uint16_t>(bits_ | bit(c)); }
  constexpr bool contains(RetryOn c) const { return (bits_ & bit(c)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  bool operator==(const RetryOnSet&) const = default;

 private:
  static constexpr unsigned bit(RetryOn c) { return 1U << static_cast<unsigned>(c); }
  std::uint16_t bits_ = 0;
};

struct RetryBackoff {
  Millis base{25};  // the n-th wait is drawn from [0, base * 2^n)
  Millis max{250};  // and is never longer than this
};

struct RetryBudget {
  Share percent = Share::percent(20);  // of the cluster's requests: in flight, and of the last 10 s
  std::uint32_t min = 3;               // always allowed: in flight, and a second
};

struct RetryConfig {
  RetryOnSet on =
      RetryOnSet::of(RetryOn::kConnectFailure, RetryOn::kResetBeforeResponse,
                     RetryOn::kRefusedStream, RetryOn::k502, RetryOn::k503, RetryOn::k504);
  std::uint32_t num_retries = 2;          // tries after the first; 0 never retries
  std::optional<Millis> per_try_timeout;  // to the response head of one try; nullopt none
  RetryBackoff backoff;
  RetryBudget budget;
  // A longer request body streams on and loses retry.
  std::uint64_t replay_buffer_bytes = 64 * 1024;
};

struct GrpcConfig {
  bool web = false;                   // translate gRPC-Web requests to gRPC
  std::optional<Millis> max_timeout;  // the most that grpc-timeout may ask for; nullopt no limit
};

struct RouteConfig {
  std::string name;
  RouteMatch match;
  RouteTarget target;  // required
  Rewrite rewrite;
  HeaderOps request_headers;
  HeaderOps response_headers;
  RouteLimits limits;
  std::optional<Millis> timeout;  // of the whole exchange, tries included; nullopt none
  RetryConfig retry;
  std::optional<HedgeConfig> hedge;        // nullopt: never
  std::optional<MirrorConfig> mirror;      // nullopt: nothing is copied
  std::vector<std::string> upgrades;       // protocols, lower case ("websocket"), or "connect"
  Millis upgrade_idle_timeout{3'600'000};  // silence both ways that ends an upgrade; 0 off
  GrpcConfig grpc;
  RouteCellsConfig cells;
  bool buffer_request = false;  // hold the whole request body before the first byte goes upstream
  std::int32_t priority = 0;    // breaks ties between equally specific routes; higher first
  std::optional<std::uint8_t> shed_priority;  // 0 to 5 of whom identity and class give none
  SourceLocation location;
  SourceLocation target_location;  // of the cluster's name where there is one
};

struct Config {
  std::vector<std::string> files;  // as named by the user; files[0] is the main one
  std::uint32_t workers = 0;       // 0 is `auto`: the CPUs that the cgroup grants
  std::string zone;                // where this weir stands; empty: nowhere in particular
  AdminConfig admin;
  MemoryConfig memory;
  AccessLogConfig access_log;
  std::vector<Cidr> trusted_proxies;  // peers whose X-Forwarded-* and Forwarded are believed
  ShutdownConfig shutdown;
  std::optional<IdentityConfig> identity;  // nullopt: requests belong to nobody in particular
  TenantsConfig tenants;
  std::string tenants_file;            // read at load into tenants; YAML has one of the two
  std::optional<CellsConfig> cells;    // nullopt: there are none
  std::optional<RegionConfig> region;  // nullopt: nobody asks for the region
  LoadSheddingConfig load_shedding;
  std::optional<ClientDeadlineConfig> client_deadline;  // nullopt: clients are not asked
  MirroringConfig mirroring;
  std::vector<LimitConfig> limits;                   // in the order of the file, names unique
  std::vector<ListenerConfig> listeners;             // in the order of the file, names unique
  std::vector<ClusterConfig> clusters;               // in the order of the file, names unique
  std::vector<FailoverGroupConfig> failover_groups;  // in the order of the file, names unique
  std::vector<ReleaseConfig> releases;               // in the order of the file, names unique
  std::vector<RouteConfig> routes;                   // in the order of the file, names unique
};

}  // namespace weir
