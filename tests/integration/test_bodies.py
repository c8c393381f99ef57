# SPDX-License-Identifier: Apache-2.0
"""Bodies stream, with back-pressure: what passes through weir may be any size, what weir holds of
it may not."""
import os
import threading

import pytest
from support.message import request
from support.waiting import SLOWNESS, eventually

MIB = 1 << 20
LITTLE = MIB + 128 * 1024  # a pipe, charged with all that it may hold, and one read
LARGE = 256 * MIB // SLOWNESS
HUGE = 10 << 30
HELD = "weir_memory_accounted_bytes"


class Background(threading.Thread):
    """Runs `work` beside the test; join_ok() gives back its failure."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work = work
        self._fault = None
        self.start()

    def run(self):
        try:
            self._work()
        except BaseException as fault:  # handed to the test by join_ok
            self._fault = fault

    def join_ok(self, seconds=120):
        self.join(seconds)
        assert not self.is_alive(), "still at work"
        if self._fault:
            raise self._fault


def most_held_while(thread, gateway):
    most = 0
    while thread.is_alive():
        most = max(most, gateway.metric(HELD))
        thread.join(0.02)
    thread.join_ok()
    return most


def upload(lab, size, chunked=False):
    client, origin, gateway = lab.pair(route={"limits": {"max_request_bytes": 0}})
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    client.send(request("POST", headers=framing))
    connection = origin.accept()
    connection.read_head()

    def send():
        if not chunked:
            client.send_zeros(size)
            return
        for _ in range(size // MIB):
            client.send(b"100000\r\n", bytes(MIB), b"\r\n")
        client.send(b"0\r\n\r\n")

    sender = Background(send)
    if chunked:
        receiver = Background(lambda: drain_chunked(connection))
    else:
        receiver = Background(lambda: connection.drain(size))
    most = most_held_while(receiver, gateway)
    sender.join_ok()
    connection.answer(200, b"thanks")
    assert client.read_response().body == b"thanks"
    return most


def drain_chunked(peer):
    while peer.read_chunk():
        peer.received.clear()
    peer.read_trailers()


def download(lab, size, chunked=False):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")

    def send():
        if not chunked:
            connection.send_zeros(size)
            return
        for _ in range(size // MIB):
            connection.send(b"100000\r\n", bytes(MIB), b"\r\n")
        connection.send(b"0\r\n\r\n")

    sender = Background(send)
    client.read_head()
    if chunked:
        receiver = Background(lambda: drain_chunked(client))
    else:
        receiver = Background(lambda: client.drain(size))
    most = most_held_while(receiver, gateway)
    sender.join_ok()
    return most


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_large_upload_passes_in_little_memory(lab, chunked):
    assert upload(lab, LARGE, chunked) < LITTLE


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_large_download_passes_in_little_memory(lab, chunked):
    assert download(lab, LARGE, chunked) < LITTLE


@pytest.mark.huge
def test_body_upload_of_10_gib_passes_in_little_memory(lab):
    assert upload(lab, HUGE) < LITTLE


@pytest.mark.huge
def test_body_download_of_10_gib_passes_in_little_memory(lab):
    assert download(lab, HUGE) < LITTLE


def test_body_upload_to_an_origin_that_does_not_read_stalls_the_client(lab):
    client, origin, gateway = lab.pair(route={"limits": {"max_request_bytes": 0}})
    client.send(request("POST", headers={"Content-Length": str(LARGE)}))
    connection = origin.accept()
    connection.read_head()
    sent = client.send_until_blocked(LARGE)
    assert sent < LARGE
    assert gateway.metric(HELD) < LITTLE
    sender = Background(lambda: client.send_zeros(LARGE - sent))
    connection.drain(LARGE)
    sender.join_ok()
    connection.answer()
    assert client.read_response().status == 200


def test_body_download_to_a_client_that_does_not_read_stalls_the_origin(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")
    sent = connection.send_until_blocked(LARGE)
    assert sent < LARGE
    assert gateway.metric(HELD) < LITTLE
    sender = Background(lambda: connection.send_zeros(LARGE - sent))
    client.read_head()
    client.drain(LARGE)
    sender.join_ok()


def test_body_stalled_exchange_does_not_stall_others(lab):
    origin = lab.origin()
    gateway = lab.relay(origin)
    stalled, other = lab.client(gateway), lab.client(gateway)
    stalled.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")
    connection.send_until_blocked(LARGE, quiet=0.2)
    other.send(request("GET", "/other"))
    origin.serve_one(200, b"fine")
    assert other.read_response().body == b"fine"


def test_body_memory_is_given_back(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")
    connection.send_until_blocked(LARGE, quiet=0.2)
    client.reset()
    connection.expect_ended()
    eventually(lambda: gateway.metric(HELD) == 0, "no byte accounted for")


def pattern(size):
    """Bytes that differ at every place where a relay could lose or repeat some."""
    words = b"".join(b"%07d\n" % n for n in range(size // 8 + 1))
    return words[:size]


@pytest.mark.parametrize("size", [0, 1, 1000, 65535, 65536, 65537, 200_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_arrives_unchanged_both_ways(lab, size, framing):
    body = pattern(size)
    pieces = [body[i:i + 7777] for i in range(0, size, 7777)]
    how = {"body": body} if framing == "length" else {"chunks": pieces}
    origin = lab.serving(
        lambda found, connection: connection.answer(200, **{**how, "body": found.body}
                                                    if framing == "length" else how))
    client = lab.client(lab.relay(origin))
    sender = Background(lambda: client.send(request("POST", "/", **how)))
    assert client.read_response().body == body
    sender.join_ok()
    assert origin.next_request().body == body


def test_body_both_directions_stream_at_once(lab):
    """An origin that answers each piece while the next one is still to come."""
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Transfer-Encoding": "chunked"}))
    connection = origin.accept()
    connection.read_head()
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.read_head()
    for n in range(20):
        client.send(b"5\r\n%05d\r\n" % n)
        assert connection.read_chunk() == b"%05d" % n
        connection.send(b"5\r\n%05d\r\n" % n)
        assert client.read_chunk() == b"%05d" % n


def test_body_descriptors_are_given_back(lab):
    client, origin, gateway = lab.pair()

    def descriptors():
        return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))

    client.send(request())
    connection, _ = origin.serve_one(200, b"x")
    client.read_response()
    before = descriptors()
    for _ in range(20):
        client.send(request())
        connection.expect()
        connection.answer(200, pattern(500_000))
        client.read_response()
    # The connection pair, and pipes for splicing that may stay in their pool.
    assert descriptors() <= before + 4
