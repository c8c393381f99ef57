// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_head.h"

#include <algorithm>
#include <charconv>

#include "http/forwarded.h"
#include "http/header_id.h"
#include "net/tls_session.h"
#include "proxy/cell_heads.h"
#include "proxy/cells.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/worker_listener.h"
#include "route/rewrite.h"

namespace weir::proxy {
namespace {

// Headers that weir itself may add: six that forward, Via, request id, trace, two of the client's
// certificate, two of gRPC, the attempt, and one to spare. Each costs eight instructions a request.
constexpr size_t kAdded = 15;

// And three of an owner.
constexpr size_t kAddedByOwner = 3;

HeaderList copy_headers(const HeaderList& in, size_t added, base::Arena& arena) {
  HeaderList out(arena.unset_array<Header>(in.size() + added), in.size() + added);
  for (const Header& header : in) out.push(header);
  return out;
}

void remove(HeaderList& headers, const http::HeaderIds& there, HeaderId id) {
  if (!there.has(id)) return;
  headers.remove_if([id](const Header& header) { return header.id == id; });
}

// Only OPTIONS and TRACE count hops; for other methods the field means nothing and goes on as it
// is.
void count_hop(RequestHead& head, base::Arena& arena) {
  if (head.method != Method::kOptions && head.method != Method::kTrace) return;
  for (Header& header : head.headers) {
    if (header.id != HeaderId::kMaxForwards) continue;
    uint32_t hops = 0;
    const char* begin = header.value.begin();
    const char* end = header.value.end();
    const auto parsed = std::from_chars(begin, end, hops);
    if (parsed.ec != std::errc() || parsed.ptr != end || hops == 0) continue;
    char* text = static_cast<char*>(arena.allocate(10));
    const auto written = std::to_chars(text, text + 10, hops - 1);
    header.value = {text, static_cast<size_t>(written.ptr - text)};
  }
}

bool is_weir_header(const Header& header) {
  // The third letter tells most others apart.
  return header.id == HeaderId::kOther && header.name.size() > kWeirPrefix.size() &&
         (header.name[2] | 0x20) == kWeirPrefix[2] &&
         http::iequals(header.name.substr(0, kWeirPrefix.size()), kWeirPrefix);
}

// A stranger's word for what weirs tell each other is nobody's: it does not go on either. Cells
// write their own. Returns whether any header has such a name: mostly none has, and then none of
// them need be looked for by name.
bool take_weir_headers(HeaderList& headers, Exchange& exchange) {
  bool any = false;
  for (const Header& header : headers) {
    if (!is_weir_header(header)) continue;
    any = true;
    if (is_mirror_header(header) && exchange.trusted_peer()) exchange.set_copied();
    if (!is_attempt_header(header)) continue;
    uint32_t attempt = 0;
    const char* const end = header.value.end();
    const auto parsed = std::from_chars(header.value.begin(), end, attempt);
    const bool good = parsed.ec == std::errc() && parsed.ptr == end && attempt > 1;
    if (good && exchange.trusted_peer()) exchange.set_nested_attempt(std::min(attempt, 1000U));
  }
  if (!any) return false;
  const bool believed = exchange.trusted_peer();
  headers.remove_if([believed](const Header& each) {
    return is_attempt_header(each) ||
           (!believed && (is_mirror_header(each) || http::iequals(each.name, kCellPathHeader) ||
                          http::iequals(each.name, kCellHopsHeader)));
  });
  return true;
}

// RFC 9440: what origins read there must be weir's word, or that of a proxy that is trusted.
void set_client_cert(HeaderList& headers, const http::HeaderIds& came, Exchange& exchange) {
  const net::TlsSession* tls = exchange.client().tls;
  const bool verified = tls != nullptr && tls->peer_verified();
  if (verified || !exchange.trusted_peer()) {
    remove(headers, came, HeaderId::kClientCert);
    remove(headers, came, HeaderId::kClientCertChain);
  }
  if (!verified || !exchange.client().listener->config().tls->forward_client_cert) return;
  base::Arena& arena = exchange.arena();
  headers.push({"client-cert", arena.copy(tls->client_cert_field()), HeaderId::kClientCert});
  const std::string chain = tls->client_cert_chain_field();
  if (!chain.empty()) {
    headers.push({"client-cert-chain", arena.copy(chain), HeaderId::kClientCertChain});
  }
}

// What an origin reads there is weir's word; a stranger's own word for it does not pass an edge.
void set_identity(HeaderList& headers, bool any_weir, Exchange& exchange) {
  const Owner& owner = *exchange.owner();
  if (owner.policies == nullptr) return;
  const Policies& policies = *owner.policies;
  const bool edge = exchange.client().listener->config().profile == Profile::kEdge;
  if (edge && !exchange.trusted_peer()) {
    for (const std::string& name : policies.identity_headers) {
      if (may_have(any_weir, name)) http::remove_field(headers, name);
    }
  }
  // A retry may send them when the snapshot has gone: both are the arena's.
  base::Arena& arena = exchange.arena();
  const auto tell = [&](const ForwardedName& as, std::string_view value) {
    if (as.name.empty()) return;
    if (may_have(any_weir, as.name)) http::remove_field(headers, as.name);
    if (!value.empty()) headers.push({arena.copy(as.name), arena.copy(value), as.id});
  };
  tell(policies.forward_tenant, owner.tenant);
  tell(policies.forward_function, owner.function);
  const char digit = static_cast<char>('0' + owner.priority);
  tell(policies.forward_priority, {&digit, 1});
}

void set_trace(HeaderList& headers, Exchange& exchange) {
  const http::HeaderIds there(headers);
  remove(headers, there, HeaderId::kXRequestId);
  headers.push({"x-request-id", exchange.request_id(), HeaderId::kXRequestId});
  if (!exchange.trace_begun()) return;
  // State of a trace that was not believed belongs to nobody.
  remove(headers, there, HeaderId::kTracestate);
  remove(headers, there, HeaderId::kTraceparent);
  headers.push({"traceparent", exchange.traceparent(), HeaderId::kTraceparent});
}

}  // namespace

bool is_attempt_header(const Header& header) {
  return header.id == HeaderId::kOther && header.name.size() == kAttemptHeader.size() &&
         http::iequals(header.name, kAttemptHeader);
}

bool is_mirror_header(const Header& header) {
  return header.id == HeaderId::kOther && http::iequals(header.name, kMirrorHeader);
}

bool forwards_exhausted(const RequestHead& head) {
  if (head.method != Method::kOptions) return false;
  if (head.path == "*") return true;
  const Header* hops = head.headers.find(HeaderId::kMaxForwards);
  return hops != nullptr && hops->value == "0";
}

Result<void> make_upstream_head(Exchange& exchange, RequestHead& out) {
  base::Arena& arena = exchange.arena();
  const RequestHead& in = exchange.request();
  const route::Route& route = *exchange.route();
  out = in;
  const size_t added = kAdded + (exchange.owner() != nullptr ? kAddedByOwner : 0) +
                       (exchange.cell() != nullptr ? kAddedByCell : 0);
  out.headers = copy_headers(in.headers, added, arena);
  const http::HeaderIds came(in.headers);
  http::remove_hop_by_hop(out.headers);
  // Weir answers it itself, when it is ready for the body.
  remove(out.headers, came, HeaderId::kExpect);
  count_hop(out, arena);
  const bool any_weir = take_weir_headers(out.headers, exchange);
  http::ForwardedFacts facts;
  facts.peer = exchange.client().peer->is_unix ? std::string_view{} : exchange.client_ip();
  facts.proto = in.scheme;
  facts.host = in.authority;
  facts.trusted = exchange.trusted_peer();
  http::set_forwarded(out.headers, facts, arena);
  set_client_cert(out.headers, came, exchange);
  if (exchange.owner() != nullptr) set_identity(out.headers, any_weir, exchange);
  if (exchange.cell() != nullptr) stamp_cell(out.headers, any_weir, exchange);
  out.headers.push({"via", http::via_value(in.version), HeaderId::kVia});
  set_trace(out.headers, exchange);
  const Result<std::string_view> path = route::rewrite_path(route, in.path, arena);
  if (!path) return std::unexpected(path.error());
  out.path = *path;
  route.request_ops().apply(out.headers, arena);
  return {};
}

}  // namespace weir::proxy
