# SPDX-License-Identifier: Apache-2.0
"""What keeps one client, or very many, from taking all connections: a limit for each address, a
pace of accepting, and idle connections that make room when descriptors or places run short."""
import signal
import threading
import time

import pytest
from support import certs
from support.client import connect
from support.lab import config_for
from support.message import request
from support.peer import Peer
from support.proxy_header import v1, v2
from support.tls import client_context
from support.waiting import SLOWNESS, eventually

REFUSED = "weir_listener_connections_refused_total"
PER_IP = "max_connections_per_ip"
WORKERS = pytest.mark.parametrize("workers", [1, 2, 4])


def guarded(lab, origin=None, workers=1, proxy=None, trusted=(), **limits):
    listener = {"limits": limits, **({"proxy_protocol": proxy} if proxy else {})}
    return lab.relay(origin or lab.serving(), listener=listener, workers=workers,
                     trusted_proxies=list(trusted))


def served(lab, gateway, *before, **how):
    """A client that got its answer; None if the connection was closed."""
    try:
        client = lab.client(gateway, **how)
        client.send(*before, request())
        assert client.read_response().status == 200
    except (AssertionError, OSError):
        return None
    return client


def knock(gateway):
    """A connection that is refused; what came on it."""
    try:
        client = gateway.client()
    except OSError:
        return b""
    try:
        return client.read_to_end_or_reset()
    finally:
        client.close()


# ---- Connections of one address.
@WORKERS
def test_guard_per_ip_is_exact_over_the_workers(lab, workers):
    gateway = guarded(lab, workers=workers, max_connections_per_ip=3)
    clients = [served(lab, gateway) for _ in range(20)]
    assert sum(client is not None for client in clients) == 3
    gateway.expect_metric(17, REFUSED, reason=PER_IP)
    assert served(lab, gateway, source="127.0.0.2")
    line = next(line for line in gateway.log(4) if line.get("reason"))
    assert line["reason"] == "connections_per_ip" and line["client"] == "127.0.0.1"


@WORKERS
def test_guard_per_ip_place_comes_back(lab, workers):
    gateway = guarded(lab, workers=workers, max_connections_per_ip=1)
    for _ in range(10):
        client = served(lab, gateway)
        assert client
        client.close()
        eventually(lambda: gateway.metric("weir_listener_connections") == 0, "it is gone")


def test_guard_per_ip_refusals_do_not_flood_the_log(lab):
    gateway = guarded(lab, max_connections_per_ip=1)
    held = served(lab, gateway)
    begun = time.monotonic()
    for _ in range(200):
        knock(gateway)
    gateway.expect_metric(200, REFUSED, reason=PER_IP)
    took = time.monotonic() - begun
    assert held.get().status == 200
    gateway.log(3)
    assert len(gateway.log_lines()) <= 2 + 1 + took * 10


def test_guard_per_ip_0_is_no_limit_as_in_a_sidecar(lab):
    origin = lab.serving()
    for listener in ({"limits": {"max_connections_per_ip": 0}}, {"profile": "sidecar"}):
        gateway = lab.relay(origin, listener=listener)
        assert all([served(lab, gateway) for _ in range(20)])


def test_guard_per_ip_counts_through_a_reload(lab):
    origin = lab.serving()
    gateway = guarded(lab, origin, max_connections_per_ip=2)
    held = [served(lab, gateway), served(lab, gateway)]
    config = gateway.config
    config["listeners"]["main"]["limits"]["max_connections_per_ip"] = 3
    assert gateway.reload(config)[0] == 0
    assert all(client.get().status == 200 for client in held)
    third = served(lab, gateway)
    assert third and not served(lab, gateway)


def test_guard_per_ip_does_not_count_unix_peers(lab):
    path = lab.path("main.sock")
    gateway = lab.relay(lab.serving(), listener={"address": "unix:" + path,
                                                 "limits": {"max_connections_per_ip": 1}})
    assert all([served(lab, gateway) for _ in range(5)])


@pytest.mark.parametrize("header", [v1, v2])
def test_guard_per_ip_counts_the_client_behind_a_proxy(lab, header):
    gateway = guarded(lab, proxy="require", trusted=["127.0.0.1"], max_connections_per_ip=2)
    held = [served(lab, gateway, header()) for _ in range(3)]
    assert [client is not None for client in held] == [True, True, False]
    assert served(lab, gateway, header("203.0.113.8"))
    gateway.expect_metric(1, REFUSED, reason=PER_IP)


def test_guard_per_ip_does_not_count_a_proxy_that_names_nobody(lab):
    gateway = guarded(lab, proxy="accept", trusted=["127.0.0.1"], max_connections_per_ip=1)
    assert all([served(lab, gateway) for _ in range(4)])
    assert all([served(lab, gateway, v2(command=0)) for _ in range(4)])


def test_guard_per_ip_takes_an_ipv6_prefix_for_one_client(lab):
    gateway = guarded(lab, proxy="require", trusted=["127.0.0.1"], max_connections_per_ip=1,
                      ipv6_prefix=56)
    def client(ip):
        return served(lab, gateway, v2(ip, "2001:db8::1"))
    assert client("2001:db8:0:1::7")
    assert not client("2001:db8:0:ff::9")
    assert client("2001:db8:0:100::7")


def test_guard_per_ip_refuses_before_the_handshake(lab):
    listener = {"tls": {"certificates": [certs.leaf("a.test").listed]},
                "limits": {"max_connections_per_ip": 1}}
    gateway = lab.relay(lab.serving(), listener=listener)
    assert lab.client(gateway, tls=client_context()).get().status == 200
    assert knock(gateway) == b""
    assert gateway.metric("weir_listener_tls_failures_total") == 0


# ---- The pace of accepting.
@WORKERS
def test_guard_accept_rate_makes_connections_wait(lab, workers):
    gateway = guarded(lab, workers=workers, accept_rate="40/s")
    established = served(lab, gateway)
    begun = time.monotonic()
    clients = [lab.client(gateway) for _ in range(80)]
    for client in clients:
        client.send(request())
    assert established.get().status == 200
    assert time.monotonic() - begun < 1.5 * SLOWNESS
    assert all(client.read_response().status == 200 for client in clients)
    assert time.monotonic() - begun > 1.8
    assert gateway.metric(REFUSED) == 0


def test_guard_accept_rate_can_be_reloaded_away(lab):
    gateway = guarded(lab, accept_rate="1/s")
    assert served(lab, gateway)
    clients = [lab.client(gateway) for _ in range(30)]
    config = gateway.config
    del config["listeners"]["main"]["limits"]["accept_rate"]
    assert gateway.reload(config)[0] == 0
    for client in clients:
        assert client.get().status == 200


# ---- Connections that idle make room.
@WORKERS
def test_guard_idle_connections_make_room_where_max_connections_is_reached(lab, workers):
    gateway = guarded(lab, workers=workers, max_connections=8)
    idle = [served(lab, gateway) for _ in range(8)]
    time.sleep(0.3)
    late = [served(lab, gateway) for _ in range(3)]
    assert all(idle) and any(late)
    assert gateway.metric("weir_proxy_idle_shed_total", side="downstream") >= 1


@WORKERS
def test_guard_idle_connections_make_room_when_descriptors_run_short(lab, workers):
    """Three times as many clients as there are descriptors, each of which stays."""
    origin = lab.serving()
    gateway = lab.gateway(
        config_for(origin, workers=workers, listener={"limits": {"max_connections": 10000}}),
        descriptors=160)
    failed = 0
    for _ in range(10):
        failed += sum(served(lab, gateway) is None for _ in range(40))
        time.sleep(0.12)
        assert gateway.admin("/healthz", tcp=True).status == 200
        assert gateway.admin("/readyz").status == 200
    assert failed <= 10, failed
    assert gateway.metric("weir_proxy_idle_shed_total") >= 200
    expect_calm(gateway)


def expect_calm(gateway):
    before = gateway.cpu_seconds()
    time.sleep(1)
    assert gateway.cpu_seconds() - before < min(0.3 * SLOWNESS, 0.9)


@WORKERS
def test_guard_probes_answer_when_no_descriptor_is_left_for_clients(lab, workers):
    origin = lab.origin()
    gateway = lab.gateway(
        config_for(origin, workers=workers, listener={"limits": {"max_connections": 10000}}),
        descriptors=128)
    clients = []
    for _ in range(200):
        try:
            clients.append(lab.client(gateway))
            clients[-1].send("GET / HTTP/1.1\r\nHost: a")  # Half a head is no idling.
        except OSError:
            pass
    eventually(lambda: gateway.metric(REFUSED, reason="descriptors") > 50, "some are refused")
    assert gateway.admin("/healthz", tcp=True).status == 200
    assert gateway.reload()[0] == 0
    expect_calm(gateway)
    for client in clients:
        client.close()
    eventually(lambda: gateway.metric("weir_listener_connections") == 0, "all are gone")


def test_guard_idle_http2_connections_make_room(lab):
    gateway = lab.gateway(
        config_for(lab.serving(), listener={"limits": {"max_connections": 4}}))
    idle = [lab.h2_client(gateway) for _ in range(4)]
    for client in idle:
        assert client.get().status == 200
    time.sleep(0.3)
    assert served(lab, gateway)
    assert gateway.metric("weir_proxy_idle_shed_total", side="downstream") >= 1


# ---- Handshakes.
def test_guard_drain_lets_a_handshake_end_and_serves_its_request(lab):
    listener = {"tls": {"certificates": [certs.leaf("a.test").listed]}}
    gateway = lab.relay(lab.serving(), listener=listener)
    sock = connect(gateway.address())
    eventually(lambda: gateway.metric("weir_listener_connections") == 1, "it is taken")
    gateway.signal(signal.SIGTERM)
    gateway.wait_for_line(lambda line: "draining" in line, "draining")
    time.sleep(0.1)
    peer = lab.keep(Peer(client_context().wrap_socket(sock, server_hostname="a.test")))
    peer.send(request())
    answer = peer.read_response()
    assert answer.status == 200 and answer.header("connection") == "close"
    gateway.check_end()


def test_guard_drain_of_a_client_that_never_shakes_hands_ends(lab):
    listener = {"tls": {"certificates": [certs.leaf("a.test").listed], "handshake_timeout": "500ms"}}
    gateway = lab.relay(lab.serving(), listener=listener, shutdown={"drain": "60s"})
    lab.client(gateway)
    eventually(lambda: gateway.metric("weir_listener_connections") == 1, "it is taken")
    gateway.stop()


def test_guard_handshake_timeout_has_a_reason_of_its_own(lab):
    listener = {"tls": {"certificates": [certs.leaf("a.test").listed], "handshake_timeout": "200ms"}}
    gateway = lab.relay(lab.serving(), listener=listener)
    lab.client(gateway).expect_ended()
    gateway.expect_metric(1, "weir_listener_tls_failures_total", reason="timeout")


# ---- HTTP/2 clients that are slow.
def test_guard_idle_http2_connection_ends_in_keepalive_timeout(lab):
    gateway = lab.relay(lab.serving(), listener={"http1": {"keepalive_timeout": "300ms"}})
    clients = [lab.h2_client(gateway) for _ in range(20)]
    for client in clients:
        assert client.get().status == 200
    eventually(lambda: gateway.metric("weir_listener_connections") == 0, "all are closed")


def test_guard_http2_body_slower_than_min_receive_rate_is_408(lab):
    gateway = lab.relay(lab.origin(), listener={"http1": {"min_receive_rate": "1KiB/s"}})
    client = lab.h2_client(gateway)
    stream = client.open("POST", end=False)
    stop = threading.Event()

    def dribble():
        while not stop.wait(0.2):
            try:
                client.send_data_frame(stream, b"x")
            except OSError:
                return
    sender = threading.Thread(target=dribble, daemon=True)
    sender.start()
    try:
        found = client.outcome(stream)
    finally:
        stop.set()
        sender.join()
    assert found.reset is not None or found.status == 408, found
