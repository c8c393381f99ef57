// SPDX-License-Identifier: Apache-2.0
// Keys of a cluster and of its endpoints.
#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/nearest.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxWeight = 1'000'000;
constexpr std::uint32_t kMaxCount = 100'000'000;

ScalarPtr<Address> endpoint_address() {
  ScalarSpec<Address> spec = address()->spec();
  spec.parse = [](const std::string& text) -> Parsed<Address> {
    auto parsed = parse_address(text);
    if (!parsed || parsed->kind == Address::Kind::kUnix || parsed->port != 0) return parsed;
    return std::unexpected(Finding{"an address with port 0", "write the port of the server"});
  };
  return scalar(std::move(spec));
}

ScalarPtr<OperatorState> operator_state() {
  return enumeration<OperatorState>({{"ready", OperatorState::kReady},
                                     {"drain", OperatorState::kDrain},
                                     {"maint", OperatorState::kMaint}});
}

CodecPtr<EndpointConfig> endpoint_section() {
  using S = EndpointConfig;
  return section<S>({
      key("address", &S::address, endpoint_address(), "The server: ip:port or unix:/path.",
          KeyUse::kRequired),
      key("weight", &S::weight, count<std::uint32_t>(0, kMaxWeight),
          "Its part of the cluster's requests relative to its peers; 0 takes none."),
      key("zone", &S::zone, text(),
          "Where it stands, in your words; load_balancing.zone_aware goes by it."),
      key("state", &S::state, operator_state(),
          "drain takes no new requests and finishes those it has, maint is not checked either."),
  });
}

CodecPtr<DnsConfig> dns_section() {
  using S = DnsConfig;
  return section<S>({
      key("name", &S::name, dns_name(), "The name to look up; every address is an endpoint.",
          KeyUse::kRequired),
      key("port", &S::port, count<std::uint16_t>(1), "The port of every address.",
          KeyUse::kRequired),
      key("refresh", &S::refresh,
          or_word("auto", duration(Zero::kRefused, std::chrono::seconds{1})),
          "How often to look again; auto follows the record's TTL, from 1 s to 5 min."),
  });
}

CodecPtr<ClusterHttp2Config> http2_section() {
  using S = ClusterHttp2Config;
  return section<S>({
      key("max_concurrent_streams", &S::max_concurrent_streams, http2_streams(),
          "Requests that share a connection; a server may allow fewer."),
      key("initial_stream_window", &S::initial_stream_window, http2_window(),
          "Response bytes that may be under way in a stream."),
      key("initial_connection_window", &S::initial_connection_window, http2_window(),
          "Response bytes that may be under way in a connection."),
  });
}

CodecPtr<LoadBalancingConfig> load_balancing_section() {
  using S = LoadBalancingConfig;
  using enum BalancePolicy;
  return section<S>(
      {
          key("policy", &S::policy,
              enumeration<BalancePolicy>({{"least_request", kLeastRequest},
                                          {"round_robin", kRoundRobin},
                                          {"random", kRandom},
                                          {"maglev", kMaglev}}),
              "How an endpoint is chosen; least_request takes the less busy of two at random."),
          key("hash_on", &S::hash_on, hash_on(),
              "What maglev keeps together: header:NAME, client_ip or path; required with maglev."),
          key("zone_aware", &S::zone_aware, boolean(),
              "Endpoints of weir's own zone come first, as far as they are its part of the healthy "
              "weight."),
      },
      [](Reader& reader, NodeId id, S& value) {
        // A hash_on that could not be read is there all the same.
        const NodeId hash = reader.find(id, "hash_on");
        const bool hashes = hash != Document::kNone && !reader.document().is_null(hash);
        if (value.policy == kMaglev && !hashes) {
          reader.error(id, {"maglev needs `hash_on`", "add hash_on: header:x-user, or client_ip"});
        }
        if (value.policy != kMaglev && hashes) {
          reader.error(id, {"`hash_on` has no meaning without maglev",
                            "set policy: maglev or take hash_on out"});
        }
        if (value.policy == kMaglev && value.zone_aware) {
          const Reader::Step step(reader, "zone_aware");
          reader.error(reader.find(id, "zone_aware"),
                       {"a hash says where each request goes, whatever its zone",
                        "take zone_aware out, or choose another policy"});
        }
      });
}

CodecPtr<PoolConfig> pool_section() {
  using S = PoolConfig;
  return section<S>({
      key("max_idle", &S::max_idle, count<std::uint32_t>(0, kMaxCount),
          "Idle connections that are kept, in the process; 0 keeps none."),
      key("idle_timeout", &S::idle_timeout, duration(Zero::kRefused),
          "An idle connection is closed after this; stay below the server's own timeout."),
      key("max_requests", &S::max_requests, count<std::uint64_t>(),
          "Requests that one connection may carry; 0 for no limit."),
  });
}

CodecPtr<ResourceLimits> resource_limits_section() {
  using S = ResourceLimits;
  return section<S>({
      key("max_connections", &S::max_connections,
          or_word("auto", count<std::uint32_t>(1, kMaxCount)),
          "Connections to the cluster, in the process; auto derives it from the descriptor limit."),
      key("max_requests", &S::max_requests, or_word("auto", count<std::uint32_t>(1, kMaxCount)),
          "Requests in flight to the cluster, in the process; beyond it 503."),
      key("max_pending", &S::max_pending, count<std::uint32_t>(0, kMaxCount),
          "Requests that may wait for a connection, in the process; beyond it 503."),
  });
}

void check_not_empty(Reader& reader, NodeId list) {
  const Document& document = reader.document();
  if (document.kind(list) != NodeKind::kList) return;
  if (document.first_child(list) != Document::kNone) return;
  reader.error(list, {"a cluster without endpoints", "list one: [{address: 127.0.0.1:9001}]"});
}

// Reads the file that `endpoints_file` names into `endpoints`; findings point into that file.
void read_endpoints_file(Reader& reader, NodeId id, ClusterConfig& cluster) {
  const Reader::Step step(reader, "endpoints_file");
  const ReadContext& context = reader.context();
  auto content = context.read_file(cluster.endpoints_file);
  if (!content) {
    const NodeId value = reader.find(id, "endpoints_file");
    reader.error(value, {"cannot be read: " + content.error(),
                         "relative paths start at the folder of this file"});
    return;
  }
  const std::uint32_t file =
      context.diagnostics.add_source(cluster.endpoints_file, std::move(*content));
  const auto document =
      Document::parse(context.diagnostics.source_text(file), file, context.diagnostics);
  if (!document) return;
  Reader inner(*document, context);
  const std::string path = reader.path();
  const Reader::Step inside(inner, path);
  endpoint_list()->read(inner, Document::kRoot, cluster.endpoints);
  check_not_empty(inner, Document::kRoot);
}

// A key that is reported as unknown, with one of these as what was meant: enough is said.
bool misspelt_source(Reader& reader, NodeId id) {
  const Document& document = reader.document();
  NodeId child = document.first_child(id);
  for (; child != Document::kNone; child = document.next(document.next(child))) {
    if (!nearest(document.text(child), {"endpoints", "dns", "endpoints_file"}).empty()) return true;
  }
  return false;
}

void check_source(Reader& reader, NodeId id, ClusterConfig& cluster) {
  const auto given = [&](std::string_view key) {
    return reader.find(id, key) != Document::kNone ? 1 : 0;
  };
  const int sources = given("endpoints") + given("dns") + given("endpoints_file");
  if (sources == 1) {
    if (!cluster.endpoints_file.empty()) return read_endpoints_file(reader, id, cluster);
    const NodeId list = reader.find(id, "endpoints");
    const Reader::Step step(reader, "endpoints");
    if (list != Document::kNone) check_not_empty(reader, list);
    return;
  }
  if (sources == 0 && misspelt_source(reader, id)) return;
  const std::string hint =
      "write one of endpoints: [{address: 127.0.0.1:9001}], dns: {name: "
      "orders.svc, port: 80} or endpoints_file: orders.yaml";
  reader.error(id, {sources == 0 ? "a cluster without endpoints"
                                 : "a cluster takes its endpoints from one place only",
                    hint});
}

void check_protocol(Reader& reader, NodeId id, const ClusterConfig& cluster) {
  if (cluster.protocol == UpstreamProtocol::kAuto && reader.find(id, "tls") == Document::kNone) {
    const Reader::Step step(reader, "protocol");
    reader.error(reader.find(id, "protocol"), {"`auto` is what TLS agrees on, and there is no tls",
                                               "add tls: {}, or write http1 or http2"});
  }
  if (cluster.protocol == UpstreamProtocol::kHttp1) return;
  if (cluster.proxy_protocol == SendProxy::kOff) return;
  const Reader::Step step(reader, "proxy_protocol");
  reader.error(reader.find(id, "proxy_protocol"),
               {"a PROXY header speaks for one client, and many share an HTTP/2 connection",
                "set protocol: http1, or take proxy_protocol out"});
}

// A name to verify is in `sni` or is the endpoint's own; a path has none.
void check_names(Reader& reader, NodeId id, const ClusterConfig& cluster) {
  const NodeId tls = reader.find(id, "tls");
  if (!cluster.tls || !cluster.tls->verify || !cluster.tls->sni.empty()) return;
  const NodeId sni = reader.find(tls, "sni");
  const bool unreadable = sni != Document::kNone && reader.document().text(sni) != "auto";
  if (unreadable) return;
  for (const EndpointConfig& endpoint : cluster.endpoints) {
    if (endpoint.address.kind != Address::Kind::kUnix) continue;
    const Reader::Step step(reader, "tls");
    reader.error(tls, {"`" + endpoint.address.text + "` has no name that could be verified",
                       "add sni: the name in its certificate"});
    return;
  }
}

void check_cluster(Reader& reader, NodeId id, ClusterConfig& cluster) {
  check_source(reader, id, cluster);
  check_protocol(reader, id, cluster);
  check_names(reader, id, cluster);
  check_health(reader, id, cluster);
}

}  // namespace

CodecPtr<std::vector<EndpointConfig>> endpoint_list() {
  static const auto list = section_list<EndpointConfig>(
      endpoint_section(), [](const auto& e) -> std::string_view { return e.address.text; });
  return list;
}

CodecPtr<ClusterConfig> cluster_section() {
  using S = ClusterConfig;
  static const auto table = section<S>(
      {
          key("endpoints", &S::endpoints, endpoint_list(),
              "The servers; or give dns or endpoints_file.", KeyUse::kAlternative,
              [](const S& cluster) { return !cluster.endpoints_file.empty(); }),
          key("dns", &S::dns, optional(dns_section()), "The servers behind a DNS name.",
              KeyUse::kAlternative),
          key("endpoints_file", &S::endpoints_file, nonempty_text(),
              "A YAML file with a list as under endpoints, read at every load.",
              KeyUse::kAlternative),
          key("protocol", &S::protocol,
              enumeration<UpstreamProtocol>({{"http1", UpstreamProtocol::kHttp1},
                                             {"http2", UpstreamProtocol::kHttp2},
                                             {"auto", UpstreamProtocol::kAuto}}),
              "What the servers speak; auto is what TLS agrees on (ALPN)."),
          key("tls", &S::tls, optional(cluster_tls_section()),
              "Encryption to the servers, {} for all defaults; left out, it is plain.",
              KeyUse::kAlternative),
          key("http2", &S::http2, http2_section(), "Connections to servers that speak HTTP/2."),
          key("proxy_protocol", &S::proxy_protocol,
              enumeration<SendProxy>({{"off", SendProxy::kOff}, {"v2", SendProxy::kV2}}),
              "v2 tells servers who the client is; a connection then serves one request."),
          key("peer", &S::peer,
              enumeration<ClusterPeer>(
                  {{"application", ClusterPeer::kApplication}, {"weir", ClusterPeer::kWeir}}),
              "weir: its endpoints are weirs, which are told the hops between cells."),
          key("load_balancing", &S::load_balancing, load_balancing_section(),
              "How requests are spread over the endpoints."),
          key("health_check", &S::health_check, optional(health_check_section()),
              "Asks each endpoint whether it works; left out, nobody asks.", KeyUse::kAlternative),
          key("outlier_detection", &S::outlier_detection, optional(outlier_section()),
              "Takes out endpoints whose answers are bad, {} for all defaults; left out, none.",
              KeyUse::kAlternative),
          key("slow_start", &S::slow_start, slow_start_section(),
              "How gently an endpoint that is new or well again gets its share."),
          key("pool", &S::pool, pool_section(), "Connections that wait for the next request."),
          key("resource_limits", &S::resource_limits, resource_limits_section(),
              "What the cluster may take of this process."),
          key("adaptive_concurrency", &S::adaptive_concurrency,
              optional(adaptive_concurrency_section()),
              "A limit of requests in flight that follows the latency; left out, there is none.",
              KeyUse::kAlternative),
          key("connect_timeout", &S::connect_timeout, duration(Zero::kRefused),
              "To an established connection."),
          key("tcp_user_timeout", &S::tcp_user_timeout, duration(Zero::kOff),
              "How long sent bytes may stay unacknowledged or unread; 0 for the kernel's."),
          key("response_timeout", &S::response_timeout, duration(Zero::kOff),
              "From the end of the request to the head of the response; 0 for no limit."),
          key("idle_timeout", &S::idle_timeout, duration(Zero::kOff),
              "The longest silence while a response streams; 0 for no limit."),
          key("circuit_breaker", &S::circuit_breaker, optional(circuit_breaker_section()),
              "Stops calling what mostly fails; {} for all defaults; left out, there is none.",
              KeyUse::kAlternative),
          key("state", &S::state, operator_state(),
              "drain takes no new requests and finishes those it has, maint repeats none either."),
      },
      check_cluster);
  return table;
}

}  // namespace weir::config
