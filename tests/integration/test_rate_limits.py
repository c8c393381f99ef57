# SPDX-License-Identifier: Apache-2.0
"""Rates: exact with any number of workers, charged to nobody who is refused, kept over reloads, and
refused in words that every protocol's clients understand."""
import json

import pytest
from support.lab import config_for

# So slow that nothing flows back during a test.
HOURLY = "1/h"


def limited(lab, *limits, **top):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, limits=list(limits), **by_tenant(top)))
    return gateway, origin


def by_tenant(top):
    return {"identity": {"tenant": [{"header": "x-tenant"}]}, "tenants": {"open": True},
            "trusted_proxies": ["127.0.0.0/8"], **top}


def tenant_limit(burst, **more):
    return {"name": "per-tenant", "key": ["tenant"],
            "requests": {"rate": HOURLY, "burst": burst}, **more}


def ask(client, tenant="acme", **rest):
    return client.get("/", headers={"X-Tenant": tenant, **rest})


def test_rate_limit_refuses_with_everything_a_client_needs(lab):
    gateway, _ = limited(lab, tenant_limit(1))
    client = lab.client(gateway)
    assert ask(client).status == 200
    answer = ask(client)
    assert answer.status == 429
    assert 3590 <= int(answer.headers.get("retry-after")) <= 3600
    assert answer.headers.get("ratelimit-policy") == '"per-tenant";q=1;w=3600'
    assert answer.headers.get("ratelimit").startswith('"per-tenant";r=0;t=')
    assert answer.headers.get("proxy-status").startswith("weir; error=http_request_denied")
    assert b"rate_limited: limit per-tenant by tenant" in answer.body
    problem = json.loads(ask(client, Accept="application/json").body)
    assert problem["reason"] == "rate_limited" and "per-tenant" in problem["detail"]
    assert ask(client, "other").status == 200
    line = gateway.log(4)[1]
    assert line["reason"] == "rate_limited" and line["tenant"] == "acme"
    gateway.expect_metric(2, "weir_limit_decisions_total", limit="per-tenant", result="passed")
    gateway.expect_metric(2, "weir_limit_decisions_total", limit="per-tenant",
                          result="refused_rate")


@pytest.mark.parametrize("workers", [1, 2])
def test_rate_limit_admits_exactly_its_burst(lab, workers):
    gateway, origin = limited(lab, tenant_limit(100), workers=workers)
    clients = [lab.client(gateway) for _ in range(16)]
    statuses = [ask(client).status for _ in range(16) for client in clients]
    assert statuses.count(200) == 100 and statuses.count(429) == 156
    assert origin.count() == 100


def test_rate_limit_of_the_node_is_503(lab):
    gateway, _ = limited(lab, {"name": "node", "requests": {"rate": HOURLY, "burst": 1}})
    client = lab.client(gateway)
    assert ask(client).status == 200
    answer = ask(client, "other")
    assert answer.status == 503 and b"node_rate_limited: limit node by node" in answer.body
    assert int(answer.headers.get("retry-after")) > 3000


def test_rate_limit_refusal_charges_nobody(lab):
    """The tenant's own bucket must not pay for what the node's refuses, nor the other way round."""
    gateway, _ = limited(lab, tenant_limit(2), {"name": "node",
                                                "requests": {"rate": HOURLY, "burst": 3}})
    client = lab.client(gateway)
    assert [ask(client, "a").status for _ in range(20)] == [200, 200] + [429] * 18
    assert [ask(client, "b").status for _ in range(3)] == [200, 503, 503]


def test_rate_limit_dry_run_refuses_nobody_and_counts(lab):
    gateway, _ = limited(lab, tenant_limit(1, dry_run=True))
    client = lab.client(gateway)
    assert [ask(client).status for _ in range(5)] == [200] * 5
    gateway.expect_metric(4, "weir_limit_decisions_total", limit="per-tenant", result="dry_run")


def test_rate_limit_overrides_and_classes(lab):
    gateway, _ = limited(
        lab, tenant_limit(1, overrides={"acme": {"requests": {"rate": HOURLY, "burst": 3}}},
                          classes={"gold": {"requests": {"rate": HOURLY, "burst": 2}}}),
        tenants={"open": True, "classes": {"gold": {}}, "members": {"rich": "gold"}})
    client = lab.client(gateway)
    for tenant, passes in [("acme", 3), ("rich", 2), ("poor", 1)]:
        assert [ask(client, tenant).status for _ in range(4)].count(200) == passes


def test_rate_limit_closed_directory_counts_strangers_as_one(lab):
    gateway, _ = limited(lab, tenant_limit(2), tenants={"classes": {"gold": {}},
                                                        "members": {"acme": "gold"}})
    client = lab.client(gateway)
    assert [ask(client, name).status for name in ("x", "y", "z")] == [200, 200, 429]
    assert ask(client, "acme").status == 200


def test_rate_limit_buckets_survive_a_reload(lab):
    gateway, origin = limited(lab, tenant_limit(5))
    client = lab.client(gateway)
    assert [ask(client).status for _ in range(3)] == [200] * 3
    config = config_for(origin, limits=[tenant_limit(5)], **by_tenant({"shutdown": {"drain": "4s"}}))
    gateway.reload(config)
    assert [ask(client).status for _ in range(4)] == [200, 200, 429, 429]
    gateway.reload(config_for(origin))
    assert ask(client).status == 200


def test_rate_limit_of_bytes_and_cost_is_paid_afterwards(lab):
    origin = lab.serving(lambda found, connection: connection.answer(
        200, b"x" * 1000, headers={"X-Cost": "7"}))
    gateway = lab.gateway(config_for(origin, limits=[
        {"name": "bytes", "key": ["header:x-a"], "bandwidth": {"rate": "1KiB/h", "burst": 1500}},
        {"name": "cost", "key": ["header:x-b"], "cost": {"rate": HOURLY, "burst": 10},
         "cost_header": "x-cost"}]))
    client = lab.client(gateway)
    for header, other in (("X-A", "X-B"), ("X-B", "X-A")):
        statuses = [client.get("/", headers={header: "one", other: header + str(n)}).status
                    for n in range(4)]
        assert statuses == [200, 200, 429, 429], header


def test_rate_limit_over_http2(lab):
    gateway, _ = limited(lab, tenant_limit(1))
    client = lab.h2_client(gateway)
    assert client.get(headers=[("x-tenant", "acme")]).status == 200
    answer = client.get(headers=[("x-tenant", "acme")])
    assert answer.status == 429 and answer.headers.get("ratelimit").startswith('"per-tenant";r=0')


def test_rate_limit_of_grpc_is_resource_exhausted(lab):
    gateway, _ = limited(lab, tenant_limit(1))
    client = lab.h2_client(gateway)
    fields = [("x-tenant", "acme"), ("content-type", "application/grpc"), ("te", "trailers")]
    assert client.request("POST", headers=fields).status == 200
    answer = client.request("POST", headers=fields)
    assert answer.headers.get("grpc-status") == "8"
    assert "per-tenant" in answer.headers.get("grpc-message")
