# SPDX-License-Identifier: Apache-2.0
"""Upstreams: where endpoints come from, how connections are kept, what time they get, and how much
of a cluster may be in use."""
import pytest
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused
from support.waiting import eventually

NO_RETRY = {"retry": {"num_retries": 0}}


# ---- Endpoints.
def test_upstream_unix_socket(lab):
    origin = lab.origin(path=lab.path("o.sock"))
    client = lab.client(lab.relay(origin))
    client.send(request("GET", "/u"))
    _, found = origin.serve_one(200, b"unix")
    assert (found.target, client.read_response().body) == ("/u", b"unix")


def test_upstream_ipv6(lab):
    origin = lab.origin(host="::1")
    client = lab.client(lab.relay(origin))
    client.send(request())
    origin.serve_one(200, b"six")
    assert client.read_response().body == b"six"


def dns_config(name, port, **rest):
    return {"listeners": {"main": {"address": "127.0.0.1:0"}},
            "clusters": {"app": {"dns": {"name": name, "port": port}, **rest}},
            "routes": [{"name": "all", "target": {"cluster": "app"}, **NO_RETRY}]}


def test_upstream_dns_name(lab):
    origin = lab.serving()
    client = lab.client(lab.gateway(dns_config("localhost", origin.port)))
    assert client.get().body == b"ok"


def test_upstream_dns_name_that_does_not_resolve_is_503(lab):
    client = lab.client(lab.gateway(dns_config("nowhere.invalid", 80)))
    assert_refused(client.get(), "dns_failure")


def test_upstream_endpoints_file(lab):
    origin = lab.serving()
    path = lab.path("endpoints.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"- {{address: '{origin.address}'}}\n")
    config = config_for(origin)
    config["clusters"]["app"] = {"endpoints_file": path}
    assert lab.client(lab.gateway(config)).get().body == b"ok"


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_upstream_cluster_that_is_not_ready_is_503(lab, state):
    origin = lab.origin()
    client = lab.client(lab.relay(origin, cluster={"state": state}))
    assert_refused(client.get(), "no_endpoint")
    assert not origin.connections


# ---- Pools.
def test_pool_connection_is_reused_by_other_clients(lab):
    origin = lab.origin()
    gateway = lab.relay(origin)
    connection = None
    for n in range(3):
        client = lab.client(gateway)
        client.send(request("GET", f"/{n}"))
        connection = connection or origin.accept()
        connection.expect("GET", f"/{n}")
        connection.answer()
        client.read_response()
    assert len(origin.connections) == 1
    assert [line["upstream_reused"] for line in gateway.log(3)] == [False, True, True]


def test_pool_idle_connection_is_closed_after_idle_timeout(lab):
    client, origin, _ = lab.pair(cluster={"pool": {"idle_timeout": "200ms"}})
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    connection.expect_end()


def test_pool_max_requests_closes_the_connection(lab):
    client, origin, _ = lab.pair(cluster={"pool": {"max_requests": 2}})
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    client.send(request())
    connection.expect()
    connection.answer()
    client.read_response()
    connection.expect_end()


def test_pool_max_idle_0_keeps_none(lab):
    client, origin, _ = lab.pair(cluster={"pool": {"max_idle": 0}})
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    connection.expect_end()


def test_pool_max_idle_keeps_that_many(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, cluster={"pool": {"max_idle": 1}})
    clients = [lab.client(gateway) for _ in range(3)]
    connections = []
    for client in clients:
        client.send(request())
        connections.append(origin.accept())
        connections[-1].expect()
    for client, connection in zip(clients, connections):
        connection.answer()
        client.read_response()
    ended = lambda: sum(c.has_input() for c in connections)  # noqa: E731
    eventually(lambda: ended() == 2, "two of three are closed")


def test_pool_origin_that_closes_idle_connections_fails_no_request(lab):
    """The race that a pool can lose: the origin closes while the next request is on its way."""
    client, origin, _ = lab.pair()
    for n in range(20):
        client.send(request("GET", f"/{n}"))
        connection, _ = origin.serve_one(200, str(n))
        assert client.read_response().body == str(n).encode()
        connection.close()


def test_pool_request_that_met_a_closed_connection_is_sent_on_a_new_one(lab):
    client, origin, _ = lab.pair()
    client.send(request("GET", "/1"))
    first, _ = origin.serve_one()
    client.read_response()
    client.send(request("GET", "/2"))
    first.expect("GET", "/2")
    first.close()
    origin.serve_one(200, b"second try")
    assert client.read_response().body == b"second try"


def test_pool_connection_that_says_close_is_not_reused(lab):
    client, origin, _ = lab.pair()
    client.send(request("GET", "/1"))
    first, _ = origin.serve_one(headers={"Connection": "close"})
    client.read_response()
    first.expect_ended()
    client.send(request("GET", "/2"))
    origin.serve_one(200, b"2")
    assert client.read_response().body == b"2"


# ---- Time.
def test_timeout_connect_refused_is_502(lab):
    origin = lab.origin()
    origin.stop_listening()
    config = config_for("127.0.0.1:1", route=NO_RETRY)
    assert_refused(lab.client(lab.gateway(config)).get(), "connect_refused")


def test_timeout_unix_socket_that_is_not_there_is_502(lab):
    config = config_for("unix:" + lab.path("none.sock"), route=NO_RETRY)
    answer = lab.client(lab.gateway(config)).get()
    assert answer.status == 502


def test_timeout_connect_is_504(lab):
    gateway = lab.relay(lab.blackhole(), cluster={"connect_timeout": "200ms"}, route=NO_RETRY)
    assert_refused(lab.client(gateway).get(), "connect_timeout")


def test_timeout_response_is_504(lab):
    client, origin, _ = lab.pair(cluster={"response_timeout": "200ms"}, route=NO_RETRY)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    assert_refused(client.read_response(), "upstream_timeout")
    connection.expect_ended()


def test_timeout_response_does_not_count_while_the_request_is_sent(lab):
    client, origin, _ = lab.pair(cluster={"response_timeout": "200ms"})
    client.send(request("POST", headers={"Content-Length": "3"}))
    connection = origin.accept()
    connection.read_head()
    assert not client.has_input(0.5)
    client.send("abc")
    connection.read_exact(3)
    connection.answer(200, b"in time")
    assert client.read_response().body == b"in time"


def test_timeout_response_does_not_limit_the_body(lab):
    client, origin, _ = lab.pair(cluster={"response_timeout": "150ms"})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
    client.read_head()
    client.read_exact(1)
    assert not client.has_input(0.4)
    connection.send("b")
    assert client.read_exact(1) == b"b"


def test_timeout_idle_response_is_cut(lab):
    client, origin, gateway = lab.pair(cluster={"idle_timeout": "200ms"})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    client.read_head()
    client.read_exact(3)
    client.expect_ended()
    connection.expect_ended()
    assert gateway.log(1)[0]["reason"] == "upstream_idle"


def test_timeout_route_is_504_whatever_phase_it_finds(lab):
    client, origin, _ = lab.pair(route={"timeout": "200ms"})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    assert_refused(client.read_response(), "deadline_exceeded")
    connection.expect_ended()


def test_timeout_route_cuts_a_streaming_answer(lab):
    client, origin, gateway = lab.pair(route={"timeout": "300ms"})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.read_head()
    assert b"0\r\n\r\n" not in client.read_to_end_or_reset()
    assert gateway.log(1)[0]["reason"] == "deadline_exceeded"


# ---- Resource limits.
def busy(lab, limits, running=1, **changes):
    """A gateway with `running` requests in flight: (gateway, origin, clients, connections)."""
    origin = lab.origin()
    gateway = lab.relay(origin, cluster={"resource_limits": limits}, route=NO_RETRY, **changes)
    clients = [lab.client(gateway) for _ in range(running)]
    connections = []
    for client in clients:
        client.send(request())
        connections.append(origin.accept())
        connections[-1].expect()
    return gateway, origin, clients, connections


def test_resource_max_requests_is_503(lab):
    gateway, _, clients, connections = busy(lab, {"max_requests": 2}, running=2)
    assert_refused(lab.client(gateway).get(), "cluster_requests_full")
    connections[0].answer()
    assert clients[0].read_response().status == 200
    late = lab.client(gateway)
    late.send(request())
    connections[0].expect()
    connections[0].answer(200, b"room again")
    assert late.read_response().body == b"room again"


def test_resource_max_connections_lets_requests_wait(lab):
    gateway, _, clients, connections = busy(lab, {"max_connections": 1})
    waiting = lab.client(gateway)
    waiting.send(request("GET", "/waiting"))
    eventually(lambda: gateway.metric("weir_cluster_requests_pending", cluster="app") == 1,
               "one request waits")
    connections[0].answer()
    connections[0].expect("GET", "/waiting")
    connections[0].answer(200, b"at last")
    assert waiting.read_response().body == b"at last"
    assert clients[0].read_response().status == 200


def test_resource_max_pending_is_503(lab):
    gateway, _, _, _ = busy(lab, {"max_connections": 1, "max_pending": 1, "max_requests": 9})
    lab.client(gateway).send(request())
    eventually(lambda: gateway.metric("weir_cluster_requests_pending", cluster="app") == 1,
               "one request waits")
    assert_refused(lab.client(gateway).get(), "cluster_pending_full")


def test_resource_max_pending_0_never_waits(lab):
    gateway, _, _, _ = busy(lab, {"max_connections": 1, "max_pending": 0})
    answer = lab.client(gateway).get()
    assert answer.status == 503


def test_resource_client_that_leaves_while_it_waits_is_forgotten(lab):
    gateway, _, clients, connections = busy(lab, {"max_connections": 1})
    waiting = lab.client(gateway)
    waiting.send(request("GET", "/gone"))
    pending = lambda: gateway.metric("weir_cluster_requests_pending", cluster="app")  # noqa: E731
    eventually(lambda: pending() == 1, "one request waits")
    waiting.reset()
    eventually(lambda: pending() == 0, "none waits")
    connections[0].answer()
    assert clients[0].read_response().status == 200
    clients[0].send(request("GET", "/next"))
    connections[0].expect("GET", "/next")
    connections[0].answer()
    assert clients[0].read_response().status == 200


def test_resource_waiting_request_ends_with_the_routes_timeout(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, cluster={"resource_limits": {"max_connections": 1}},
                        route={"timeout": "300ms", **NO_RETRY})
    first = lab.client(gateway)
    first.send(request())
    origin.accept().expect()
    assert_refused(lab.client(gateway).get(), "deadline_exceeded")


@pytest.mark.tsan
def test_resource_limits_are_per_process_not_per_worker(lab):
    origin = lab.serving(lambda found, connection: None)
    gateway = lab.relay(origin, workers=2, cluster={"resource_limits": {"max_requests": 4}},
                        route=NO_RETRY)
    clients = [lab.client(gateway) for _ in range(12)]
    for client in clients:
        client.send(request())
    eventually(lambda: sum(c.has_input() for c in clients) == 8, "8 of 12 are refused")
    origin.wait_for(4)
    assert origin.count() == 4
    for client in clients:
        if client.has_input():
            assert_refused(client.read_response(), "cluster_requests_full")
