# SPDX-License-Identifier: Apache-2.0
"""Success and latency by tenant and by function: the busiest by name, everybody else as one."""
import pytest
from support.lab import config_for
from support.waiting import eventually

IDENTITY = {"tenant": [{"header": "x-tenant"}], "function": [{"path_regex": "^/f/([^/]+)"}]}
TENANTS = {"classes": {"gold": {}}, "members": {"acme": "gold", "globex": "gold"}}


def counted(lab, **top):
    origin = lab.serving()
    config = config_for(origin, identity=IDENTITY, tenants=TENANTS,
                        trusted_proxies=["127.0.0.0/8"], **top)
    gateway = lab.gateway(config)
    return gateway, origin, config


def page(gateway):
    return gateway.admin("/metrics", tcp=True).body.decode()


def ask(lab, gateway, tenant, path="/f/resize"):
    return lab.client(gateway).get(path, headers={"X-Tenant": tenant}).status


def test_tenant_metrics_say_how_requests_ended_and_how_long_they_took(lab):
    limit = {"name": "few", "key": ["tenant"], "requests": {"rate": "1/h", "burst": 2}}
    gateway, _, _ = counted(lab, limits=[limit])
    assert [ask(lab, gateway, "acme") for _ in range(4)] == [200, 200, 429, 429]
    assert ask(lab, gateway, "globex", "/f/pay") == 200
    expect = gateway.expect_metric
    expect(2, "weir_tenant_requests_total", tenant="acme", outcome="ok")
    expect(2, "weir_tenant_requests_total", tenant="acme", outcome="refused")
    expect(0, "weir_tenant_requests_total", tenant="acme", outcome="server_error")
    expect(1, "weir_tenant_requests_total", tenant="globex", outcome="ok")
    expect(2, "weir_tenant_request_duration_seconds_count", tenant="acme")
    expect(2, "weir_function_requests_total", function="resize", outcome="ok")
    expect(2, "weir_function_requests_total", function="resize", outcome="refused")
    expect(1, "weir_function_request_duration_seconds_count", function="pay")


def test_tenant_metrics_tell_the_origins_faults_from_the_clients(lab):
    origin = lab.origin()
    config = config_for(origin, identity=IDENTITY, tenants=TENANTS,
                        trusted_proxies=["127.0.0.0/8"])
    gateway = lab.gateway(config)
    for status in (404, 500):
        client = lab.client(gateway)
        client.send("GET /f/x HTTP/1.1\r\nHost: a\r\nX-Tenant: acme\r\n\r\n")
        origin.serve_one(status, headers=[("Connection", "close")])
        assert client.read_response().status == status
    gateway.expect_metric(1, "weir_tenant_requests_total", tenant="acme", outcome="client_error")
    gateway.expect_metric(1, "weir_tenant_requests_total", tenant="acme", outcome="server_error")


def test_tenant_metrics_of_strangers_are_one(lab):
    gateway, _, _ = counted(lab)
    assert [ask(lab, gateway, f"stranger-{n}") for n in range(5)] == [200] * 5
    gateway.expect_metric(5, "weir_tenant_requests_total", tenant="unknown", outcome="ok")


@pytest.mark.parametrize("workers", [1, 2])
def test_tenant_metrics_are_bounded_whatever_names_come(lab, workers):
    gateway, _, _ = counted(lab, workers=workers)
    client = lab.client(gateway)
    for n in range(120):
        assert client.get(f"/f/{n}", headers={"X-Tenant": "acme"}).status == 200

    def series():
        return [line for line in page(gateway).splitlines()
                if line.startswith("weir_function_requests_total{") and 'outcome="ok"' in line]
    # A request is counted when its answer is out.
    eventually(lambda: sum(float(line.split()[-1]) for line in series()) == 120, "all are counted")
    assert len(series()) == 51


def test_tenant_metrics_survive_a_reload_and_end_with_identity(lab):
    gateway, _, config = counted(lab)
    assert ask(lab, gateway, "acme") == 200
    gateway.expect_metric(1, "weir_tenant_requests_total", tenant="acme", outcome="ok")
    gateway.reload(config | {"shutdown": {"drain": "1s"}})
    assert ask(lab, gateway, "acme") == 200
    gateway.expect_metric(2, "weir_tenant_requests_total", tenant="acme", outcome="ok")
    without = {key: value for key, value in config.items() if key not in ("identity", "tenants")}
    gateway.reload(without)
    assert ask(lab, gateway, "acme") == 200
    assert "weir_tenant_requests_total" not in page(gateway)


def test_function_memory_says_who_holds_it_now(lab):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, identity=IDENTITY, tenants=TENANTS,
                                     trusted_proxies=["127.0.0.0/8"]))
    client = lab.client(gateway)
    client.send("POST /f/resize HTTP/1.1\r\nHost: a\r\nX-Tenant: acme\r\nContent-Length: 60000\r\n\r\nx")

    def held(function):
        return gateway.metric("weir_function_memory_bytes", function=function)
    # The head, and what the rest of the body may take.
    eventually(lambda: held("resize") > 60000, "it is charged while it is under way")
    assert held("resize") <= gateway.metric("weir_memory_accounted_bytes") + 60000
    assert held("other") == 0
    client.send("x" * 59999)
    connection = origin.accept()
    connection.expect()
    connection.answer(200)
    assert client.read_response().status == 200
    eventually(lambda: held("resize") == 0, "it is given back")
