# SPDX-License-Identifier: Apache-2.0
"""Mirroring: a copy of a request goes to another cluster, whose answer nobody sees, and nothing that
happens to it is felt by the client."""
import signal
import threading
import time

import pytest
from support.gateway import run_cli
from support.lab import config_for, endpoints
from support.message import chunk, last_chunk, request
from support.waiting import PATIENCE, SLOWNESS, eventually

QUICK = 0.3 * SLOWNESS
TRUST = {"trusted_proxies": ["127.0.0.0/8"]}


def mirrored(app, shadow, mirror=None, shadow_cluster=None, route=None, **top):
    """The usual config, whose requests are copied to `shadow`."""
    base = config_for(app, route={"mirror": {"cluster": "shadow", **(mirror or {})},
                                  **(route or {})}, **top)
    base["clusters"]["shadow"] = {**endpoints(shadow), **(shadow_cluster or {})}
    return base


def dropped(gateway, value, reason):
    gateway.expect_metric(value, "weir_mirror_dropped_total", reason=reason)


def failed(gateway, value, **reason):
    gateway.expect_metric(value, "weir_mirror_failed_total", **reason)


def sent(gateway, value):
    gateway.expect_metric(value, "weir_mirror_requests_total")


def nothing_left(gateway):
    for name in ("weir_mirror_copies", "weir_mirror_bytes", "weir_worker_exchanges",
                 "weir_listener_exchanges", "weir_cluster_requests", "weir_endpoint_requests"):
        gateway.expect_metric(0, name)


def timed(client, *args, **rest):
    begun = time.monotonic()
    answer = client.request(*args, **rest)
    return answer, time.monotonic() - begun


# ---- What is copied.
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
    assert len(gateway.log(1)) == 1, "a copy has no line of its own"
    assert gateway.metric("weir_listener_requests_total", listener="main") == 1
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
    copies = eventually(lambda: gateway.metric("weir_mirror_requests_total"), "copies")
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


# ---- What clients feel of it: nothing.
def hangs(_, connection):
    connection.sock.settimeout(PATIENCE)
    connection.expect_ended()


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


# ---- Its budget.
def test_mirror_budget_of_copies_is_kept(lab):
    app, shadow = lab.serving(), lab.serving(hangs)
    gateway = lab.gateway(mirrored(app, shadow, mirroring={"max_concurrent": 3}, workers=2))
    clients = [lab.client(gateway) for _ in range(10)]
    for client in clients:
        answer, took = timed(client)
        assert answer.status == 200 and took < QUICK
    dropped(gateway, 7, "concurrency")
    shadow.wait_for(3)
    assert gateway.metric("weir_mirror_copies") == 3
    for connection in list(shadow.connections):
        connection.sock.shutdown(2)
    nothing_left(gateway)
    assert clients[0].get().status == 200
    shadow.wait_for(4)


def test_mirror_budget_of_bytes_is_kept(lab):
    app, shadow = lab.serving(), lab.serving(hangs)
    gateway = lab.gateway(mirrored(app, shadow, mirroring={"max_bytes": "100KiB"}))
    client = lab.client(gateway)
    for _ in range(5):
        assert client.request("POST", "/", body=b"x" * 40_000).status == 200
    dropped(gateway, 3, "bytes")
    assert gateway.metric("weir_mirror_bytes") == 80_000
    # Without a body there is room.
    assert client.get().status == 200
    sent(gateway, 3)


@pytest.mark.parametrize("chunked", [False, True])
def test_mirror_of_too_long_a_body_is_not_made(lab, chunked):
    app, shadow = lab.serving(), lab.serving()
    gateway = lab.gateway(mirrored(app, shadow, {"max_body": "10000B"}))
    client = lab.client(gateway)
    for size in (10_001, 3_000_000):
        if chunked:
            client.send(request("POST", "/", headers={"Transfer-Encoding": "chunked"}),
                        chunk(b"x" * size), last_chunk())
            assert client.read_response().status == 200
        else:
            assert client.request("POST", "/", body=b"x" * size).status == 200
        assert len(app.next_request().body) == size
    dropped(gateway, 2, "too_large")
    nothing_left(gateway)
    assert shadow.count() == 0
    assert client.request("POST", "/", body=b"x" * 10_000).status == 200
    assert len(shadow.next_request().body) == 10_000


def test_mirror_goes_first_when_memory_is_short(lab):
    app, shadow = lab.serving(), lab.serving(hangs)
    config = mirrored(app, shadow, memory={"budget": "2MiB"})
    held = lab.origin()
    config["clusters"]["held"] = endpoints(held)
    config["routes"].append({"name": "held", "match": {"path": {"prefix": "/held"}},
                             "target": {"cluster": "held"}, "buffer_request": True})
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    assert client.get().status == 200
    shadow.wait_for(1)
    assert gateway.metric("weir_mirror_copies") == 1
    full = lab.client(gateway)
    full.send(request("POST", "/held", headers={"Content-Length": "1600000"}), b"x")
    eventually(lambda: gateway.metric("weir_memory_stage_percent") >= 70, "memory is short")
    failed(gateway, 1, reason="memory_budget_exceeded")
    gateway.expect_metric(0, "weir_mirror_copies")
    assert client.get().status == 200
    dropped(gateway, 1, "memory")
    full.close()
    eventually(lambda: gateway.metric("weir_memory_stage_percent") == 0, "memory is back")
    assert client.get().status == 200
    shadow.wait_for(2)


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
    assert gateway.metric("weir_tenant_requests_total", tenant="acme") == 11


# ---- Reload and end.
def test_mirror_under_way_outlives_reloads(lab):
    app, shadow = lab.serving(), lab.origin()
    config = mirrored(app, shadow)
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    assert client.request("POST", "/a", body=b"1" * 1000).status == 200
    connection = shadow.accept()
    assert len(connection.read_request().body) == 1000
    without = config_for(app)
    assert gateway.reload(without)[0] == 0
    assert client.get("/b").status == 200
    connection.answer(200, b"late")
    nothing_left(gateway)
    failed(gateway, 0)
    assert gateway.reload(config)[0] == 0
    assert client.get("/c").status == 200
    assert shadow.accept().read_request().target == "/c"


@pytest.mark.parametrize("kept", [True, False])
def test_mirror_whose_request_a_reload_overtakes(lab, kept):
    app, shadow, other = lab.serving(), lab.serving(), lab.serving()
    config = mirrored(app, shadow)
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    client.send(request("POST", "/", headers={"Content-Length": "4"}), b"ab")
    gateway.expect_metric(1, "weir_mirror_copies")
    # All places move, and maybe the cluster goes.
    after = config_for(app)
    after["clusters"] = {"first": endpoints(other), **after["clusters"]}
    if kept:
        after["clusters"]["shadow"] = config["clusters"]["shadow"]
    assert gateway.reload(after)[0] == 0
    client.send(b"cd")
    assert client.read_response().status == 200
    if kept:
        assert shadow.next_request().body == b"abcd"
        failed(gateway, 0)
    else:
        failed(gateway, 1, reason="no_endpoint")
    assert other.count() == 0
    nothing_left(gateway)


def test_mirror_under_way_outlives_its_listener(lab):
    app, shadow = lab.serving(), lab.origin()
    config = mirrored(app, shadow)
    config["listeners"]["second"] = {"address": "127.0.0.1:0"}
    gateway = lab.gateway(config)
    client = lab.client(gateway, "second")
    assert client.get().status == 200
    connection = shadow.accept()
    connection.read_request()
    del config["listeners"]["second"]
    assert gateway.reload(config)[0] == 0
    client.expect_ended()
    assert gateway.metric("weir_mirror_copies") == 1
    connection.answer()
    gateway.expect_metric(0, "weir_mirror_copies")
    failed(gateway, 0)


def test_mirror_is_drained_with_the_gateway(lab):
    app, shadow = lab.serving(), lab.origin()
    gateway = lab.gateway(mirrored(app, shadow, {"timeout": "30s"}))
    assert lab.client(gateway).get().status == 200
    connection = shadow.accept()
    connection.read_request()
    gateway.signal(signal.SIGTERM)
    time.sleep(0.2)
    connection.answer(200, b"still taken")
    gateway.check_end()


def test_mirror_does_not_hold_the_end_up_beyond_the_drain(lab):
    app, shadow = lab.serving(), lab.serving(hangs)
    gateway = lab.gateway(mirrored(app, shadow, {"timeout": "60s"}, shutdown={"drain": "500ms"},
                                   workers=2))
    for _ in range(4):
        assert lab.client(gateway).get().status == 200
    shadow.wait_for(4)
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    gateway.check_end()
    assert time.monotonic() - begun < 3 * SLOWNESS


# ---- Many at once.
@pytest.mark.tsan
def test_mirror_under_load_with_reloads_leaves_nothing(lab):
    def shaky(found, connection):
        turn = shadow.count() % 7
        if turn == 0:
            return connection.close()
        if turn == 1:
            time.sleep(0.02)
        return connection.answer(503 if turn == 2 else 200, b"y" * 3000)

    app, shadow = lab.serving(), lab.serving(shaky)
    config = mirrored(app, shadow, {"timeout": "200ms", "sample": "70%"}, workers=2,
                      mirroring={"max_concurrent": 8, "max_bytes": "20KiB"})
    gateway = lab.gateway(config)
    faults = []

    def walk(worker):
        client = gateway.client()
        for number in range(60):
            body = b"b" * (number * 97 % 5000) if number % 2 else None
            answer = client.request("POST" if body else "GET", f"/{worker}/{number}", body=body)
            if (answer.status, answer.body) != (200, b"ok"):
                faults.append(answer)
        client.close()

    threads = [threading.Thread(target=walk, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(5):
        changed = {**config, "routes": [{**config["routes"][0], "name": f"all-{turn}"}]}
        assert gateway.reload(changed)[0] == 0
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
    assert gateway.metric("weir_mirror_requests_total") > 50
    nothing_left(gateway)


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
