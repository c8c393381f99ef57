# SPDX-License-Identifier: Apache-2.0
"""conf/examples/sidecar.yaml, as it is shipped: one function behind a unix socket, one call at a
time. Only its addresses are the test's."""
import os
import signal
import socket
import threading
import time

from support.message import request
from support.waiting import SLOWNESS, eventually

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIB = 1 << 20
# What a sidecar may hold. A sanitizer's shadow is not weir's.
RESIDENT = 10 * MIB
QUEUE = 32


def example(socket_path):
    with open(os.path.join(ROOT, "conf", "examples", "sidecar.yaml"), encoding="utf-8") as file:
        text = file.read()
    for shipped, own in [
            ("unix:${WEIR_RUN_DIR:-/run/weir}/admin.sock", "unix:@DIR@/admin.sock"),
            ("unix:${WEIR_RUN_DIR:-/run/weir}/function.sock", "unix:" + socket_path),
            ("127.0.0.1:9902", "127.0.0.1:0"), ("0.0.0.0:8081", "127.0.0.1:0")]:
        assert shipped in text, shipped
        text = text.replace(shipped, own)
    return text


def sidecar(lab, origin):
    return lab.gateway(example(origin.path))


def accept_call(origin):
    """The next connection with a request on it: a health check's has none."""
    while True:
        connection = origin.accept()
        if connection.sock.recv(1, socket.MSG_PEEK):
            return connection
        connection.close()


def begin(lab, gateway, target="/", **rest):
    client = lab.client(gateway, "inbound")
    client.send(request("GET", target, **rest))
    return client


def waiting(gateway):
    return gateway.metric("weir_limit_decisions_total", limit="one-at-a-time", result="waited")


def resident(gateway):
    """Anonymous and file-backed, as the kernel counts them now."""
    with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))


def test_sidecar_gives_the_function_one_call_at_a_time(lab):
    at_once = []
    now, lock = [0], threading.Lock()

    def serve(found, connection):
        with lock:
            now[0] += 1
            at_once.append(now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        connection.answer(200, found.target.encode())

    gateway = sidecar(lab, lab.serving(serve, path=lab.path("function.sock")))
    clients = [begin(lab, gateway, f"/{n}") for n in range(QUEUE)]
    assert [c.read_response().body for c in clients] == [b"/%d" % n for n in range(QUEUE)]
    assert len(at_once) == QUEUE and set(at_once) == {1}


def test_sidecar_queue_is_bounded(lab):
    origin = lab.origin(path=lab.path("function.sock"))
    gateway = sidecar(lab, origin)
    first = begin(lab, gateway)
    held = accept_call(origin)
    held.expect()
    queued = [begin(lab, gateway) for _ in range(QUEUE)]
    eventually(lambda: waiting(gateway) == QUEUE, "the queue is full")
    answer = begin(lab, gateway).read_response()
    assert answer.status == 503 and int(answer.headers.get("retry-after")) >= 1
    assert b"one-at-a-time" in answer.body
    for client in [first, *queued]:
        held.answer()
        assert client.read_response().status == 200
        if client is not queued[-1]:
            held.expect()


def test_sidecar_probe_sees_the_function(lab):
    """Also while a call is under way; and weir's own probes say that weir is well meanwhile."""
    origin = lab.origin(path=lab.path("function.sock"))
    gateway = sidecar(lab, origin)
    begin(lab, gateway)
    accept_call(origin).expect("GET", "/")
    probe = begin(lab, gateway, "/health")
    asked = accept_call(origin)
    asked.expect("GET", "/health")
    asked.answer(500)
    assert probe.read_response().status == 500
    assert gateway.admin("/readyz", tcp=True).status == 200, "busy is not gone"
    origin.close()
    assert begin(lab, gateway, "/health").read_response().status in (502, 503)
    eventually(lambda: gateway.admin("/readyz", tcp=True).status == 503, "the function is gone")
    assert b"function" in gateway.admin("/readyz", tcp=True).body
    assert gateway.admin("/healthz", tcp=True).status == 200


def test_sidecar_drain_lets_the_call_in_flight_end(lab):
    """And the one that waits for it; new ones are refused a connection."""
    origin = lab.origin(path=lab.path("function.sock"))
    gateway = sidecar(lab, origin)
    first = begin(lab, gateway, "/first")
    held = accept_call(origin)
    held.expect("GET", "/first")
    second = begin(lab, gateway, "/second")
    eventually(lambda: waiting(gateway) == 1, "the second waits")
    gateway.signal(signal.SIGTERM)
    eventually(lambda: gateway.admin("/readyz").status == 503, "not ready any more")
    held.answer(200, b"one")
    assert first.read_response().body == b"one"
    held.expect("GET", "/second")
    held.answer(200, b"two")
    assert second.read_response().body == b"two"
    gateway.check_end()


def test_sidecar_is_small(lab):
    gateway = sidecar(lab, lab.serving(path=lab.path("function.sock")))
    idle = resident(gateway)
    client = lab.client(gateway, "inbound")
    for _ in range(200):
        assert client.get("/").status == 200
    body = b"x" * MIB
    for _ in range(8):
        assert client.request("POST", "/", body=body).status == 200
    gateway.metrics()
    loaded = resident(gateway)
    print(f"resident: {idle / MIB:.1f} MiB idle, {loaded / MIB:.1f} MiB after calls and a scrape")
    if SLOWNESS == 1:
        assert loaded < RESIDENT
