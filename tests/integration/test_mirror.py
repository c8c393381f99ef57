# SPDX-License-Identifier: Apache-2.0
"""Mirroring: a copy of a request goes to another cluster, whose answer nobody sees, and nothing that
happens to it is felt by the client."""
import threading
import time

import pytest
from support.gateway import run_cli
from support.lab import endpoints
from support.message import chunk, last_chunk, request
from support.mirrors import QUICK, dropped, failed, hangs, mirrored, nothing_left, sent, timed
from support.waiting import SLOWNESS, eventually

TRUST = {"trusted_proxies": ["127.0.0.0/8"]}


# ---- What is copied.
def test_mirror_never_gets_a_part_as_the_whole(lab):
    """The end of a request that weir has refused comes with its last bytes."""
    app, shadow = lab.serving(), lab.serving()
    config = mirrored(app, shadow, route={"limits": {"max_request_bytes": "10KiB"}})
    gateway = lab.gateway(config)
    for number in range(3):
        client = lab.client(gateway)
        # With a connection at hand the copy begins before the body has come.
        assert client.get().status == 200
        sent(gateway, number + 1)
        client.send(request("POST", chunks=[b"x" * 4096] * 3))
        assert client.read_response().status == 413
    dropped(gateway, 3, "incomplete")
    nothing_left(gateway)
    assert shadow.count() == 3


@pytest.mark.parametrize("method,body", [("GET", None), ("POST", b"x" * 5000), ("PUT", b""),
                                         ("DELETE", None), ("PATCH", b"p" * 65536)])
def test_mirror_gets_the_request_as_it_is(lab, method, body):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow))
    answer = lab.client(gateway).request(method, "/a/b?c=d", body=body,
                                         headers={"X-One": "1", "Cookie": "k=v"})
    assert (answer.status, answer.body) == (200, b"ok")
    found, copy = app.next_request(), shadow.next_request()
    assert (copy.method, copy.target, copy.body) == (method, "/a/b?c=d", body or b"")
    headers = [pair for pair in copy.headers.pairs if pair[0].lower() != "x-weir-mirror"]
    assert headers == found.headers.pairs
    assert copy.header("x-weir-mirror") == "1" and found.header("x-weir-mirror") is None
    sent(gateway, 1)
    failed(gateway, 0)
    nothing_left(gateway)
    gateway.expect_metric(1, "weir_listener_requests_total", listener="main")
    assert len(gateway.log(1)) == 1, "a copy has no line of its own"
    assert gateway.metric("weir_cluster_requests_total", cluster="shadow") == 1


def test_mirror_gets_what_the_route_makes_of_the_request(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, route={
        "rewrite": {"prefix": "/new", "host": "inner.test"}, "match": {"path": {"prefix": "/old"}},
        "headers": {"request": {"set": {"x-set": "2"}, "remove": ["x-one"]}}}))
    lab.client(gateway).get("/old/a", headers={"X-One": "1"})
    copy = shadow.next_request()
    assert (copy.target, copy.header("host"), copy.header("x-set"), copy.header("x-one")) == (
        "/new/a", "inner.test", "2", None)


def test_mirror_names_its_own_endpoint_where_the_host_is_the_clusters(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, route={"rewrite": {"host": "cluster"}}))
    lab.client(gateway).get("/")
    assert app.next_request().header("host") == app.address
    assert shadow.next_request().header("host") == shadow.address


def test_mirror_of_a_chunked_body_is_the_same_body(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow))
    client = lab.client(gateway)
    client.send(request("POST", "/", headers={"Transfer-Encoding": "chunked"}))
    pieces = [bytes([65 + n]) * (n * 700 + 1) for n in range(12)]
    for piece in pieces:
        client.send(chunk(piece))
        time.sleep(0.002)
    assert shadow.count() == 0, "it is sent when it is whole"
    client.send(last_chunk())
    assert client.read_response().status == 200
    assert shadow.next_request().body == b"".join(pieces) == app.next_request().body
    nothing_left(gateway)


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_mirror_of_a_body_in_pieces(lab, buffered, late):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, route={"buffer_request": buffered}))
    client = lab.client(gateway)
    body = bytes(range(256)) * 100
    client.send(request("POST", "/", headers={"Content-Length": str(len(body))}))
    for at in range(0, len(body), 5000):
        client.send(body[at:at + 5000])
        if late:
            time.sleep(0.005)
    assert client.read_response().status == 200
    assert shadow.next_request().body == body == app.next_request().body
    nothing_left(gateway)


def test_mirror_takes_a_sample(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, {"sample": "20%"}))
    client = lab.client(gateway)
    for number in range(500):
        assert client.get(f"/{number}").status == 200
    nothing_left(gateway)
    copies = gateway.metric("weir_mirror_requests_total")
    assert 50 < copies < 160
    shadow.wait_for(copies)


def test_mirror_of_none_is_no_copy(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, {"sample": "0%"}))
    client = lab.client(gateway)
    for _ in range(50):
        client.get()
    sent(gateway, 0)
    assert shadow.count() == 0


def test_mirror_passes_by_what_weir_refuses(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, route={"limits": {"max_request_bytes": "10B"}}))
    assert lab.client(gateway).request("POST", "/", body=b"x" * 11).status == 413
    nothing_left(gateway)
    assert shadow.count() == 0


def test_mirror_is_not_sent_twice_when_the_request_is_tried_again(lab):
    answers = iter([503, 503, 200])
    app = lab.serving(lambda found, connection: connection.answer(next(answers)))
    shadow = lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, route={"retry": {"num_retries": 2}}))
    assert lab.client(gateway).get().status == 200
    assert app.count() == 3
    sent(gateway, 1)
    shadow.wait_for(1)
    assert shadow.next_request().header("x-weir-attempt") is None


def test_mirror_is_sent_once_where_the_request_is_hedged_or_goes_elsewhere(lab):
    late = threading.Event()
    slow = lab.serving(lambda found, connection: (late.wait(1), connection.answer(200, b"late")))
    quick, shadow = lab.serving(), lab.serving()
    config = mirrored(slow, shadow, route={"hedge": {"after": "20ms"}})
    config["clusters"]["app"] = {**endpoints(slow, quick),
                                 "load_balancing": {"policy": "round_robin"}}
    config["clusters"]["dead"] = endpoints("127.0.0.1:1")
    config["failover_groups"] = {"any": {"members": [
        {"cluster": "dead", "capacity": 100},
        {"cluster": "app", "priority": 1, "capacity": 100}]}}
    config["routes"].append({"name": "group", "match": {"path": {"prefix": "/group"}},
                             "target": {"failover_group": "any"},
                             "mirror": {"cluster": "shadow"}})
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    for number in range(4):
        assert client.get(f"/{number}").status == 200
    eventually(lambda: gateway.metric("weir_cluster_hedges_total", cluster="app"), "a hedge")
    assert client.request("POST", "/group", body=b"b" * 300).status == 200
    late.set()
    sent(gateway, 5)
    shadow.wait_for(5)
    assert sorted(copy.target for copy in shadow.seen) == ["/0", "/1", "/2", "/3", "/group"]
    assert shadow.seen[-1].body == b"b" * 300
    nothing_left(gateway)


def test_mirror_is_never_tried_again(lab):
    shadow = lab.serving(lambda found, connection: connection.answer(503))
    gateway = lab.gateway(mirrored(lab.serving(), shadow))
    assert lab.client(gateway).get().status == 200
    gateway.expect_metric(1, "weir_cluster_responses_total", cluster="shadow", **{"class": "5xx"})
    nothing_left(gateway)
    assert shadow.count() == 1


def test_mirror_of_http2_clients_and_to_http2_origins(lab):
    app, shadow = lab.serving(), lab.h2_serving()
    gateway = lab.gateway(mirrored(app, shadow, shadow_cluster={"protocol": "http2"}))
    client = lab.h2_client(gateway)
    for number in range(5):
        body = b"%d" % number * 3000
        assert client.request("POST", f"/{number}", body=body).status == 200
        copy = shadow.next_request()
        assert (copy.target, copy.body) == (f"/{number}", body)
        assert copy.header("x-weir-mirror") == "1"
    sent(gateway, 5)
    failed(gateway, 0)
    nothing_left(gateway)


def test_mirror_of_grpc_calls(lab):
    def serve(found, connection):
        connection.answer(found.stream, 200, b"\0\0\0\0\2ok",
                          headers=[("content-type", "application/grpc")],
                          trailers=[("grpc-status", "0")])

    app, shadow = lab.h2_serving(serve), lab.h2_serving(serve)
    gateway = lab.gateway(mirrored(app, shadow, shadow_cluster={"protocol": "http2"},
                                   cluster={"protocol": "http2"}))
    client = lab.h2_client(gateway)
    call = b"\0\0\0\0\5hello"
    answer = client.request("POST", "/test.Echo/Unary", body=call, headers=[
        ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "5S")])
    assert (answer.status, answer.body) == (200, b"\0\0\0\0\2ok")
    copy = shadow.next_request()
    assert (copy.body, copy.header("te")) == (call, "trailers")
    assert copy.header("content-type") == "application/grpc"
    nothing_left(gateway)
    failed(gateway, 0)


# ---- What clients feel of it: nothing.
def drips(_, connection):
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.send("x")
        time.sleep(0.05)


def lies(_, connection):
    connection.send("this is no answer\r\n\r\n")


def leaves(_, connection):
    connection.close()


def floods(_, connection):
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n")
    connection.send_zeros(20_000_000)


@pytest.mark.parametrize("how,why", [(hangs, "deadline_exceeded"), (drips, "deadline_exceeded"),
                                     (lies, "upstream_bad_head"), (leaves, "upstream_reset"),
                                     (floods, None)])
def test_mirror_that_misbehaves_is_felt_by_nobody(lab, how, why):
    app, shadow = lab.serving(), lab.serving(how)
    gateway = lab.gateway(mirrored(app, shadow, {"timeout": f"{SLOWNESS}s"}))
    client = lab.client(gateway)
    for number in range(5):
        answer, took = timed(client, "POST", f"/{number}", body=b"body")
        assert (answer.status, answer.body) == (200, b"ok")
        assert took < QUICK
    sent(gateway, 5)
    failed(gateway, 5 if why else 0, **({"reason": why} if why else {}))
    nothing_left(gateway)
    line = gateway.log(5)[0]
    assert (line["status"], line["attempts"]) == (200, 1)
    assert gateway.metric("weir_proxy_failures_total") == 0


def test_mirror_that_refuses_is_felt_by_nobody(lab):
    gateway = lab.gateway(mirrored(lab.serving(), "127.0.0.1:1"))
    client = lab.client(gateway)
    for _ in range(20):
        answer, took = timed(client)
        assert answer.status == 200 and took < QUICK
    failed(gateway, 20, reason="connect_refused")
    nothing_left(gateway)


def test_mirror_that_cannot_be_reached_is_felt_by_nobody(lab):
    gateway = lab.gateway(mirrored(lab.serving(), lab.blackhole(),
                                   shadow_cluster={"connect_timeout": "300ms"}))
    client = lab.client(gateway)
    for _ in range(20):
        answer, took = timed(client)
        assert answer.status == 200 and took < QUICK
    failed(gateway, 20, reason="connect_timeout")
    nothing_left(gateway)


def test_mirror_without_an_endpoint_is_felt_by_nobody(lab):
    gateway = lab.gateway(mirrored(lab.serving(), "127.0.0.1:1",
                                   shadow_cluster={"state": "drain"}))
    assert lab.client(gateway).get().status == 200
    failed(gateway, 1, reason="no_endpoint")
    nothing_left(gateway)


@pytest.mark.parametrize("limit,why", [("max_requests", "cluster_requests_full"),
                                       ("max_connections", "cluster_connections_full")])
def test_mirror_whose_cluster_is_full_is_felt_by_nobody(lab, limit, why):
    shadow = lab.serving(hangs)
    gateway = lab.gateway(mirrored(lab.serving(), shadow, {"timeout": f"{2 * SLOWNESS}s"},
                                   shadow_cluster={"resource_limits": {limit: 1},
                                                   "connect_timeout": "200ms"}))
    client = lab.client(gateway)
    for _ in range(4):
        answer, took = timed(client)
        assert answer.status == 200 and took < QUICK
    failed(gateway, 3, reason=why)
    shadow.wait_for(1)
    failed(gateway, 1, reason="deadline_exceeded")
    nothing_left(gateway)
    assert shadow.count() == 1


def test_mirror_says_nothing_to_the_breaker_of_its_cluster_and_heeds_it(lab):
    breaker = {"minimum_requests": 2, "sliding_window": "10s"}
    shadow = lab.serving(lambda found, connection: connection.answer(500))
    config = mirrored(lab.serving(), shadow, shadow_cluster={"circuit_breaker": breaker})
    config["routes"].append({"name": "own", "match": {"path": {"prefix": "/own"}},
                             "target": {"cluster": "shadow"}})
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    for _ in range(20):
        assert client.get().status == 200
    shadow.wait_for(20)
    nothing_left(gateway)
    assert client.get("/own").status == 500, "copies have not opened it"
    eventually(lambda: client.get("/own").header("proxy-status") and
               "circuit_open" in client.get("/own").header("proxy-status"), "open by its own")
    before = gateway.metric("weir_mirror_failed_total", reason="circuit_open")
    assert client.get().status == 200
    failed(gateway, before + 1, reason="circuit_open")


def test_mirror_of_a_client_that_leaves_at_once_is_sent_on(lab):
    app, shadow = lab.serving(), lab.origin()
    gateway = lab.gateway(mirrored(app, shadow))
    client = lab.client(gateway)
    assert client.get("/gone").status == 200
    client.close()
    connection = shadow.accept()
    assert connection.read_request().target == "/gone"
    gateway.expect_metric(0, "weir_listener_connections", listener="main")
    connection.answer()
    failed(gateway, 0)
    nothing_left(gateway)


def test_mirror_of_a_request_that_is_cut_off_is_not_sent(lab):
    app, shadow = lab.origin(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow))
    client = lab.client(gateway)
    client.send(request("POST", "/", headers={"Content-Length": "100"}), b"x" * 50)
    app.accept().read_until(b"x" * 50)
    client.reset()
    dropped(gateway, 1, "incomplete")
    nothing_left(gateway)
    assert shadow.count() == 0


def test_mirror_of_a_request_that_takes_long_gives_its_place_up(lab):
    app, shadow = lab.origin(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, {"timeout": "200ms"}))
    client = lab.client(gateway)
    client.send(request("POST", "/", headers={"Content-Length": "4"}), b"ab")
    connection = app.accept()
    connection.read_until(b"ab")
    dropped(gateway, 1, "incomplete")
    gateway.expect_metric(0, "weir_mirror_copies")
    client.send(b"cd")
    connection.read_until(b"cd")
    connection.answer()
    assert client.read_response().status == 200
    assert shadow.count() == 0


# ---- Through two weirs.
@pytest.mark.parametrize("trusted", [True, False])
def test_mirror_is_not_copied_again_by_the_next_weir(lab, trusted):
    app, shadow, deep = lab.serving(), lab.serving(), lab.serving()
    inner = lab.gateway(mirrored(shadow, deep, **(TRUST if trusted else {})))
    host, port = inner.address()
    outer = lab.gateway(mirrored(app, f"{host}:{port}"))
    assert lab.client(outer).get("/a").status == 200
    copy = shadow.next_request()
    if trusted:
        assert copy.header("x-weir-mirror") == "1"
        sent(inner, 0)
        assert deep.count() == 0
    else:
        assert copy.header("x-weir-mirror") is None, "a stranger's word"
        deep.wait_for(1)


def test_mirror_header_of_a_stranger_does_not_pass(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow))
    lab.client(gateway).get("/", headers={"X-Weir-Mirror": "1"})
    assert app.next_request().header("x-weir-mirror") is None
    assert shadow.next_request().headers.all("x-weir-mirror") == ["1"]


def test_mirror_of_tenants_costs_their_limits_nothing(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(
        app, shadow, identity={"tenant": [{"value": "acme"}]}, tenants={"open": True},
        limits=[{"name": "few", "key": ["tenant"], "concurrency": {"max": 1}},
                {"name": "ten", "key": ["tenant"], "requests": {"rate": "10/h", "burst": 10}}]))
    client = lab.client(gateway)
    for _ in range(10):
        assert client.get().status == 200
    assert client.get().status == 429
    shadow.wait_for(10)
    nothing_left(gateway)
    gateway.expect_metric(11, "weir_tenant_requests_total", tenant="acme")


# ---- What is said of it.
def test_mirror_is_explained(lab):
    gateway = lab.gateway(mirrored(lab.serving(), lab.serving(), {"sample": "5%"}))
    code, out, _ = run_cli("explain", "-c", gateway.file, "GET", "http://a.test/")
    assert code == 0
    assert "mirror: 5 % of them are copied to cluster shadow, with bodies up to 65536 bytes" in out


def test_mirror_is_in_dump_and_diff(lab):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow))
    assert gateway.admin_json("/config")["routes"][0]["mirror"]["cluster"] == "shadow"
    gateway.write(mirrored(app, shadow, {"sample": "1%"}, mirroring={"max_concurrent": 5}))
    out = "".join(run_cli("diff", "-c", gateway.file, "--running")[1:])
    assert "routes.all.mirror.sample" in out and "mirroring.max_concurrent" in out
