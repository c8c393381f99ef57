// SPDX-License-Identifier: Apache-2.0
#include "proxy/response_head.h"

#include <charconv>

#include "base/error_text.h"
#include "http/forwarded.h"
#include "http/head.h"
#include "http/header_id.h"
#include "http/status.h"
#include "policy/refusal.h"
#include "proxy/cell_heads.h"
#include "proxy/exchange.h"
#include "proxy/hops.h"
#include "proxy/worker.h"
#include "route/route.h"

namespace weir::proxy {
namespace {

// Via, Date and the request id.
constexpr size_t kAdded = 4;

std::string_view date_now(Exchange& exchange) {
  Worker& worker = exchange.worker();
  return exchange.arena().copy(worker.date().at(worker.loop().wall()));
}

bool accepts_json(const RequestHead& head) {
  const Header* accept = head.headers.find(HeaderId::kAccept);
  return accept != nullptr && accept->value.find("json") != std::string_view::npos;
}

void tell_trail(HeaderList& headers, Exchange& exchange) {
  base::Arena& arena = exchange.arena();
  // The parser left no room for this one.
  HeaderList more(arena.unset_array<Header>(headers.size() + 1), headers.size() + 1);
  for (const Header& header : headers) more.push(header);
  const std::string_view status = exchange.number_text(exchange.upstream_status());
  more.push({"proxy-status",
             arena.concat({"weir; received-status=", status,
                           "; details=\"tried before: ", trail_text(exchange), "\""}),
             HeaderId::kProxyStatus});
  headers = more;
}

}  // namespace

void make_client_response(ResponseHead& head, Exchange& exchange) {
  base::Arena& arena = exchange.arena();
  // The parser leaves room for what is added here (http::kHeaderHeadroom).
  HeaderList& headers = head.headers;
  http::remove_hop_by_hop(headers);
  headers.push({"via", http::via_value(head.version), HeaderId::kVia});
  if (headers.find(HeaderId::kDate) == nullptr) {
    headers.push({"date", date_now(exchange), HeaderId::kDate});
  }
  if (headers.find(HeaderId::kXRequestId) == nullptr) {
    headers.push({"x-request-id", exchange.request_id(), HeaderId::kXRequestId});
  }
  if (exchange.cell() != nullptr) {
    exchange.take_answered_cell(headers);
    static_assert(http::kHeaderHeadroom >= kAdded + kAddedByCell);
    tell_cell(headers, exchange);
  }
  // RFC 9209, 2.1.4: an origin's refusal after others; it is no word of weir's own.
  if (exchange.trail() != nullptr && head.status >= 500) tell_trail(headers, exchange);
  exchange.route()->response_ops().apply(headers, arena);
}

ResponseHead local_head(uint16_t status, size_t extra, Exchange& exchange) {
  ResponseHead head;
  head.status = status;
  head.reason = http::reason_phrase(status);
  const size_t room = extra + kAdded + (exchange.cell() != nullptr ? kAddedByCell : 0);
  head.headers = HeaderList(exchange.arena().unset_array<Header>(room), room);
  head.headers.push({"date", date_now(exchange), HeaderId::kDate});
  if (!exchange.request_id().empty()) {
    head.headers.push({"x-request-id", exchange.request_id(), HeaderId::kXRequestId});
  }
  if (exchange.cell() != nullptr) tell_cell(head.headers, exchange);
  return head;
}

bool refused_by_weir(const ResponseHead& head) {
  if (head.status != 429 && head.status != 503) return false;
  for (const Header& header : head.headers) {
    if (header.id != HeaderId::kProxyStatus) continue;
    if (header.value.find("weir; error=") != std::string_view::npos) return true;
  }
  return false;
}

std::string_view proxy_status(const Error& error, Exchange& exchange) {
  const ErrorInfo& info = error_info(error.code);
  base::Arena& arena = exchange.arena();
  const std::string_view detail = error.detail != nullptr ? error.detail : "";
  if (exchange.trail() != nullptr) {
    return arena.concat({"weir; error=", info.proxy_status, "; details=\"", info.reason,
                         detail.empty() ? "" : ": ", detail,
                         "; tried before: ", trail_text(exchange), "\""});
  }
  if (const policy::RefusalText* const text = exchange.refusal_text()) return text->proxy_status;
  return arena.concat(base::proxy_status_pieces(info, detail));
}

ErrorBody error_body(const Error& error, Exchange& exchange) {
  const ErrorInfo& info = error_info(error.code);
  base::Arena& arena = exchange.arena();
  const std::string_view detail = error.detail != nullptr ? error.detail : "";
  if (!accepts_json(exchange.request())) {
    const policy::RefusalText* const text = exchange.refusal_text();
    return {"text/plain; charset=utf-8", text != nullptr
                                             ? text->plain_body
                                             : arena.concat(base::plain_body_pieces(info, detail))};
  }
  const uint16_t code = exchange.status_of(error);
  char status[8];
  const auto end = std::to_chars(status, status + sizeof status, code).ptr;
  return {"application/problem+json", arena.concat({"{\"type\":\"about:blank\",\"title\":\"",
                                                    http::reason_phrase(code),
                                                    "\",\"status\":",
                                                    {status, static_cast<size_t>(end - status)},
                                                    ",\"reason\":\"",
                                                    info.reason,
                                                    "\",\"detail\":\"",
                                                    detail,
                                                    detail.empty() ? "" : ". ",
                                                    info.hint,
                                                    "\",\"request_id\":\"",
                                                    exchange.request_id(),
                                                    "\"}\n"})};
}

}  // namespace weir::proxy
