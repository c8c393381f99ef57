# SPDX-License-Identifier: Apache-2.0
"""The end: SIGTERM fails readiness first, lets what runs finish, and is over at the drain deadline.
That nothing is alive at exit is checked at the end of every test of the suite."""
import signal
import time

import pytest
from support.message import request
from support.waiting import SLOWNESS, eventually


def terminate(gateway):
    gateway.signal(signal.SIGTERM)
    eventually(lambda: gateway.admin("/readyz").status == 503, "not ready any more")


def in_flight(lab, **changes):
    """A gateway that drains with one request under way: (client, connection, gateway)."""
    client, origin, gateway = lab.pair(**changes)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    terminate(gateway)
    return client, connection, gateway


def test_shutdown_of_an_idle_gateway_is_immediate(lab):
    gateway = lab.relay("127.0.0.1:1", shutdown={"drain": "60s"})
    begun = time.monotonic()
    gateway.stop()
    assert time.monotonic() - begun < 2 * SLOWNESS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_by_either_signal_is_clean(lab, number):
    gateway = lab.relay("127.0.0.1:1")
    gateway.signal(number)
    gateway.check_end()


def test_shutdown_fails_readiness_while_it_still_answers(lab):
    client, connection, gateway = in_flight(lab)
    assert gateway.admin("/healthz").status == 200
    assert gateway.admin("/readyz").status == 503
    connection.answer(200, b"done")
    assert client.read_response().body == b"done"
    gateway.check_end()


def test_shutdown_finishes_what_is_in_flight_and_closes_its_connection(lab):
    client, connection, gateway = in_flight(lab)
    connection.answer(200, b"done")
    answer = client.read_response()
    assert (answer.body, answer.header("connection")) == (b"done", "close")
    client.expect_end()
    gateway.check_end()


def test_shutdown_finishes_an_upload_that_streams(lab):
    client, origin, gateway = lab.pair()
    client.send(request("POST", headers={"Content-Length": "6"}), "abc")
    connection = origin.accept()
    connection.read_head()
    connection.read_exact(3)
    terminate(gateway)
    client.send("def")
    assert connection.read_exact(3) == b"def"
    connection.answer(201)
    assert client.read_response().status == 201
    gateway.check_end()


def test_shutdown_closes_idle_connections_of_both_sides(lab):
    client, origin, gateway = lab.pair(shutdown={"drain": "60s"})
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    gateway.signal(signal.SIGTERM)
    client.expect_end()
    connection.expect_end()
    gateway.check_end()


def test_shutdown_answers_pipelined_requests_that_it_has(lab):
    client, origin, gateway = lab.pair()
    client.send(request("GET", "/1"))
    connection = origin.accept()
    connection.expect("GET", "/1")
    terminate(gateway)
    connection.answer(200, b"1")
    assert client.read_response().header("connection") == "close"
    gateway.check_end()


def test_shutdown_ends_at_the_drain_deadline(lab):
    client, connection, gateway = in_flight(lab, shutdown={"drain": "300ms"})
    client.expect_ended()
    connection.expect_ended()
    gateway.check_end()


def test_shutdown_second_signal_ends_it_at_once(lab):
    client, _, gateway = in_flight(lab, shutdown={"drain": "60s"})
    gateway.signal(signal.SIGTERM)
    client.expect_ended()
    gateway.wait_exit()


def test_shutdown_refuses_new_connections_in_the_end(lab):
    _, connection, gateway = in_flight(lab)
    address = gateway.address()
    connection.answer()
    gateway.check_end()
    with pytest.raises(OSError):
        from support.client import Client
        Client(address)


def test_shutdown_while_clients_are_in_every_state(lab):
    """Idle, half a head, half a body, waiting for an answer, half an answer, not reading."""
    origin = lab.origin()
    gateway = lab.relay(origin, shutdown={"drain": "300ms"})
    states = [lab.client(gateway) for _ in range(6)]
    states[1].send("GET / HT")
    states[2].send(request("POST", "/body", headers={"Content-Length": "10"}), "abc")
    origin.accept().read_head()
    states[3].send(request("GET", "/wait"))
    origin.accept().expect()
    states[4].send(request("GET", "/half"))
    half = origin.accept()
    half.expect()
    half.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    states[5].send(request("GET", "/big"))
    big = origin.accept()
    big.expect()
    big.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    big.send_until_blocked(100_000_000, quiet=0.2)
    gateway.stop()


def test_shutdown_removes_the_unix_sockets_it_made(lab):
    import os
    path = lab.path("listen.sock")
    gateway = lab.relay("127.0.0.1:1", listener={"address": "unix:" + path})
    assert os.path.exists(path) and os.path.exists(gateway.admin_path)
    gateway.stop()
    assert not os.path.exists(path) and not os.path.exists(gateway.admin_path)


@pytest.mark.tsan
def test_shutdown_with_two_workers_under_load(lab):
    origin = lab.serving()
    gateway = lab.relay(origin, workers=2)
    clients = [lab.client(gateway) for _ in range(20)]
    for client in clients:
        assert client.get().status == 200
    for client in clients:
        client.send(request())
    gateway.stop()
    for client in clients:
        assert client.read_to_end_or_reset()[:12] in (b"HTTP/1.1 200", b"")
