# SPDX-License-Identifier: Apache-2.0
"""Overload: a worker that stands late refuses those of low priority, in the words of their
protocol, and stops when it is over; a cluster that gets slow is given less at once."""
import socket
import threading
import time

import pytest
from support.client import connect
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused
from support.waiting import PATIENCE, eventually


class Flood:
    """Pipelines requests of one priority as fast as weir takes them, and counts what comes back."""

    def __init__(self, gateway, priority):
        self.refused = 0
        self.served = 0
        self._over = False
        one = (f"GET /direct HTTP/1.1\r\nHost: a.test\r\nX-Priority: {priority}\r\n"
               f"X-Tenant: t{priority}\r\n\r\n").encode()
        self._bytes = one * (256 * 1024 // len(one))
        self._sock = connect(gateway.address())
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        try:
            while not self._over:
                self._sock.sendall(self._bytes)
        except OSError:
            pass

    def _read(self):
        rest = b""
        try:
            while not self._over:
                got = self._sock.recv(1 << 20)
                if not got:
                    return
                rest += got
                self.refused += rest.count(b"HTTP/1.1 503")
                self.served += rest.count(b"HTTP/1.1 200")
                rest = rest[-11:] if not rest[-11:].startswith(b"HTTP/1.1 ") else b""
        except OSError:
            pass

    def close(self):
        self._over = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join(PATIENCE)
        self._sock.close()


def shedding(lab, **keys):
    origin = lab.serving()
    config = config_for(origin, trusted_proxies=["127.0.0.0/8"], access_log={"path": "off"},
                        identity={"tenant": [{"header": "x-tenant"}],
                                  "priority": [{"header": "x-priority"}]},
                        tenants={"open": True}, load_shedding=keys)
    config["routes"].insert(0, {"name": "direct", "match": {"path": {"exact": "/direct"}},
                                "target": {"direct": {"body": "x" * 64}}})
    gateway = lab.gateway(config)
    return origin, gateway


def shed(gateway, **labels):
    return gateway.metric("weir_load_shedding_requests_total", **labels)


@pytest.fixture
def overloaded(lab):
    """A worker that is late whenever anybody pushes, because its target is next to nothing."""
    origin, gateway = shedding(lab, target_delay="1ms")
    floods = [lab.keep(Flood(gateway, priority)) for priority in (5, 5, 5, 0, 0)]
    eventually(lambda: shed(gateway) > 0, "somebody is refused", 3 * PATIENCE)
    return origin, gateway, floods


def test_overload_refuses_the_lowest_priority_and_never_0(lab, overloaded):
    _, gateway, floods = overloaded
    eventually(lambda: all(f.refused > 0 for f in floods[:3]), "each of priority 5 is refused")
    assert shed(gateway, priority="0") == 0
    for flood in floods:
        flood.close()
    assert all(f.refused == 0 and f.served > 0 for f in floods[3:])
    # Over: nobody is refused any more.
    client = lab.client(gateway)
    eventually(lambda: client.get("/", headers={"X-Priority": "5"}).status == 200 and
               gateway.metric("weir_load_shedding_share") == 0, "the share is nothing", 3 * PATIENCE)
    before = shed(gateway)
    assert all(client.get("/", headers={"X-Priority": "5"}).status == 200 for _ in range(50))
    assert shed(gateway) == before
    assert gateway.metric("weir_proxy_failures_total", reason="overloaded") == before


def refused_with(ask, is_refusal):
    def attempt():
        answer = ask()
        return answer if is_refusal(answer) else None
    return eventually(attempt, "it is refused", 3 * PATIENCE)


def test_overload_is_said_over_http1_http2_and_grpc(lab, overloaded):
    origin, gateway, _ = overloaded
    low = {"X-Priority": "5", "X-Tenant": "t5"}
    client = lab.client(gateway)
    answer = refused_with(lambda: client.get("/", headers=low), lambda a: a.status == 503)
    assert_refused(answer, "overloaded")
    assert answer.header("retry-after") == "1"
    fields = [("x-priority", "5"), ("x-tenant", "t5")]
    h2 = lab.h2_client(gateway)
    answer = refused_with(lambda: h2.get("/", headers=fields), lambda a: a.status == 503)
    assert_refused(answer, "overloaded")
    call = [("content-type", "application/grpc"), ("te", "trailers"), *fields]
    answer = refused_with(lambda: h2.request("POST", "/s/M", headers=call, body=b"\0\0\0\0\0"),
                          lambda a: a.header("grpc-status") == "14")
    assert answer.status == 200 and "overloaded" in answer.header("grpc-message")
    assert lab.client(gateway).get("/", headers={"X-Priority": "0"}).status == 200


@pytest.mark.parametrize("keys", [{"enabled": False, "target_delay": "1ms"}, {}])
def test_nobody_is_refused_when_off_or_by_the_default(lab, keys):
    _, gateway = shedding(lab, **keys)
    floods = [lab.keep(Flood(gateway, 5)) for _ in range(8)]
    eventually(lambda: all(f.served > 1000 for f in floods), "all are served", 3 * PATIENCE)
    time.sleep(1)  # three times what a worker takes to begin with it
    for flood in floods:
        flood.close()
    assert all(f.served > 1000 and f.refused == 0 for f in floods)
    assert shed(gateway) == 0


# ---- Adaptive concurrency.
def slow_down(lab):
    delay = [0.002]

    def handler(_, connection):
        time.sleep(delay[0])
        connection.answer(200)
    return delay, lab.serving(handler)


def test_adaptive_concurrency_refuses_beyond_its_limit(lab):
    client, origin, gateway = lab.pair(cluster={"adaptive_concurrency": {
        "min": 1, "max": 2, "initial": 1}})
    client.send(request("GET", "/first"))
    connection = origin.accept()
    connection.expect()
    for _ in range(3):
        answer = lab.client(gateway).get("/second")
        assert_refused(answer, "adaptive_concurrency_limited")
        assert answer.header("retry-after") == "1"
    connection.answer()
    assert client.read_response().status == 200
    gateway.expect_metric(1, "weir_cluster_requests_adaptive_max", cluster="app")
    gateway.expect_metric(0, "weir_cluster_requests", cluster="app")


def test_adaptive_concurrency_said_in_grpc(lab):
    origin = lab.h2_origin()
    gateway = lab.gateway(config_for(origin, cluster={
        "protocol": "http2", "adaptive_concurrency": {"min": 1, "max": 1, "initial": 1}}))
    call = [("content-type", "application/grpc"), ("te", "trailers")]
    first = lab.h2_client(gateway)
    stream = first.send_request("POST", "/s/M", headers=call, body=b"\0\0\0\0\0")
    connection = origin.accept()
    held = connection.expect("POST", "/s/M")
    answer = lab.h2_client(gateway).request("POST", "/s/M", headers=call, body=b"\0\0\0\0\0")
    assert answer.status == 200 and answer.header("grpc-status") == "14"
    assert "adaptive_concurrency_limited" in answer.header("grpc-message")
    connection.answer(held.stream, trailers=[("grpc-status", "0")])
    assert first.read_response(stream).status == 200


def test_adaptive_concurrency_follows_the_latency(lab):
    delay, origin = slow_down(lab)
    gateway = lab.gateway(config_for(origin, cluster={"adaptive_concurrency": {
        "min": 2, "max": 40, "initial": 8}}))

    def limit():
        return gateway.metric("weir_cluster_requests_adaptive_max")
    over = threading.Event()

    def push():
        client = lab.client(gateway)
        while not over.is_set():
            if client.get("/").status == 503:
                time.sleep(0.002)
    threads = [threading.Thread(target=push, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: limit() > 10, "it grows while it is used", 3 * PATIENCE)
        grown = limit()
        delay[0] = 0.1
        eventually(lambda: limit() < grown * 0.7, "it falls", 3 * PATIENCE)
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def test_adaptive_concurrency_survives_a_reload(lab):
    origin = lab.serving()
    config = config_for(origin, cluster={"adaptive_concurrency": {"min": 1, "max": 50, "initial": 7}})
    gateway = lab.gateway(config)
    gateway.expect_metric(7, "weir_cluster_requests_adaptive_max")
    config["clusters"]["app"]["adaptive_concurrency"] = {"min": 1, "max": 60, "initial": 9}
    assert gateway.reload(config)[0] == 0
    gateway.expect_metric(7, "weir_cluster_requests_adaptive_max")
    del config["clusters"]["app"]["adaptive_concurrency"]
    assert gateway.reload(config)[0] == 0
    gateway.expect_metric(0, "weir_cluster_requests_adaptive_max")
