# SPDX-License-Identifier: Apache-2.0
"""The harness against itself: a client that talks to an origin directly. What these tests hold is
what every other file builds on."""
import pytest
from support import message, prometheus
from support.client import Client
from support.message import BadMessage
from support.peer import ConnectionEnded


def direct(lab, origin):
    return lab.keep(Client(origin.path or ("127.0.0.1", origin.port)))


def test_client_and_origin_exchange_exact_bytes(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    sent = message.request("POST", "/a", body="hello", headers={"X-A": "1"})
    client.send(sent)
    connection, found = origin.serve_one(201, b"world")
    assert bytes(connection.received) == sent
    assert (found.method, found.target, found.body) == ("POST", "/a", b"hello")
    answer = client.read_response()
    assert (answer.status, answer.body) == (201, b"world")


def test_chunked_bodies_and_trailers_are_read_both_ways(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    client.send(message.request("POST", chunks=["ab", "c" * 20], trailers={"X-T": "1"}))
    _, found = origin.serve_one(chunks=["x", "yz"], trailers={"X-U": "2"})
    assert (found.body, found.trailers.get("x-t")) == (b"ab" + b"c" * 20, "1")
    answer = client.read_response()
    assert (answer.body, answer.trailers.get("x-u")) == (b"xyz", "2")


def test_interim_responses_are_set_apart(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    client.send(message.request())
    connection = origin.accept()
    connection.expect("GET", "/")
    connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", message.response(200, "b"))
    answer = client.read_response()
    assert [i.status for i in answer.interim] == [103]
    assert answer.body == b"b"


def test_close_delimited_body_ends_at_fin(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    client.send(message.request())
    connection, _ = origin.serve_one(200, b"until the end", framed=False)
    connection.close()
    assert client.read_response().body == b"until the end"


def test_fin_and_reset_are_told_apart(lab):
    origin = lab.origin()
    for how in ("close", "reset"):
        client = direct(lab, origin)
        connection = origin.accept()
        getattr(connection, how)()
        (client.expect_end if how == "close" else client.expect_reset)()


def test_half_close_leaves_the_other_direction(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    client.send(message.request())
    client.shutdown_write()
    connection = origin.accept()
    connection.expect()
    connection.expect_end()
    connection.answer(200, b"still here")
    assert client.read_response().body == b"still here"


def test_unix_origin(lab):
    origin = lab.origin(path=lab.path("o.sock"))
    client = direct(lab, origin)
    client.send(message.request())
    origin.serve_one(200, b"unix")
    assert client.read_response().body == b"unix"


def test_serving_origin_records_and_answers_many(lab):
    origin = lab.serving(lambda found, connection: connection.answer(200, found.target))
    clients = [direct(lab, origin) for _ in range(3)]
    for n, client in enumerate(clients * 2):
        assert client.get(f"/{n}").body == f"/{n}".encode()
    assert origin.count() == 6


def test_send_until_blocked_finds_the_limit_of_a_peer_that_does_not_read(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    connection = origin.accept()
    sent = client.send_until_blocked(1 << 30, quiet=0.1)
    assert 0 < sent < 1 << 28
    connection.drain(sent)


def test_blackhole_neither_accepts_nor_refuses(lab):
    hole = lab.blackhole()
    host, port = hole.address.split(":")
    with pytest.raises(TimeoutError):
        import socket
        socket.create_connection((host, int(port)), timeout=0.3)


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nA:b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
])
def test_reader_takes_the_canonical_form_only(raw):
    with pytest.raises(BadMessage):
        message.Message(raw)


def test_reader_says_when_the_peer_left_early(lab):
    origin = lab.origin()
    client = direct(lab, origin)
    client.send(message.request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    connection.close()
    with pytest.raises(ConnectionEnded):
        client.read_response()


def test_prometheus_reader_sums_series():
    found = prometheus.parse(
        "# HELP a_total Things.\n# TYPE a_total counter\n"
        'a_total{x="1",y="\\""} 2\na_total{x="2"} 3\n')
    assert found.sum("a_total") == 5
    assert found.sum("a_total", x="2") == 3


@pytest.mark.parametrize("text", ["a 1", "a 1\na 2\n", "a{b=c} 1\n", "1a 1\n",
                                  "# TYPE a counter\n# TYPE a gauge\na 1\n"])
def test_prometheus_reader_refuses(text):
    with pytest.raises(AssertionError):
        prometheus.parse(text)
