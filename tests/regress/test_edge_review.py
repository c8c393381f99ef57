# SPDX-License-Identifier: Apache-2.0
"""What a hostile review of HTTP/2 found; each failed on the code of its day."""
import threading

import pytest
from support.lab import config_for, endpoints
from support.message import request

PIECE = b"A" * 3000


def test_a_cut_off_answer_holds_no_bytes_of_other_clients(lab):
    """DATA and RST_STREAM in one packet: the piece was framed after the worker's read buffer had
    been used for another client."""
    def cut(found, connection):
        from hyperframe.frame import DataFrame, RstStreamFrame
        connection.send_headers(found.stream, [(":status", "200")], end=False)
        connection.send(DataFrame(found.stream, PIECE).serialize()
                        + RstStreamFrame(found.stream, 2).serialize())

    config = config_for(lab.h2_serving(cut), cluster={"protocol": "http2"})
    config["clusters"]["sink"] = endpoints(lab.serving())
    config["routes"].insert(0, {"name": "up", "match": {"path": {"exact": "/up"}},
                                "limits": {"max_request_bytes": 0},
                                "target": {"cluster": "sink"}})
    gateway = lab.gateway(config)
    stop = threading.Event()

    def upload():
        client = gateway.client()
        client.send(b"POST /up HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n")
        while not stop.is_set():
            client.send(b"8000\r\n" + b"S" * 0x8000 + b"\r\n")
            stop.wait(0.0005)
        client.close()

    uploads = [threading.Thread(target=upload, daemon=True) for _ in range(2)]
    for thread in uploads:
        thread.start()
    try:
        client = lab.h2_client(gateway)
        for _ in range(100):
            body = bytes(client.outcome(client.open(path="/x")).body)
            assert body == PIECE[:len(body)]
    finally:
        stop.set()
        for thread in uploads:
            thread.join()


@pytest.mark.parametrize("route", [{}, {"buffer_request": True}])
@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_body_that_never_begins_is_timed(lab, protocol, route):
    """The timer began with the first piece; with a warm connection to the origin none ran."""
    origin = lab.h2_serving() if protocol == "http2" else lab.serving()
    gateway = lab.relay(origin, listener={"http1": {"body_idle_timeout": "500ms"}},
                        cluster={"protocol": protocol}, route=route)
    client = lab.h2_client(gateway)
    assert client.get("/warm").status == 200
    assert client.outcome(client.open("POST", "/stall", end=False)).status == 408


def test_an_origin_that_says_no_settings_loses_one_connection_only(lab):
    origin = lab.h2_origin()
    gateway = lab.relay(origin, cluster={"protocol": "http2", "connect_timeout": "300ms"},
                        route={"retry": {"num_retries": 0}})
    first = lab.client(gateway)
    first.send(request())
    mute, _ = origin.listener.accept()
    assert first.read_response().status == 504
    second = lab.client(gateway)
    second.send(request())
    connection = origin.accept()
    connection.answer(connection.expect())
    assert second.read_response().status == 200
    mute.close()


def test_an_origin_that_falls_silent_is_given_up(lab):
    """Every request joined the connection on which nothing came any more."""
    origin = lab.h2_origin()
    gateway = lab.relay(origin, cluster={"protocol": "http2", "response_timeout": "200ms"},
                        route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(request())
    silent = origin.accept()
    silent.answer(silent.expect())
    assert client.read_response().status == 200
    client.send(request())
    assert client.read_response().status == 504
    # The PING that asks for a sign of life has as long as an answer.
    threading.Event().wait(0.5)
    client.send(request())
    connection = origin.accept()
    connection.answer(connection.expect())
    assert client.read_response().status == 200


def test_a_cold_burst_over_the_origins_limit_is_served(lab):
    """What had waited beyond the limit was answered 503; it leases again."""
    origin = lab.h2_serving(settings={"max_concurrent_streams": 2})
    gateway = lab.relay(origin, cluster={"protocol": "http2"},
                        route={"retry": {"num_retries": 0}})
    clients = [lab.client(gateway) for _ in range(30)]
    for client in clients:
        client.send(request("POST", body=b"x"))
    assert [client.read_response().status for client in clients] == [200] * 30


def test_a_head_that_cannot_be_framed_fails_at_once(lab):
    """It hung until response_timeout."""
    gateway = lab.relay(lab.h2_serving(), cluster={"protocol": "http2"},
                        listener={"limits": {"max_header_bytes": "512KiB", "max_headers": 1000}},
                        route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n"
                + b"".join(b"x-%d: %s\r\n" % (n, b"v" * 4000) for n in range(90)) + b"\r\n")
    assert client.read_response().status == 502


def test_a_tunnel_whose_client_pauses_lives(lab):
    """body_idle_timeout ended it as a slow reader."""
    opened = threading.Event()

    def echo(found, connection):
        connection.send(b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        connection.send(b"w" * 500_000)
        opened.set()
        connection.read_to_end_or_reset()

    gateway = lab.relay(lab.serving(echo), listener={"http1": {"body_idle_timeout": "200ms"}},
                        route={"upgrades": ["echo"]})
    client = lab.h2_client(gateway)
    stream = client.new_stream()
    client.send_headers(stream, [(":method", "CONNECT"), (":protocol", "echo"),
                                 (":scheme", "http"), (":path", "/"), (":authority", "a.test")],
                        False)
    message = client.read_head(stream)
    assert message.status == 200
    threading.Event().wait(1.0)
    client.wait(lambda: len(message.body) >= 500_000 or message.reset is not None, "all of it")
    assert message.reset is None
