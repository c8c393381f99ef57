# SPDX-License-Identifier: Apache-2.0
"""Identity: who a request belongs to, what upstreams are told of it, and whom weir does not believe."""
import pytest
from support.lab import config_for

LOCAL = ["127.0.0.0/8"]
HEADER = {"tenant": [{"header": "x-tenant-id"}], "function": [{"path_regex": "^/functions/([^/]+)"}]}


def identified(lab, identity, **top):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, identity=identity, **top))
    return lab.client(gateway), origin, gateway


def test_identity_of_a_trusted_peer_is_told_upstream_and_logged(lab):
    client, origin, gateway = identified(
        lab, HEADER, trusted_proxies=LOCAL, tenants={"classes": {"gold": {}},
                                                     "members": {"acme": "gold"}})
    assert client.get("/functions/resize", headers={"X-Tenant-Id": "acme"}).status == 200
    found = origin.next_request()
    assert found.headers.get("x-weir-tenant") == "acme"
    assert found.headers.get("x-weir-function") == "resize"
    line = gateway.log(1)[0]
    assert (line["tenant"], line["function"], line["class"]) == ("acme", "resize", "gold")


def test_identity_headers_of_strangers_are_neither_believed_nor_passed_on(lab):
    client, origin, gateway = identified(lab, HEADER)
    stolen = {"X-Tenant-Id": "acme", "X-Weir-Tenant": "acme", "X-Weir-Function": "pay"}
    assert client.get("/other", headers=stolen).status == 200
    found = origin.next_request()
    for name in stolen:
        assert name not in found.headers
    assert gateway.log(1)[0]["tenant"] == "unknown"
    gateway.expect_metric(1, "weir_identity_missing_total", part="tenant")
    gateway.expect_metric(1, "weir_identity_missing_total", part="function")


@pytest.mark.parametrize("rule, name", [
    ({"host_regex": r"^([a-z0-9-]+)\.example\.com$"}, "acme"),
    ({"value": "anonymous"}, "anonymous"),
    ({"route": True}, "all"),
])
def test_identity_by_rule(lab, rule, name):
    client, origin, _ = identified(lab, {"tenant": [rule]})
    assert client.get("/", host="acme.example.com").status == 200
    assert origin.next_request().headers.get("x-weir-tenant") == name


def test_identity_forward_names_are_the_configs(lab):
    client, origin, _ = identified(
        lab, {"tenant": [{"value": "acme"}], "forward": {"tenant": "x-who", "function": None}})
    assert client.get("/").status == 200
    found = origin.next_request()
    assert found.headers.get("x-who") == "acme" and "x-weir-tenant" not in found.headers


def test_identity_too_long_is_refused(lab):
    client, _, gateway = identified(lab, HEADER, trusted_proxies=LOCAL)
    answer = client.get("/", headers={"X-Tenant-Id": "a" * 257})
    assert answer.status == 400 and b"bad_identity" in answer.body
    gateway.expect_metric(1, "weir_proxy_failures_total", reason="bad_identity")


def test_identity_is_absent_without_its_keys(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin))
    assert lab.client(gateway).get("/", headers={"X-Weir-Tenant": "acme"}).status == 200
    assert "tenant" not in gateway.log(1)[0]


def priority_of(line):
    return line.get("priority")


PRIORITISED = {"tenant": [{"header": "x-tenant-id"}], "priority": [{"header": "x-priority"}],
               "forward": {"priority": "x-weir-priority"}}
CLASSES = {"classes": {"gold": {"priority": 1}, "plain": {}}, "members": {"acme": "gold", "ini": "plain"}}


@pytest.mark.parametrize("headers, expected", [
    ({"X-Priority": "0", "X-Tenant-Id": "acme"}, 0),      # the rules of identity first
    ({"X-Tenant-Id": "acme"}, 1),                         # then the class
    ({"X-Priority": "9", "X-Tenant-Id": "acme"}, 1),      # what is no priority says nothing
    ({"X-Tenant-Id": "ini"}, 4),                          # then the route
])
def test_priority_by_identity_then_class_then_route(lab, headers, expected):
    origin = lab.serving()
    config = config_for(origin, identity=PRIORITISED, tenants=CLASSES, trusted_proxies=LOCAL)
    config["routes"][0]["shed_priority"] = 4
    gateway = lab.gateway(config)
    assert lab.client(gateway).get("/", headers=headers).status == 200
    assert origin.next_request().headers.get("x-weir-priority") == str(expected)
    assert priority_of(gateway.log(1)[0]) == expected
    gateway.expect_metric(1, "weir_proxy_requests_by_priority_total", priority=str(expected))


def test_priority_is_3_where_nobody_says_one(lab):
    client, _, gateway = identified(lab, HEADER)
    assert client.get("/").status == 200
    assert priority_of(gateway.log(1)[0]) == 3


def test_priority_of_strangers_is_neither_believed_nor_passed_on(lab):
    client, origin, gateway = identified(lab, PRIORITISED)
    assert client.get("/", headers={"X-Priority": "0", "X-Weir-Priority": "0"}).status == 200
    found = origin.next_request().headers
    assert "x-priority" not in found and found.get("x-weir-priority") == "3"
    assert priority_of(gateway.log(1)[0]) == 3


def test_priority_of_a_route_needs_no_identity(lab):
    origin = lab.serving()
    config = config_for(origin)
    config["routes"][0]["shed_priority"] = 0
    gateway = lab.gateway(config)
    assert lab.client(gateway).get("/").status == 200
    line = gateway.log(1)[0]
    assert priority_of(line) == 0 and "tenant" not in line
