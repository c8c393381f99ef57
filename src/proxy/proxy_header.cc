// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy_header.h"

#include "http/proxy_protocol.h"
#include "net/tls_session.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// What a name may be at most (RFC 1035); longer ones are nobody's.
constexpr size_t kMaxName = 255;
constexpr size_t kMaxId = 128;

}  // namespace

ProxyHeader::ProxyHeader(const Exchange& exchange) {
  const Client& client = exchange.client();
  const Address& local = client.listener->shared().address;
  http::ProxyFacts facts;
  facts.kind = client.peer->is_unix ? http::ProxyFacts::Kind::kUnix : http::ProxyFacts::Kind::kIp;
  facts.source = client.peer->ip;
  facts.source_port = client.peer->port;
  if (local.kind == Address::Kind::kIp) {
    facts.destination = local.ip;
    facts.destination_port = local.port;
  }
  if (client.tls != nullptr) {
    facts.authority = client.tls->sni();
    facts.alpn = exchange.request().version == Version::kHttp2 ? "h2" : "http/1.1";
  }
  facts.unique_id = exchange.request_id();
  if (client.told != nullptr) {
    if (client.told->destination_port != 0) {
      facts.destination = client.told->destination;
      facts.destination_port = client.told->destination_port;
    }
    if (facts.authority.empty()) facts.authority = client.told->authority;
    if (!client.told->unique_id.empty()) facts.unique_id = client.told->unique_id;
  }
  facts.authority = facts.authority.substr(0, kMaxName);
  facts.unique_id = facts.unique_id.substr(0, kMaxId);
  size_ = http::write_proxy_v2(facts, bytes_);
}

}  // namespace weir::proxy
