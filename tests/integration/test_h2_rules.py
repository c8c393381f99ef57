# SPDX-License-Identifier: Apache-2.0
"""Every vector of tests/support/vectors/h2_smuggling.json against the real binary: what is no proper
message of HTTP/2 is never written as HTTP/1, what is arrives as exactly one."""
import json
import os

import pytest
from support.h2frames import literal
from support.lab import Lab
from support.message import as_bytes, request
from support.peer import ConnectionEnded
from support.refusal import assert_refused

_FILE = os.path.join(os.path.dirname(__file__), "../support/vectors/h2_smuggling.json")
with open(_FILE, encoding="utf-8") as _file:
    VECTORS = json.load(_file)["vectors"]


def of(kind, verdict):
    found = [v for v in VECTORS if v["kind"] == kind and verdict in v["expect"]]
    assert found
    return pytest.mark.parametrize("vector", found, ids=[v["name"] for v in found])


def send_vector(peer, stream, vector):
    """The vector as plain literals: nothing on our side changes an octet."""
    block = lambda fields: b"".join(literal(n, v) for n, v in fields)  # noqa: E731
    data, trailers = vector.get("data", []), vector.get("trailers")
    peer.send_block(stream, block(vector["fields"]), end=not data and trailers is None)
    for n, piece in enumerate(data):
        peer.send_data_frame(stream, piece, end=n == len(data) - 1 and trailers is None)
    if trailers is not None:
        peer.send_block(stream, block(trailers), end=True)


@pytest.fixture(scope="module")
def shared():
    lab = Lab()
    yield lab
    lab.close()


class Front:
    """HTTP/2 in, an HTTP/1 origin that records whole requests and fails on malformed ones."""

    def __init__(self, lab):
        self.origin = lab.serving()
        self.gateway = lab.relay(self.origin, route={"retry": {"num_retries": 0}})
        self.barriers = 0

    def send(self, vector):
        client = self.gateway.h2_client()
        stream = client.new_stream()
        try:
            send_vector(client, stream, vector)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return client, stream

    def outcome(self, client, stream):
        """The message; None if the whole connection was ended for it."""
        try:
            return client.outcome(stream)
        except ConnectionEnded:
            assert client.goaways and client.goaways[-1].error_code != 0, client.frames
            return None

    def arrived(self):
        """The whole requests that the origin got since the last call."""
        self.barriers += 1
        mark = f"/barrier-{self.barriers}"
        client = self.gateway.client()
        assert client.get(mark).status == 200
        client.close()
        with self.origin._lock:
            found, self.origin.seen = self.origin.seen, []
        assert mark in [f.target for f in found]
        assert not self.origin.faults, self.origin.faults
        # empty_may_arrive: maybe before the barrier, maybe behind it.
        return [f for f in found if f.target != mark and (f.target, f.body) != ("/empty", b"")]


@pytest.fixture(scope="module")
def front(shared):
    return Front(shared)


def refused(message):
    if message is None or message.headers is None:
        return message is None or message.reset not in (None, 0)
    return message.status in (400, 404, 405, 408, 413, 414, 417, 421, 431, 501)


@of("request", "refuse")
def test_h2_rules_refused_request_never_reaches_the_origin(front, vector):
    client, stream = front.send(vector)
    message = front.outcome(client, stream)
    # An empty request may have been answered before the bytes came that should not be there.
    early = vector.get("empty_may_arrive") and message is not None and message.headers is not None
    assert refused(message) or (early and message.status == 200), message
    if message is not None and vector.get("stage") != "body":
        assert client.get("/alive").status == 200, "a stream's fault ended its connection"
        assert [found.target for found in front.arrived()] == ["/alive"]
    client.close()
    assert front.arrived() == []


@of("request", "status")
def test_h2_rules_request_that_weir_answers(front, vector):
    client, stream = front.send(vector)
    message = front.outcome(client, stream)
    assert message is not None and message.headers is not None, message
    assert message.status == vector["expect"]["status"]
    assert_refused(message, vector["expect"]["reason"])
    client.close()
    assert front.arrived() == []


@of("request", "forward")
def test_h2_rules_accepted_request_arrives_as_exactly_one(front, vector):
    expected = vector["expect"]["forward"]
    client, stream = front.send(vector)
    message = front.outcome(client, stream)
    client.close()
    if vector["expect"].get("or_refuse") and refused(message):
        assert front.arrived() == []
        return
    assert message is not None and message.headers and message.status == 200, message
    (found,) = front.arrived()
    assert found.start.decode("latin-1") == expected["line"]
    assert_head(found, expected)
    if "body" in expected:
        assert found.body == as_bytes(expected["body"])
    for name, value in expected.get("trailers", {}).items():
        assert found.trailers.get(name) == value
    for name in expected.get("no_trailers", ()):
        assert name not in found.trailers


def assert_head(found, expected):
    lines = [f"{name.lower()}: {value}" for name, value in found.headers.pairs]
    if "host" in expected:
        assert found.header("host") == expected["host"]
    for line in expected.get("has", ()):
        assert line in lines, found
    for name in expected.get("lacks", ()):
        assert name not in found.headers, found


class Back:
    """HTTP/1 in, an HTTP/2 origin whose answers are the vectors."""

    def __init__(self, lab):
        self.origin = lab.h2_origin()
        self.gateway = lab.relay(self.origin, cluster={"protocol": "http2",
                                                       "pool": {"max_idle": 0}},
                                 route={"retry": {"num_retries": 0}})
        self.connection = None

    def answer(self, vector):
        client = self.gateway.client()
        client.send(request(vector.get("request_method", "GET")))
        connection = self.origin.accept()
        found = connection.expect()
        send_vector(connection, found.stream, vector)
        return client, connection


@pytest.fixture(scope="module")
def back(shared):
    return Back(shared)


@of("response", "refuse")
def test_h2_rules_refused_response_is_a_bad_gateway(back, vector):
    client, connection = back.answer(vector)
    method = vector.get("request_method", "GET")
    try:
        answer = client.read_response(method)
    except (ConnectionEnded, ConnectionResetError):
        assert vector.get("stage") == "body"
    else:
        if vector.get("stage") == "body" and answer.status != 502:
            # Bodies that must not be there may be cut off instead.
            assert method == "HEAD" or answer.status in (204, 304), answer
            assert answer.body == b""
            try:
                client.send(request(method))
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert client.read_to_end_or_reset() == b"", "bytes behind a bodiless answer"
        else:
            assert answer.status == 502, answer
    client.close()
    connection.close()


@of("response", "forward")
def test_h2_rules_accepted_response_arrives(back, vector):
    expected = vector["expect"]["forward"]
    client, connection = back.answer(vector)
    answer = client.read_response()
    assert answer.status == expected["status"]
    assert_head(answer, expected)
    assert answer.body == as_bytes(expected.get("body", ""))
    client.close()
    connection.close()


@pytest.mark.parametrize("extra, status", [
    ([("x-big", "v" * 70_000)], 431), ([(f"x-{n}", "1") for n in range(120)], 431),
    ([("x" * 70_000, "1")], 431)])
def test_h2_rules_header_list_over_the_limits_is_431(front, extra, status):
    client = front.gateway.h2_client()
    stream = client.new_stream()
    client.send_headers(stream, client.pseudo() + extra, end=True)
    message = front.outcome(client, stream)
    assert message is None or message.status == status, message
    client.close()
    assert front.arrived() == []


def test_h2_rules_all_names_of_hop_by_hop_fields_vanish_towards_http2(lab):
    """From an HTTP/1 origin: Connection and what it names; check_names looks on the way."""
    origin = lab.origin()
    client = lab.h2_client(lab.relay(origin))
    stream = client.send_request()
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nConnection: x-named, keep-alive\r\nX-Named: 1\r\n"
                    "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-KEPT: 1\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    answer = client.read_response(stream)
    assert (answer.body, answer.header("x-kept")) == (b"ok", "1")
    assert "x-named" not in answer.headers
