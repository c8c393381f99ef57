# SPDX-License-Identifier: Apache-2.0
"""Limits as each proxy knows them: what `limited`, `refused` and `storm` add to the configurations.

Four rates (node, tenant, function, tenant and function together) and a cap on the requests that one
tenant has under way at one function. `Amounts` says how much; a request names its owner in X-Tenant
and X-Function. HAProxy has no rate of a node that a refused request leaves alone, so it goes
without one wherever that would decide."""

import collections

# Requests a second with as many at once; `places`: of a tenant at a function; `each`: of a tenant, a
# second ("tiny": one an hour).
Amounts = collections.namedtuple("Amounts", "node each places")

AMPLE = Amounts(1000000, 100000, 64)   # nobody is ever refused
TINY = Amounts(1000000, "tiny", 64)    # everybody is, after his first request
STORM = Amounts(10000, 100, 64)        # the node bears 99 tenants at 80 a second, not the storm on top

WEIR = """\
trusted_proxies: [127.0.0.0/8]
identity: {{tenant: [{{header: x-tenant}}], function: [{{header: x-function}}]}}
tenants: {{open: true}}
limits:
  - {{name: node, requests: {{rate: {node}/s}}}}
  - {{name: tenant, key: [tenant], requests: {{{tenant}}}}}
  - {{name: function, key: [function], requests: {{rate: {node}/s}}}}
  - {{name: both, key: [tenant, function], requests: {{rate: {node}/s}}, concurrency: {{max: {places}}}}}
"""


def weir(amounts):
    if amounts is None:
        return ""
    tenant = "rate: 1/h, burst: 1" if amounts.each == "tiny" else "rate: %d/s" % amounts.each
    return WEIR.format(node=amounts.node, tenant=tenant, places=amounts.places)


NGINX_ZONES = """\
  limit_req_zone "node" zone=node:64k rate={node}r/s;
  limit_req_zone $http_x_tenant zone=tenant:16m rate={tenant};
  limit_req_zone $http_x_function zone=function:1m rate={node}r/s;
  limit_req_zone $http_x_tenant,$http_x_function zone=both:64m rate={node}r/s;
  limit_conn_zone $http_x_tenant,$http_x_function zone=places:64m;
  limit_req_status 429; limit_conn_status 429; limit_req_log_level info;
"""
NGINX_LIMITS = ("limit_req zone=node burst={node} nodelay; limit_req zone=tenant{burst}; "
                "limit_req zone=function burst={node} nodelay; limit_req zone=both burst={node} nodelay; "
                "limit_conn places {places};")


def nginx(amounts):
    """What belongs into `http`, and into `location`."""
    if amounts is None:
        return "", ""
    tiny = amounts.each == "tiny"
    values = dict(amounts._asdict(), tenant="1r/m" if tiny else "%dr/s" % amounts.each,
                  burst="" if tiny else " burst=%d nodelay" % amounts.each)
    return NGINX_ZONES.format(**values), NGINX_LIMITS.format(**values)


HAPROXY_TABLES = """\
backend by_tenant
  stick-table type string len 32 size 200k expire 2h store http_req_rate({period})
backend by_function
  stick-table type string len 32 size 1k expire 1m store http_req_rate(1s)
backend by_both
  stick-table type string len 64 size 200k expire 1m store http_req_rate(1s),conn_cur
"""
HAPROXY_LIMITS = """\
  http-request track-sc0 hdr(x-tenant) table by_tenant
  http-request track-sc1 hdr(x-function) table by_function
  http-request track-sc2 hdr(x-tenant),concat(,txn.f) table by_both
  http-request deny deny_status 429 if {{ sc_http_req_rate(0,by_tenant) gt {each} }}
  http-request deny deny_status 429 if {{ sc_http_req_rate(1,by_function) gt {node} }}
  http-request deny deny_status 429 if {{ sc_http_req_rate(2,by_both) gt {node} }}
  http-request deny deny_status 429 if {{ sc_conn_cur(2,by_both) gt {places} }}
"""


def haproxy(amounts):
    """The tables, and what belongs into `listen`."""
    if amounts is None:
        return "", ""
    tiny = amounts.each == "tiny"
    limits = "  http-request set-var(txn.f) hdr(x-function)\n" + HAPROXY_LIMITS.format(
        **dict(amounts._asdict(), each=1 if tiny else amounts.each))
    if amounts is AMPLE:
        limits += "  http-request deny deny_status 429 if { fe_req_rate gt %d }\n" % amounts.node
    return HAPROXY_TABLES.format(period="1h" if tiny else "1s"), limits
