# SPDX-License-Identifier: Apache-2.0
"""What `placement` adds to weir's configuration: eight cells, ten clusters of fifty endpoints with
health, breakers and slow start, a failover group, and a split by release between them. And what of
it is only the many connections: ten plain clusters as large, drawn by weight (`spread`)."""

CELLS = 8
ENDPOINTS = 50
SPREAD = ["plain-%d" % i for i in range(1, 11)]

HEAD = """\
trusted_proxies: [127.0.0.0/8]
identity: {{tenant: [{{header: x-tenant}}], function: [{{header: x-function}}]}}
tenants: {{open: true}}
cells:
  assign: [{{hash: tenant}}]
  members: {{{members}}}
failover_groups:
  spares:
    members:
      - {{cluster: spare-1, priority: 0, capacity: 5000}}
      - {{cluster: spare-2, priority: 1, capacity: 5000}}
releases:
  app:
    default: app-{{cell}}
    rules:
      - {{tenants: [probe-1, probe-2], to: spares}}
      - {{weight: 20%, sticky: tenant, to: spares}}
"""
CLUSTER = """\
  {name}:
    endpoints: [{endpoints}]
    pool: {{max_idle: {pool}}}
    health_check: {{tcp: {{}}, interval: 30s}}
    outlier_detection: {{}}
    circuit_breaker: {{}}
    slow_start: {{window: 10s}}
"""


def endpoints(origin_port):
    return ", ".join('{address: "127.0.1.%d:%d"}' % (i, origin_port) for i in range(1, ENDPOINTS + 1))


def clusters(origin_port, pool):
    names = ["app-c%d" % i for i in range(1, CELLS + 1)] + ["spare-1", "spare-2"]
    return "".join(CLUSTER.format(name=name, endpoints=endpoints(origin_port), pool=pool) for name in names)


def head():
    return HEAD.format(members=", ".join("c%d: {}" % i for i in range(1, CELLS + 1)))


def spread_clusters(origin_port, pool):
    return "".join("  %s:\n    endpoints: [%s]\n    pool: {max_idle: %d}\n" % (
        name, endpoints(origin_port), pool) for name in SPREAD)


ROUTE = "  - {name: all, match: {path: {prefix: /}}, target: {release: app}}\n"
SPREAD_ROUTE = "  - {name: all, match: {path: {prefix: /}}, target: {weighted: [%s]}}\n" % ", ".join(
    "{cluster: %s, weight: 1}" % name for name in SPREAD)
