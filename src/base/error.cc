// SPDX-License-Identifier: Apache-2.0
// The one table from an error to everything that is answered, logged and counted for it.
#include <weir/error.h>

#include <array>
#include <cstddef>

namespace weir {
namespace {

constexpr Origin kDown = Origin::kDownstream;
constexpr Origin kUp = Origin::kUpstream;
constexpr Origin kOwn = Origin::kInternal;

// In the order of ErrorCode. Status codes: CONFIG ("what bad input gets") and, for what an origin
// does, the recommendations of RFC 9209, section 2.3.
constexpr std::array<ErrorInfo, static_cast<size_t>(ErrorCode::kCount)> kTable{{
    {"bad_request_line", 400, "http_request_error", "Send 'METHOD target HTTP/1.1'.", kDown},
    {"bad_method", 400, "http_request_error", "A method is a token of RFC 9110.", kDown},
    {"bad_target", 400, "http_request_error",
     "Send a path without control bytes, backslashes or encoded slashes and dots.", kDown},
    {"bad_version", 505, "http_request_error", "Speak HTTP/1.1 or HTTP/1.0.", kDown},
    {"bad_header", 400, "http_request_error",
     "Each header is 'name: value' in one line that ends in CR LF.", kDown},
    {"bad_host", 400, "http_request_error", "Send exactly one valid Host.", kDown},
    {"bad_framing", 400, "http_request_error",
     "Send one Content-Length or 'Transfer-Encoding: chunked', never both.", kDown},
    {"bad_chunk", 400, "http_request_error", "Send well-formed chunks (RFC 9112, 7.1).", kDown},
    {"header_too_large", 431, "http_request_error", "Send smaller headers.", kDown},
    {"too_many_headers", 431, "http_request_error", "Send fewer headers.", kDown},
    {"uri_too_long", 414, "http_request_error", "Send a shorter URI.", kDown},
    {"body_too_large", 413, "http_request_error", "Send a smaller body.", kDown},
    {"request_timeout", 408, "http_request_error", "Send the whole head in time.", kDown},
    {"body_timeout", 408, "http_request_error", "Keep sending the body.", kDown},
    {"slow_client", 408, "http_request_error", "Send or read faster.", kDown},
    {"client_closed", 499, "connection_terminated", "The client left before the answer.", kDown},
    {"method_refused", 405, "http_request_denied",
     "TRACE is not served, CONNECT only where its route says so.", kDown},
    {"upgrade_refused", 501, "http_upgrade_failed", "The route allows no upgrade.", kDown},
    {"expectation_failed", 417, "http_request_error", "Only 'Expect: 100-continue' is known.",
     kDown},
    {"tls_handshake", 400, "tls_protocol_error", "Offer a TLS version and a suite that weir has.",
     kDown},
    {"bad_proxy_header", 400, "http_request_error", "Begin with a PROXY protocol header.", kDown},
    {"http2_abuse", 400, "http_request_denied", "Send fewer resets, pings and empty frames.",
     kDown},
    {"bad_identity", 400, "http_request_error",
     "An identity has at most 256 bytes, is told once and holds no control bytes.", kDown},
    {"no_route", 404, "http_request_denied", "No route matches; try 'weir explain'.", kOwn},
    {"method_not_allowed", 405, "http_request_denied", "See Allow for the methods.", kOwn},
    {"misdirected", 421, "http_request_denied", "This host is not served here.", kOwn},
    {"no_endpoint", 503, "destination_unavailable", "No endpoint is ready; try later.", kOwn},
    {"no_healthy_endpoint", 503, "destination_unavailable",
     "Every endpoint fails its checks; try later.", kOwn},
    {"failover_capacity_exceeded", 503, "connection_limit_reached",
     "All members of the group are full; try later.", kOwn},
    {"cluster_pending_full", 503, "connection_limit_reached", "Too many wait; try later.", kOwn},
    {"cluster_requests_full", 503, "connection_limit_reached", "Too many requests; try later.",
     kOwn},
    {"cluster_connections_full", 503, "connection_limit_reached",
     "Too many connections to the origin; try later.", kOwn},
    {"connection_limit", 503, "connection_limit_reached", "Too many connections; try later.", kOwn},
    {"connections_per_ip", 429, "connection_limit_reached", "Close some of your connections.",
     kDown},
    {"no_descriptors", 503, "proxy_internal_response", "Too many connections; try later.", kOwn},
    {"shutting_down", 503, "destination_unavailable", "This node stops; try another.", kOwn},
    {"deadline_exceeded", 504, "http_response_timeout",
     "The time that the route or the client gave has passed.", kOwn},
    {"overloaded", 503, "http_request_denied", "This node is overloaded; try later.", kOwn},
    {"adaptive_concurrency_limited", 503, "connection_limit_reached",
     "The cluster is slow and takes no more at once; try later.", kOwn},
    {"rate_limited", 429, "http_request_denied", "Slow down; see Retry-After.", kOwn},
    {"concurrency_limited", 429, "http_request_denied",
     "Too many at once; see Retry-After, or wait for earlier requests.", kOwn},
    {"node_rate_limited", 503, "http_request_denied", "This node takes no more; try later.", kOwn},
    {"node_concurrency_limited", 503, "http_request_denied",
     "This node has too many at once; try later.", kOwn},
    {"circuit_open", 503, "destination_unavailable",
     "Too many calls fail there; see Retry-After and weir status.", kOwn},
    {"memory_share_exceeded", 429, "http_request_denied",
     "This tenant's requests hold their share of the node's memory; see Retry-After.", kOwn},
    {"memory_budget_exceeded", 503, "http_request_denied",
     "This node's memory is taken; try later or another node.", kOwn},
    {"queue_full", 429, "http_request_denied",
     "Too many wait already; see Retry-After, or wait for earlier requests.", kOwn},
    {"queue_timeout", 429, "http_request_denied",
     "No earlier request ended in time; see Retry-After.", kOwn},
    {"node_queue_full", 503, "http_request_denied", "Too many wait on this node; try later.", kOwn},
    {"node_queue_timeout", 503, "http_request_denied",
     "This node was busy for too long; try later.", kOwn},
    {"cell_unavailable", 503, "destination_unavailable",
     "Nobody serves this at home, and it may not be served elsewhere; try later.", kOwn},
    {"guest_capacity_exceeded", 503, "connection_limit_reached",
     "This cell serves no more of other cells' requests; try later.", kOwn},
    {"cell_loop", 508, "proxy_loop_detected", "Weirs send it to each other in a circle.", kOwn},
    {"fault_injected", 503, "proxy_internal_response",
     "A drill: an operator has this request fail; see weir overrides.", kOwn},
    {"internal", 500, "proxy_internal_error", "A fault of weir: please report it.", kOwn},
    {"dns_failure", 503, "dns_error", "The origin's name does not resolve.", kUp},
    {"connect_refused", 502, "connection_refused", "The origin refuses connections.", kUp},
    {"connect_timeout", 504, "connection_timeout", "The origin does not accept in time.", kUp},
    {"connect_failed", 502, "destination_ip_unroutable", "The origin cannot be reached.", kUp},
    {"upstream_reset", 502, "connection_terminated", "The origin closed before its answer.", kUp},
    {"upstream_timeout", 504, "http_response_timeout", "The origin does not answer in time.", kUp},
    {"upstream_idle", 504, "connection_read_timeout", "The origin stopped sending.", kUp},
    {"upstream_bad_head", 502, "http_protocol_error", "The origin's head is malformed.", kUp},
    {"upstream_bad_framing", 502, "http_protocol_error", "The origin's framing is ambiguous.", kUp},
    {"upstream_head_too_large", 502, "http_response_header_section_size",
     "The origin's head is too large.", kUp},
    {"upstream_truncated", 502, "http_response_incomplete", "The origin's body was cut off.", kUp},
    {"upstream_upgrade", 502, "http_upgrade_failed", "The origin upgraded unasked.", kUp},
    {"upstream_tls", 502, "tls_protocol_error", "TLS to the origin failed; see the log.", kUp},
    {"upstream_refused_stream", 503, "http_protocol_error", "The origin refused the stream.", kUp},
    {"upstream_http2", 502, "http_protocol_error", "The origin broke the rules of HTTP/2.", kUp},
    {"response_too_large", 502, "http_response_body_size", "The answer is over the route's limit.",
     kUp},
}};

}  // namespace

const ErrorInfo& error_info(ErrorCode code) { return kTable[static_cast<size_t>(code)]; }

Error make_error(ErrorCode code, const char* detail, Retry retry, int sys) {
  return {code, error_info(code).origin, retry, sys, detail};
}

}  // namespace weir
