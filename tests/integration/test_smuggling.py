# SPDX-License-Identifier: Apache-2.0
"""Every vector of tests/support/vectors/smuggling.json against the real binary: what is refused
never reaches an origin and says why; what is accepted arrives in the canonical form, and so does
what origins answer."""
import json
import os

import pytest
from support.lab import Lab
from support.message import as_bytes, request, response
from support.peer import ConnectionEnded
from support.refusal import assert_refused

_FILE = os.path.join(os.path.dirname(__file__), "../support/vectors/smuggling.json")
with open(_FILE, encoding="utf-8") as _file:
    VECTORS = json.load(_file)["vectors"]

# The parser takes these; the gateway has its own answer.
REFUSED_METHODS = ("TRACE ", "CONNECT ")


def of(kind, verdict, stage=None):
    found = [v for v in VECTORS if v["kind"] == kind and verdict in v["expect"]
             and v["expect"].get("stage") == stage]
    assert found
    return pytest.mark.parametrize("vector", found, ids=[v["name"] for v in found])


@pytest.fixture(scope="module")
def shared():
    lab = Lab()
    yield lab
    lab.close()


class Front:
    """A gateway before an origin that records whole requests."""

    def __init__(self, lab):
        self.lab = lab
        self.origin = lab.serving()
        self.gateway = lab.relay(self.origin, route={"retry": {"num_retries": 0}})
        self.barriers = 0

    def send(self, raw):
        client = self.gateway.client()
        client.send(as_bytes(raw))
        return client

    def arrived(self):
        """The requests that the origin got since the last call, whole ones."""
        self.barriers += 1
        mark = f"/barrier-{self.barriers}"
        client = self.gateway.client()
        assert client.get(mark).status == 200
        client.close()
        with self.origin._lock:
            found, self.origin.seen = self.origin.seen, []
        assert found[-1].target == mark
        return found[:-1]


@pytest.fixture(scope="module")
def front(shared):
    return Front(shared)


@of("request", "status", "head")
def test_smuggling_refused_request_never_reaches_the_origin(front, vector):
    client = front.send(vector["bytes"])
    before = len(front.origin.connections)
    answer = client.read_response()
    assert_refused(answer, vector["expect"]["reason"])
    assert answer.status == vector["expect"]["status"]
    client.expect_ended()
    client.close()
    assert len(front.origin.connections) == before
    assert front.arrived() == []


@of("request", "status", "body")
def test_smuggling_refused_body_never_arrives_as_a_whole(front, vector):
    client = front.send(vector["bytes"])
    assert_refused(client.read_response(), vector["expect"]["reason"])
    client.expect_ended()
    client.close()
    assert front.arrived() == []


@of("request", "forward")
def test_smuggling_accepted_request_arrives_canonical(front, vector):
    expected = vector["expect"]["forward"]
    client = front.send(vector["bytes"])
    client.shutdown_write()
    answer = client.read_response(expected["line"].split(" ")[0])
    client.read_to_end_or_reset()  # the answers to what stood behind it
    if expected["line"].startswith(REFUSED_METHODS):
        assert_refused(answer, "method_refused")
        client.close()
        assert front.arrived() == []
        return
    assert answer.status == 200, answer
    client.close()
    if expected["line"].startswith("OPTIONS * "):
        assert front.arrived() == []  # asks weir itself
        return
    found = front.arrived()[0]
    assert found.start.decode("latin-1") == expected["line"]
    if "host" in expected:
        assert found.header("host") == expected["host"]
    assert_head(found, expected)
    assert found.body == as_bytes(expected["body"])


def assert_head(found, expected):
    lines = [f"{name}: {value}" for name, value in found.headers.pairs]
    for line in expected.get("has", ()):
        assert line in lines, found
    for name in expected.get("lacks", ()):
        assert name not in found.headers, found


@of("request", "incomplete")
def test_smuggling_incomplete_request_is_waited_for(front, vector):
    client = front.send(vector["bytes"])
    assert front.arrived() == []
    assert not client.has_input()
    client.close()


class Back:
    """A gateway before an origin whose answers are written by hand, a connection for each."""

    def __init__(self, lab):
        self.origin = lab.origin()
        self.gateway = lab.relay(self.origin, cluster={"pool": {"max_idle": 0}},
                                 route={"retry": {"num_retries": 0}})

    def answer(self, vector, then=b""):
        """A client that asked, once the origin has sent the vector and ended."""
        client = self.gateway.client()
        client.send(request(vector.get("request_method", "GET")))
        connection = self.origin.accept()
        connection.read_request()
        connection.send(vector["bytes"], then)
        connection.shutdown_write()
        return client


@pytest.fixture(scope="module")
def back(shared):
    return Back(shared)


@of("response", "status", "head")
def test_smuggling_refused_response_is_a_bad_gateway(back, vector):
    client = back.answer(vector)
    answer = client.read_response(vector.get("request_method", "GET"))
    assert_refused(answer, vector["expect"]["reason"])
    client.close()


@of("response", "status", "body")
def test_smuggling_refused_response_body_is_not_passed_off_as_whole(back, vector):
    client = back.answer(vector)
    try:
        answer = client.read_response(vector.get("request_method", "GET"))
    except (ConnectionEnded, ConnectionResetError):
        pass
    else:
        assert_refused(answer, vector["expect"]["reason"])
    client.close()


@of("response", "forward")
def test_smuggling_accepted_response_arrives_canonical(back, vector):
    expected = vector["expect"]["forward"]
    status = int(expected["line"].split(" ")[1])
    interim = status // 100 == 1
    client = back.answer(vector, then=response(200, b"final") if interim else b"")
    answer = client.read_response(vector.get("request_method", "GET"))
    client.close()
    if interim:
        assert (answer.status, answer.body) == (200, b"final")
        return
    assert answer.status == status
    assert answer.body == as_bytes(expected["body"])
    if expected["ends"] == "framed":
        assert_head(answer, expected)
