# SPDX-License-Identifier: Apache-2.0
"""What a listener and a route allow, and what a client is told that asks for more or is slow."""
import pytest
from support.message import request
from support.refusal import assert_refused
from support.waiting import PATIENCE, Deadline, eventually


def refused(lab, raw, reason, **changes):
    client, origin, _ = lab.pair(**changes)
    client.send(raw)
    assert_refused(client.read_response(), reason)
    client.expect_ended()
    assert not origin.connections


def passed(lab, raw, **changes):
    client, origin, _ = lab.pair(**changes)
    client.send(raw)
    origin.serve_one()
    assert client.read_response().status == 200


# ---- Head.
def test_limit_head_over_max_header_bytes_is_431(lab):
    refused(lab, request(headers={"X": "y" * 2000}), "header_too_large",
            listener={"limits": {"max_header_bytes": "1KiB"}})


def test_limit_head_that_never_ends_is_431_before_its_end(lab):
    refused(lab, "GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 2000, "header_too_large",
            listener={"limits": {"max_header_bytes": "1KiB"}})


def test_limit_head_of_60_kib_passes_by_default(lab):
    passed(lab, request(headers={f"X-{n}": "y" * 6000 for n in range(10)}))


def test_limit_more_than_max_headers_is_431(lab):
    refused(lab, request(headers=[(f"X-{n}", "1") for n in range(11)]), "too_many_headers",
            listener={"limits": {"max_headers": 10}})


def test_limit_max_headers_itself_passes(lab):
    passed(lab, request(headers=[(f"X-{n}", "1") for n in range(9)]),
           listener={"limits": {"max_headers": 10}})


def test_limit_target_over_max_uri_bytes_is_414(lab):
    refused(lab, request("GET", "/" + "a" * 1024), "uri_too_long",
            listener={"limits": {"max_uri_bytes": "1KiB"}})


def test_limit_target_of_max_uri_bytes_passes(lab):
    passed(lab, request("GET", "/" + "a" * 1023), listener={"limits": {"max_uri_bytes": "1KiB"}})


# ---- Body.
def test_limit_body_over_max_request_bytes_is_413_before_any_of_it_is_read(lab):
    refused(lab, request("POST", headers={"Content-Length": "1025"}), "body_too_large",
            route={"limits": {"max_request_bytes": "1KiB"}})


def test_limit_chunked_body_over_max_request_bytes_is_413(lab):
    client, _, _ = lab.pair(route={"limits": {"max_request_bytes": "1KiB"}})
    client.send(request("POST", chunks=["x" * 600, "y" * 600]))
    assert_refused(client.read_response(), "body_too_large")


def test_limit_body_of_max_request_bytes_passes(lab):
    passed(lab, request("POST", body="x" * 1024), route={"limits": {"max_request_bytes": "1KiB"}})


def test_limit_response_over_max_response_bytes_is_502(lab):
    client, origin, _ = lab.pair(route={"limits": {"max_response_bytes": "1KiB"}})
    client.send(request())
    connection, _ = origin.serve_one(200, b"x" * 1025)
    assert_refused(client.read_response(), "response_too_large")
    connection.expect_ended()


def test_limit_streamed_response_over_max_response_bytes_is_cut(lab):
    client, origin, gateway = lab.pair(route={"limits": {"max_response_bytes": "1KiB"}})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200\r\n", "x" * 512,
                    "\r\n")
    assert client.read_head().status == 200
    client.read_chunk()
    connection.send("300\r\n", "y" * 768, "\r\n0\r\n\r\n")
    assert b"0\r\n\r\n" not in client.read_to_end_or_reset()
    assert gateway.log(1)[0]["reason"] == "response_too_large"


# ---- Time.
def test_limit_slow_head_is_408(lab):
    client, origin, _ = lab.pair(listener={"http1": {"header_timeout": "200ms"}})
    client.send("GET / HTTP/1.1\r\nHo")
    assert_refused(client.read_response(), "request_timeout")
    client.expect_ended()


def test_limit_bytes_that_trickle_do_not_extend_the_header_timeout(lab):
    client, _, _ = lab.pair(listener={"http1": {"header_timeout": "300ms"}})
    client.send("GET / HTTP/1.1\r\nX: ")
    while not client.has_input(0.02):
        client.send("y")
    assert_refused(client.read_response(), "request_timeout")


def test_limit_connection_that_says_nothing_is_closed_without_an_answer(lab):
    client, _, _ = lab.pair(listener={"http1": {"header_timeout": "200ms",
                                                "keepalive_timeout": "200ms"}})
    client.expect_end()


def test_limit_idle_connection_is_closed_after_keepalive_timeout(lab):
    client, origin, _ = lab.pair(listener={"http1": {"keepalive_timeout": "200ms"}})
    client.send(request())
    origin.serve_one()
    client.read_response()
    client.expect_end()


def test_limit_keepalive_timeout_does_not_cut_a_request_that_runs(lab):
    client, origin, _ = lab.pair(listener={"http1": {"keepalive_timeout": "100ms"}})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    assert not client.has_input(0.4)
    connection.answer(200, b"late")
    assert client.read_response().body == b"late"


def test_limit_body_that_stops_is_408(lab):
    client, origin, _ = lab.pair(listener={"http1": {"body_idle_timeout": "200ms"}})
    client.send(request("POST", headers={"Content-Length": "10"}), "abc")
    connection = origin.accept()
    connection.read_head()
    assert_refused(client.read_response(), "body_timeout")
    connection.expect_ended()


def test_limit_body_idle_timeout_of_0_is_none(lab):
    client, origin, _ = lab.pair(listener={"http1": {"body_idle_timeout": 0}})
    client.send(request("POST", headers={"Content-Length": "6"}), "abc")
    connection = origin.accept()
    connection.read_head()
    assert not client.has_input(0.3)
    client.send("def")
    connection.answer()
    assert client.read_response().status == 200


def test_limit_body_slower_than_min_receive_rate_is_408(lab):
    """The rate is judged after a grace of some seconds, so this test takes them."""
    client, _, _ = lab.pair(listener={"http1": {"min_receive_rate": "100KiB/s",
                                                "body_idle_timeout": "30s"}})
    client.send(request("POST", headers={"Content-Length": "100000"}))
    deadline = Deadline(4 * PATIENCE)
    while not client.has_input(0.05) and not deadline.passed():
        client.send("x")
    assert_refused(client.read_response(), "slow_client")


def stalled_download(lab, **http1):
    """(client, connection, gateway) where the client has read nothing and the origin is stuck."""
    origin = lab.origin()
    gateway = lab.relay(origin, listener={"http1": http1})
    client = lab.client(gateway, receive_buffer=4096)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    try:
        connection.send_until_blocked(100_000_000, quiet=0.2)
    except ConnectionError:
        pass  # cut already
    return client, connection, gateway


def test_limit_client_that_reads_slower_than_min_send_rate_is_cut(lab):
    """The rate is judged after a grace of some seconds, so this test takes them."""
    client, connection, gateway = stalled_download(lab, min_send_rate="10MiB/s")
    deadline = Deadline(4 * PATIENCE)
    while not connection.has_input(0.02) and not deadline.passed():
        client.drain(4096)
    connection.expect_ended()
    assert gateway.log(1)[0]["reason"] == "slow_client"


def test_limit_http2_client_that_reads_slower_than_min_send_rate_is_cut(lab):
    """His stream, and no other of his connection. The rate is judged whenever body_idle_timeout has
    passed without a cut, after a grace of some seconds."""
    origin = lab.serving(lambda found, connection: connection.answer(
        200, b"y" * 100_000 if found.target == "/large" else b"small"))
    gateway = lab.relay(origin, listener={"http1": {"min_send_rate": "10MiB/s",
                                                  "body_idle_timeout": "1s"}})
    client = lab.h2_client(gateway, settings={"initial_window_size": 10_000})
    stream = client.open("GET", "/large")
    client.opens_windows = {stream}
    client.read_head(stream)
    deadline = Deadline(4 * PATIENCE)
    while client.message(stream).reset is None and not deadline.passed():
        client.send_window(stream, 100)
        client.settle(0.05)
    found = client.message(stream)
    assert found.reset is not None and not found.ended, found
    assert gateway.log(1)[0]["reason"] == "slow_client"
    assert client.get("/small").body == b"small"


def test_limit_client_that_stops_reading_is_cut(lab):
    _, connection, gateway = stalled_download(lab, body_idle_timeout="300ms")
    connection.expect_ended()
    assert gateway.log(1)[0]["reason"] == "slow_client"


# ---- Connections.
def test_limit_max_requests_closes_the_connection_after_the_last(lab):
    client, origin, _ = lab.pair(listener={"http1": {"max_requests": 2}})
    client.send(request())
    connection, _ = origin.serve_one()
    assert "connection" not in client.read_response().headers
    client.send(request())
    connection.expect()
    connection.answer()
    assert client.read_response().header("connection") == "close"
    client.expect_end()


def test_limit_max_connections_refuses_more_and_says_so(lab):
    """Connections with a request under way; one that idles makes room (test_connection_guards)."""
    origin = lab.origin()
    gateway = lab.relay(origin, listener={"limits": {"max_connections": 2}})
    first, second = lab.client(gateway), lab.client(gateway)
    first.send(request())
    served = origin.accept()
    served.expect()
    second.send(request())
    origin.accept().expect()
    try:
        rest = lab.client(gateway).read_to_end_or_reset()
    except ConnectionResetError:  # the refusal was there before connect() returned
        rest = b""
    assert rest == b"" or b" 503 " in rest.split(b"\r\n")[0] and b"connection_limit" in rest
    gateway.expect_metric(1, "weir_listener_connections_refused_total", listener="main")
    served.answer()
    assert first.read_response().status == 200


def test_limit_connection_that_ends_makes_room(lab):
    origin = lab.serving()
    gateway = lab.relay(origin, listener={"limits": {"max_connections": 1}})
    first = lab.client(gateway)
    assert first.get().status == 200
    first.close()
    eventually(lambda: gateway.metric("weir_listener_connections", listener="main") == 0,
               "no connection is open")
    assert lab.client(gateway).get().status == 200


@pytest.mark.tsan
def test_limit_max_connections_is_per_process_not_per_worker(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, workers=2, listener={"limits": {"max_connections": 4}})
    for _ in range(12):
        try:
            lab.client(gateway).send(request())
        except OSError:
            pass
    gateway.expect_metric(8, "weir_listener_connections_refused_total", reason="max_connections")
    assert gateway.metric("weir_listener_connections", listener="main") == 4
