# SPDX-License-Identifier: Apache-2.0
"""Concurrency: places that are held exactly as long as an exchange lives, whatever ends it, and the
queue for them."""
import statistics
import time

import pytest
from support.lab import config_for
from support.message import request
from support.waiting import SLOWNESS, eventually


def limited(lab, concurrency, **top):
    """(origin, gateway): one bucket a tenant, whom anybody may name."""
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, limits=[
        {"name": "places", "key": ["tenant"], "concurrency": concurrency}], **{
            "identity": {"tenant": [{"header": "x-tenant"}]}, "tenants": {"open": True},
            "trusted_proxies": ["127.0.0.0/8"], **top}))
    return origin, gateway


def begin(lab, gateway, target="/", tenant="acme", **rest):
    client = lab.client(gateway)
    client.send(request("GET", target, headers={"X-Tenant": tenant}, **rest))
    return client


def decisions(gateway, result):
    return gateway.metric("weir_limit_decisions_total", limit="places", result=result)


QUEUE = {"max": 1, "queue": {"max_requests": 4, "max_wait": "5s"}}


@pytest.mark.parametrize("workers", [1, 2])
def test_concurrency_limit_is_exact(lab, workers):
    origin, gateway = limited(lab, {"max": 3}, workers=workers)
    clients = [begin(lab, gateway) for _ in range(3)]
    held = [origin.accept() for _ in range(3)]
    for connection in held:
        connection.expect("GET", "/")
    for _ in range(8):
        answer = begin(lab, gateway).read_response()
        assert answer.status == 429 and answer.headers.get("ratelimit-policy") == '"places";q=3'
        assert b"concurrency_limited: limit places by tenant" in answer.body
    other = begin(lab, gateway, tenant="other")
    found = origin.accept()
    found.expect()
    found.answer(headers={"Connection": "close"})
    assert other.read_response().status == 200
    for connection in held:
        connection.answer(headers={"Connection": "close"})
    assert all(client.read_response().status == 200 for client in clients)
    gateway.log(12)
    again = begin(lab, gateway)
    found = origin.accept()
    found.expect()
    found.answer()
    assert again.read_response().status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_concurrency_queue_serves_when_a_place_comes_free(lab, workers):
    origin, gateway = limited(lab, QUEUE, workers=workers)
    first = begin(lab, gateway, "/first")
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = begin(lab, gateway, "/second")
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    connection.answer(headers={"Connection": "close"})
    assert first.read_response().status == 200
    again = origin.accept()
    again.expect("GET", "/second")
    again.answer()
    assert second.read_response().status == 200
    assert decisions(gateway, "passed") == 2


def test_concurrency_queue_holds_a_body_back(lab):
    origin, gateway = limited(lab, QUEUE)
    first = begin(lab, gateway, "/first")
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = lab.client(gateway)
    second.send(request("POST", "/second", headers={"X-Tenant": "acme"}, body=b"x" * 200_000))
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    connection.answer(headers={"Connection": "close"})
    assert first.read_response().status == 200
    again = origin.accept()
    assert again.expect("POST", "/second").body == b"x" * 200_000
    again.answer()
    assert second.read_response().status == 200


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_concurrency_queue_then_takes_the_body_that_a_route_buffers(lab, protocol):
    """The body comes only after the place: what was paused while it waited has to go on."""
    origin, gateway = limited(lab, QUEUE, routes=[
        {"name": "all", "target": {"cluster": "app"}, "buffer_request": True}])
    first = begin(lab, gateway, "/first")
    connection = origin.accept()
    connection.expect("GET", "/first")
    headers = {"x-tenant": "acme", "content-length": "300000"}
    if protocol == "http1":
        second = lab.client(gateway)
        second.send(request("POST", "/second", headers=headers))
    else:
        second = lab.h2_client(gateway)
        stream = second.open("POST", "/second", headers=headers, end=False)
        second.settle(0.1)
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    connection.answer(headers={"Connection": "close"})
    assert first.read_response().status == 200
    eventually(lambda: decisions(gateway, "passed") == 2, "it has its place")
    if protocol == "http1":
        second.send(b"x" * 300_000)
    else:
        second.send_data(stream, b"x" * 300_000, end=True)
    again = origin.accept()
    assert again.expect("POST", "/second").body == b"x" * 300_000
    again.answer()
    answer = second.read_response(*(() if protocol == "http1" else (stream,)))
    assert answer.status == 200


def test_concurrency_queue_is_bounded(lab):
    origin, gateway = limited(lab, {"max": 1, "queue": {"max_requests": 1, "max_wait": "5s"}})
    begin(lab, gateway)
    origin.accept().expect()
    begin(lab, gateway)
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    answer = begin(lab, gateway).read_response()
    assert answer.status == 429 and b"queue_full: limit places by tenant, " in answer.body
    assert int(answer.headers.get("retry-after")) >= 1


def test_concurrency_queue_wait_ends(lab):
    origin, gateway = limited(lab, {"max": 1, "queue": {"max_requests": 4, "max_wait": "50ms"}})
    begin(lab, gateway)
    origin.accept().expect()
    answer = begin(lab, gateway).read_response()
    assert answer.status == 429 and b"queue_timeout: limit places by tenant" in answer.body
    gateway.expect_metric(1, "weir_limit_decisions_total", limit="places", result="refused_wait")


def test_concurrency_a_client_that_leaves_the_queue_takes_no_place(lab):
    origin, gateway = limited(lab, QUEUE)
    first = begin(lab, gateway, "/first")
    connection = origin.accept()
    connection.expect("GET", "/first")
    gone = begin(lab, gateway, "/gone")
    eventually(lambda: decisions(gateway, "waited") == 1, "one waits")
    last = begin(lab, gateway, "/last")
    eventually(lambda: decisions(gateway, "waited") == 2, "two wait")
    gone.reset()
    assert gateway.log(1)[0]["status"] == 499
    connection.answer(headers={"Connection": "close"})
    assert first.read_response().status == 200
    again = origin.accept()
    again.expect("GET", "/last")
    again.answer()
    assert last.read_response().status == 200


def test_concurrency_a_client_that_leaves_gives_its_place_back(lab):
    origin, gateway = limited(lab, QUEUE)
    first = begin(lab, gateway, "/first")
    origin.accept().expect("GET", "/first")
    second = begin(lab, gateway, "/second")
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    first.reset()
    again = origin.accept()
    again.expect("GET", "/second")
    again.answer()
    assert second.read_response().status == 200


def test_concurrency_a_reload_finds_who_waits_its_route_again(lab):
    origin, gateway = limited(lab, QUEUE)
    first = begin(lab, gateway, "/first")
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = begin(lab, gateway, "/second")
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    elsewhere = lab.origin()
    gateway.reload(config_for(elsewhere))
    connection.answer()
    assert first.read_response().status == 200
    found = elsewhere.accept()
    assert found.expect("GET", "/second").headers.get("x-weir-tenant") == "acme"
    found.answer()
    assert second.read_response().status == 200


def test_concurrency_queue_over_http2(lab):
    origin, gateway = limited(lab, QUEUE)
    client = lab.h2_client(gateway)
    fields = [("x-tenant", "acme")]
    first = client.open(path="/first", headers=fields)
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = client.open(path="/second", headers=fields)
    eventually(lambda: decisions(gateway, "waited") == 1, "the second waits")
    connection.answer(headers={"Connection": "close"})
    assert client.read_response(first).status == 200
    again = origin.accept()
    again.expect("GET", "/second")
    again.answer()
    assert client.read_response(second).status == 200


def test_concurrency_queue_is_fair_among_tenants(lab):
    """One tenant has thirty requests waiting for the node; another's single one is not the last."""
    origin = lab.origin()
    gateway = lab.gateway(config_for(
        origin, limits=[{"name": "places", "concurrency": {
            "max": 1, "queue": {"max_requests": 64, "max_bytes": "64MiB", "max_wait": "20s"}}}],
        identity={"tenant": [{"header": "x-tenant"}]}, tenants={"open": True},
        trusted_proxies=["127.0.0.0/8"]))
    clients = [begin(lab, gateway, "/first")]
    connection = origin.accept()
    connection.expect("GET", "/first")
    clients += [begin(lab, gateway, "/storm", "storm") for _ in range(30)]
    eventually(lambda: decisions(gateway, "waited") == 30, "the storm waits")
    clients.append(begin(lab, gateway, "/quiet", "quiet"))
    eventually(lambda: decisions(gateway, "waited") == 31, "all wait")
    order = []
    for _ in range(31):
        connection.answer(headers={"Connection": "close"})
        connection = origin.accept()
        order.append(connection.expect("GET").target)
    connection.answer()
    assert order.index("/quiet") <= 3
    assert all(client.read_response().status == 200 for client in clients)


def one_on_each_worker(lab, origin, gateway):
    """(a client, its connection at the origin), by worker; both have been used."""
    found = {}

    def mine(worker):
        return gateway.metric("weir_worker_downstream_connections", worker=str(worker))
    for _ in range(100):
        before = mine(0), mine(1)
        client = lab.client(gateway)
        eventually(lambda: (mine(0), mine(1)) != before, "it is taken")
        worker = int(mine(1) > before[1])
        if worker not in found:
            client.send(request("GET", "/", headers={"X-Tenant": "acme"}))
            connection = origin.accept()
            connection.expect()
            connection.answer()
            assert client.read_response().status == 200
            found[worker] = (client, connection)
        if len(found) == 2:
            return found
    raise AssertionError("all connections went to one worker")


def test_concurrency_place_freed_on_one_worker_reaches_a_waiter_on_the_other(lab):
    """From the origin's answer on the one to the next request at the origin from the other. The
    target is 1 ms; the bound is one that a busy machine keeps, and that no timer would."""
    origin, gateway = limited(lab, QUEUE, workers=2)
    each = one_on_each_worker(lab, origin, gateway)
    one = request("GET", "/", headers={"X-Tenant": "acme"})
    each[0][0].send(one)
    each[0][1].expect()
    # A client may have asked before the answer to the one before it had given its place back.
    before = decisions(gateway, "waited")
    took = []
    for n in range(20):
        holder, waiter = each[n % 2], each[1 - n % 2]
        waiter[0].send(one)
        eventually(lambda: decisions(gateway, "waited") == before + n + 1, "it waits")
        begun = time.perf_counter()
        holder[1].answer()
        waiter[1].expect()
        took.append(time.perf_counter() - begun)
        assert holder[0].read_response().status == 200
    median = statistics.median(took) * 1000
    print(f"median {median:.3f} ms, least {min(took) * 1000:.3f}, most {max(took) * 1000:.3f}")
    assert median < 20 * SLOWNESS, took
    each[0][1].answer()
    assert each[0][0].read_response().status == 200
