# SPDX-License-Identifier: Apache-2.0
"""What copies of requests may take, what ends them, and that nothing is left of them."""
import signal
import threading
import time

import pytest
from support.lab import config_for, endpoints
from support.message import chunk, last_chunk, request
from support.mirrors import QUICK, dropped, failed, hangs, mirrored, nothing_left, sent, timed
from support.waiting import SLOWNESS, eventually


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
