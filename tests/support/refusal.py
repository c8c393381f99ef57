# SPDX-License-Identifier: Apache-2.0
"""What weir answers by itself: for each reason word the status and the RFC 9209 error token. This
is a promise to users (dashboards and clients match on it), so it is written down here and not read
from the source."""
import re

REASONS = {
    "bad_request_line": (400, "http_request_error"),
    "bad_method": (400, "http_request_error"),
    "bad_target": (400, "http_request_error"),
    "bad_version": (505, "http_request_error"),
    "bad_header": (400, "http_request_error"),
    "bad_host": (400, "http_request_error"),
    "bad_framing": (400, "http_request_error"),
    "bad_chunk": (400, "http_request_error"),
    "header_too_large": (431, "http_request_error"),
    "too_many_headers": (431, "http_request_error"),
    "uri_too_long": (414, "http_request_error"),
    "body_too_large": (413, "http_request_error"),
    "request_timeout": (408, "http_request_error"),
    "body_timeout": (408, "http_request_error"),
    "slow_client": (408, "http_request_error"),
    "method_refused": (405, "http_request_denied"),
    "upgrade_refused": (501, "http_upgrade_failed"),
    "expectation_failed": (417, "http_request_error"),
    "no_route": (404, "http_request_denied"),
    "method_not_allowed": (405, "http_request_denied"),
    "misdirected": (421, "http_request_denied"),
    "failover_capacity_exceeded": (503, "connection_limit_reached"),
    "no_endpoint": (503, "destination_unavailable"),
    "no_healthy_endpoint": (503, "destination_unavailable"),
    "cluster_pending_full": (503, "connection_limit_reached"),
    "cluster_requests_full": (503, "connection_limit_reached"),
    "cluster_connections_full": (503, "connection_limit_reached"),
    "connection_limit": (503, "connection_limit_reached"),
    "circuit_open": (503, "destination_unavailable"),
    "shutting_down": (503, "destination_unavailable"),
    "deadline_exceeded": (504, "http_response_timeout"),
    "memory_share_exceeded": (429, "http_request_denied"),
    "memory_budget_exceeded": (503, "http_request_denied"),
    "overloaded": (503, "http_request_denied"),
    "adaptive_concurrency_limited": (503, "connection_limit_reached"),
    "cell_unavailable": (503, "destination_unavailable"),
    "guest_capacity_exceeded": (503, "connection_limit_reached"),
    "cell_loop": (508, "proxy_loop_detected"),
    "fault_injected": (503, "proxy_internal_response"),
    "dns_failure": (503, "dns_error"),
    "connect_refused": (502, "connection_refused"),
    "connect_timeout": (504, "connection_timeout"),
    "connect_failed": (502, "destination_ip_unroutable"),
    "upstream_reset": (502, "connection_terminated"),
    "upstream_timeout": (504, "http_response_timeout"),
    "upstream_idle": (504, "connection_read_timeout"),
    "upstream_bad_head": (502, "http_protocol_error"),
    "upstream_bad_framing": (502, "http_protocol_error"),
    "upstream_head_too_large": (502, "http_response_header_section_size"),
    "upstream_truncated": (502, "http_response_incomplete"),
    "upstream_upgrade": (502, "http_upgrade_failed"),
    "upstream_tls": (502, "tls_protocol_error"),
    "upstream_refused_stream": (503, "http_protocol_error"),
    "upstream_http2": (502, "http_protocol_error"),
    "response_too_large": (502, "http_response_body_size"),
}


def proxy_status(response):
    """(name of the proxy, parameters) of the one Proxy-Status member."""
    value = response.header("proxy-status")
    assert value is not None, f"no Proxy-Status in {response}"
    parts = [part.strip() for part in re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', value)]
    parameters = dict(part.split("=", 1) for part in parts[1:])
    return parts[0], parameters


def assert_refused(response, reason):
    """`response` is weir's own, for this reason, and says so in every way that it promises."""
    status, token = REASONS[reason]
    assert response.status == status, f"wanted {status} {reason}: {response}"
    _, parameters = proxy_status(response)
    assert parameters.get("error") == token, response
    assert reason in parameters.get("details", ""), response
    assert reason.encode() in response.body or response.body == b"", response
