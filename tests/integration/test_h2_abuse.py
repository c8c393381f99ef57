# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as a weapon: frames that cost the server more than the client are counted, and a client
that sends too many is told ENHANCE_YOUR_CALM and cut off. Others are served meanwhile, and what weir
holds stays bounded."""
import time

import pytest
from support import message
from support.h2frames import (CANCEL, ENHANCE_YOUR_CALM, PREFACE, PROTOCOL_ERROR, frame_bytes,
                              integer, literal)
from support.h2peer import ConnectionEnded
from support.waiting import SLOWNESS, eventually

MIB = 1 << 20
FLOOD = 4000


class Target:
    """A gateway with the usual allowance, and an origin that counts."""

    def __init__(self, lab, handler=None, **changes):
        self.lab = lab
        self.origin = lab.serving(handler)
        self.gateway = lab.relay(self.origin, **changes)
        self.bystander = lab.h2_client(self.gateway)
        assert self.bystander.get().status == 200
        self.rss = self.gateway.rss()

    def client(self, **rest):
        return self.lab.h2_client(self.gateway, **rest)

    def expect_cut(self, client, code=ENHANCE_YOUR_CALM):
        """The connection is ended, with the reason where it can still be read, and counted."""
        client.read_all()
        if client.goaways:
            assert client.goaways[-1].error_code == code, client.goaways
        if code == ENHANCE_YOUR_CALM:
            eventually(lambda: self.gateway.metric("weir_listener_http2_glitches_total",
                                                   listener="main") >= 40, "glitches are counted")
        self.expect_well()

    def expect_well(self):
        """A client that was there before, and a new one, are served; memory has stayed."""
        assert self.bystander.get().status == 200
        assert self.lab.client(self.gateway).get().status == 200
        assert self.gateway.rss() - self.rss < 24 * MIB * SLOWNESS
        eventually(lambda: self.gateway.metric("weir_memory_accounted_bytes") < MIB,
                   "nothing much is held")


@pytest.fixture
def target(lab):
    return Target(lab)


def send_all(client, pieces):
    """Until the peer takes no more; whether all of it went. What comes back is read meanwhile, as
    an attacker would, so that nothing blocks."""
    import select
    client.sock.setblocking(False)
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                readable, writable, _ = select.select([client.sock], [client.sock], [], 5)
                if readable:
                    data = client.sock.recv(1 << 16)
                    if not data:
                        return False
                    client._buffer += data
                if writable:
                    view = view[client.sock.send(view):]
                if not readable and not writable:
                    return False
        return True
    except (BrokenPipeError, ConnectionResetError, BlockingIOError):
        return False
    finally:
        from support.waiting import PATIENCE
        client.sock.settimeout(PATIENCE)


def request_block(client, *extra):
    return b"".join(literal(n, v) for n, v in [*client.pseudo(), *extra])


def batches(make, count=FLOOD, size=50):
    for at in range(0, count, size):
        yield b"".join(make(n) for n in range(at, at + size))


def test_abuse_rapid_reset(target):
    client = target.client()
    block = request_block(client)

    def one(n):
        stream = 2 * n + 1
        return (frame_bytes(1, 0x5, stream, block)
                + frame_bytes(3, 0, stream, CANCEL.to_bytes(4, "big")))
    send_all(client, batches(one))
    target.expect_cut(client)
    assert target.origin.count() < 2 * 1000 + 50


def test_abuse_goaway_comes_before_the_end(target):
    """At three quarters of the allowance the client is told, and what is under way is still served;
    at all of it the connection is cut off."""
    client = target.client()
    client.send_frame(frame_bytes(1, 0x4, 1, request_block(client)))
    pings = 0

    def ping_until(done):
        nonlocal pings
        while not done():
            client.send_frame(*[frame_bytes(6, 0, 0, b"12345678")] * 10)
            pings += 10
            client.settle(0.01)
            assert pings < 2000

    ping_until(lambda: client.goaways)
    assert 700 <= pings <= 800, pings
    assert client.goaways[0].error_code == ENHANCE_YOUR_CALM
    client.send_frame(frame_bytes(0, 0x1, 1, b"body"))
    assert client.read_response(1).status == 200
    client.read_all()


def test_abuse_a_reset_in_the_same_breath_weighs_more(target):
    """HEADERS and RST_STREAM in one packet: nobody means that but to cost."""
    client = target.client()
    block = request_block(client)
    at = 0
    while not client.goaways:
        stream = 2 * at + 1
        client.send_frame(frame_bytes(1, 0x5, stream, block),
                          frame_bytes(3, 0, stream, CANCEL.to_bytes(4, "big")))
        at += 1
        try:
            client.settle(0.005)
        except ConnectionEnded:
            break
        assert at < 400
    assert 75 <= at <= 125, at
    assert client.goaways[0].error_code == ENHANCE_YOUR_CALM


def test_abuse_resets_that_were_answered_first_are_forgiven(target):
    """A browser that cancels now and then is no attacker, however long it stays."""
    client = target.client()
    for n in range(1500):
        client.get(f"/{n}")
        if n % 10 == 0:
            client.send_reset(client.open())
    assert client.get().status == 200
    assert not client.goaways


def test_abuse_is_logged_and_counted_as_a_failure(target):
    """Once a connection, so that an operator sees who it was."""
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(6, 0, 0, b"12345678")))
    client.read_all()
    target.gateway.expect_metric(1, "weir_proxy_failures_total", reason="http2_abuse")
    eventually(lambda: any(line.get("reason") == "http2_abuse" for line in target.gateway.log(1)),
               "a log line")


def test_abuse_max_glitches_0_is_no_limit(lab):
    target = Target(lab, listener={"http2": {"max_glitches": 0}})
    client = target.client()
    assert send_all(client, batches(lambda n: frame_bytes(6, 0, 0, b"12345678"), 5000))
    client.settle(0.3)
    assert client.get().status == 200


def test_abuse_max_glitches_of_the_config(lab):
    target = Target(lab, listener={"http2": {"max_glitches": 40}})
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(0, 0, 1) if n else frame_bytes(
        1, 0x4, 1, request_block(client)), 100, 1))
    target.expect_cut(client)


def test_abuse_continuation_flood(target):
    """CVE-2024-27316 and its kin: a header block without end."""
    client = target.client()
    first = frame_bytes(1, 0, 1, request_block(client))
    junk = frame_bytes(9, 0, 1, literal("x-a", "v" * 1000) * 4)
    assert not send_all(client, [first] + [junk] * 20_000)
    client.read_all()
    target.expect_well()
    assert target.origin.count() == 3  # those of the by-standers


def test_abuse_empty_continuation_flood(target):
    client = target.client()
    first = frame_bytes(1, 0, 1, request_block(client))
    assert not send_all(client, [first] + [frame_bytes(9, 0, 1) * 100] * 5000)
    client.read_all()
    target.expect_well()


def test_abuse_header_flood(target):
    """Large heads one after the other: each is refused, and in the end the client."""
    client = target.client()
    block = request_block(client) + b"".join(literal(f"x-{n}", "v" * 50) for n in range(200))
    send_all(client, batches(lambda n: frame_bytes(1, 0x5, 2 * n + 1, block), 3000, 5))
    target.expect_cut(client)


def test_abuse_malformed_request_flood(target):
    client = target.client()
    block = request_block(client, ("X-Upper", "1"))
    send_all(client, batches(lambda n: frame_bytes(1, 0x5, 2 * n + 1, block)))
    target.expect_cut(client)


def test_abuse_settings_flood(target):
    client = target.client()
    client.answers_settings = False
    send_all(client, batches(lambda n: frame_bytes(4, 0, 0, b"\0\4\0\1\0\0")))
    target.expect_cut(client)


def test_abuse_empty_settings_flood(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(4)))
    target.expect_cut(client)


def test_abuse_ping_flood(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(6, 0, 0, b"12345678")))
    target.expect_cut(client)


def test_abuse_ping_flood_whose_answers_are_not_read(target):
    """The answers would pile up in the server (CVE-2019-9512)."""
    client = target.client(receive_buffer=4096)
    blocked = b"".join(frame_bytes(6, 0, 0, b"12345678") for _ in range(1000))
    try:
        for _ in range(200):
            client.sock.settimeout(1)
            client.send(blocked)
    except OSError:
        pass
    target.expect_well()


def test_abuse_empty_data_flood(target):
    client = target.client()
    head = frame_bytes(1, 0x4, 1, request_block(client))
    send_all(client, [head, *batches(lambda n: frame_bytes(0, 0, 1))])
    target.expect_cut(client)


def test_abuse_padded_empty_data_flood(target):
    """Padding pays with the window, but says nothing."""
    client = target.client()
    head = frame_bytes(1, 0x4, 1, request_block(client))
    send_all(client, [head, *batches(lambda n: frame_bytes(0, 0x8, 1, b"\3\0\0\0"))])
    client.read_all()
    target.expect_well()


def test_abuse_window_update_flood(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(8, 0, 0, b"\0\0\0\1")))
    target.expect_cut(client)


def test_abuse_window_updates_on_streams_that_ended(target):
    client = target.client()
    client.get()
    send_all(client, batches(lambda n: frame_bytes(8, 0, 1, b"\0\0\0\1")))
    target.expect_cut(client)


def test_abuse_priority_churn(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(2, 0, 2 * n + 1, b"\0\0\0\0\x10")))
    target.expect_cut(client)


def test_abuse_priority_update_churn(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(
        0x10, 0, 0, (2 * n + 1).to_bytes(4, "big") + b"u=1")))
    target.expect_cut(client)


def test_abuse_unknown_frames_flood(target):
    """Ignored by the RFC, and paid for by whoever reads them."""
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(0xbb, 0, 0, b"x" * 10), 20_000, 500))
    client.settle(0.2)
    target.expect_well()


def test_abuse_streams_over_the_limit_flood(target):
    """Refused streams cost as well (RFC 9113, 10.5)."""
    hold = Target(target.lab, handler=lambda found, connection: connection.answer()
                  if found.target == "/" and b"hold" not in found.raw_head else None,
                  listener={"http2": {"max_concurrent_streams": 10}})
    client = hold.client()
    block = request_block(client, ("x-do", "hold"))
    send_all(client, batches(lambda n: frame_bytes(1, 0x5, 2 * n + 1, block)))
    client.read_all()
    assert hold.origin.count() <= 20
    assert hold.bystander.get().status == 200


@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE, PREFACE + frame_bytes(4)[:4]],
                         ids=["nothing", "half a preface", "no settings", "half of settings"])
def test_abuse_slow_preface(lab, sent):
    target = Target(lab, listener={"http1": {"header_timeout": "300ms",
                                             "keepalive_timeout": "300ms"}})
    client = lab.keep(target.gateway.client())
    client.send(sent)
    client.expect_ended()


def test_abuse_slow_header_block(lab):
    """HEADERS and then a CONTINUATION now and then: header_timeout counts the whole block."""
    target = Target(lab, listener={"http1": {"header_timeout": "500ms"}})
    client = target.client()
    client.send_frame(frame_bytes(1, 0, 1, request_block(client)))
    begun = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError, ConnectionEnded, AssertionError)):
        while time.monotonic() - begun < 5 * SLOWNESS:
            client.send_frame(frame_bytes(9, 0, 1, literal("x-a", "1")))
            client.settle(0.1)
        raise SystemExit("not cut off")


def test_abuse_slow_body(lab):
    target = Target(lab, listener={"http1": {"body_idle_timeout": "300ms"}})
    client = target.client()
    stream = client.open("POST", end=False)
    client.send_data_frame(stream, b"x")
    found = client.outcome(stream)
    assert found.reset is not None or found.status == 408, found
    assert client.get().status == 200


def test_abuse_reader_that_never_opens_its_window(lab):
    """CVE-2019-9511: a little of many answers is asked for and never taken."""
    body = b"x" * MIB
    target = Target(lab, handler=lambda found, connection: connection.answer(200, body)
                    if found.target == "/big" else connection.answer(200, b"ok"),
                    listener={"http1": {"min_send_rate": "1KiB/s"}})
    client = target.client(settings={"initial_window_size": 0})
    client.opens_windows = False
    streams = [client.open("GET", "/big") for _ in range(20)]
    eventually(lambda: target.origin.count() >= 21, "all are asked for", 20 * SLOWNESS)
    client.settle(0.3)
    held = target.gateway.metric("weir_memory_accounted_bytes")
    assert held < 20 * 256 * 1024, held
    assert target.bystander.get().status == 200
    client.close()
    assert len(streams) == 20


def test_abuse_window_that_opens_byte_by_byte(lab):
    """CVE-2019-9511, data dribble: one frame a byte."""
    target = Target(lab, handler=lambda f, c: c.answer(200, b"x" * 20000))
    client = target.client(settings={"initial_window_size": 0})
    client.opens_windows = False
    stream = client.open()
    send_all(client, batches(lambda n: frame_bytes(8, 0, stream, b"\0\0\0\1"), 20000, 100))
    client.read_all() if not _alive(client) else None
    assert target.bystander.get().status == 200


def test_abuse_hpack_bomb(target):
    """A few bytes that name a large entry again and again: the limit is that of what comes out."""
    client = target.client()
    big = b"\x40" + integer(5, 7) + b"x-big" + integer(4000, 7) + b"v" * 4000
    first = client.new_stream()
    client.send_block(first, request_block(client) + big, end=True)
    for _ in range(50):
        stream = client.new_stream()
        try:
            client.send_block(stream, request_block(client) + b"\xbe" * 16000, end=True)
        except (BrokenPipeError, ConnectionResetError):
            break
    client.read_all() if not _alive(client) else None
    target.expect_well()
    assert target.origin.count() <= 4 + 1


def _alive(client):
    try:
        client.settle(0.5)
        client.sync()
        return True
    except (ConnectionEnded, AssertionError, OSError):
        return False


def test_abuse_table_size_updates_without_end(target):
    client = target.client()
    block = b"\x20" * 10_000 + request_block(client)
    stream = client.new_stream()
    client.send_block(stream, block, end=True)
    _alive(client)
    target.expect_well()


def test_abuse_cookie_crumbs_bomb(target):
    """Crumbs are joined: their sum counts, not the number of bytes on the wire."""
    client = target.client()
    stream = client.new_stream()
    crumb = literal("cookie", "a" * 100)
    client.send_block(stream, request_block(client) + crumb * 2000, end=True)
    try:
        found = client.outcome(stream)
        assert found.reset is not None or found.status == 431, found
    except ConnectionEnded:
        pass
    target.expect_well()


def test_abuse_frame_larger_than_allowed(target):
    client = target.client()
    client.send(frame_bytes(0, 0, 1, length=(1 << 24) - 1))
    client.read_all()
    assert client.goaways[-1].error_code in (6, PROTOCOL_ERROR)
    target.expect_well()


def test_abuse_of_one_connection_is_not_held_against_the_next(target):
    client = target.client()
    send_all(client, batches(lambda n: frame_bytes(6, 0, 0, b"12345678")))
    target.expect_cut(client)
    assert target.client().get().status == 200


def test_abuse_origin_that_floods_is_cut_off(lab):
    """The same from the other side: the request fails, weir lives."""
    origin = lab.h2_origin()
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(message.request())
    connection = origin.accept()
    connection.expect()
    send_all(connection, batches(lambda n: frame_bytes(4), 20_000, 200))
    assert client.read_response().status == 502
    connection.read_all()
    client.send(message.request("GET", "/2"))
    other = origin.accept()
    other.answer(other.expect("GET", "/2"))
    assert client.read_response().status == 200


def test_abuse_origin_with_a_head_without_end(lab):
    origin = lab.h2_origin()
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, route={"retry": {"num_retries": 0}})
    rss = gateway.rss()
    client = lab.client(gateway)
    client.send(message.request())
    connection = origin.accept()
    found = connection.expect()
    junk = frame_bytes(9, 0, found.stream, literal("x-a", "v" * 1000) * 4)
    send_all(connection, [frame_bytes(1, 0, found.stream, literal(":status", "200"))]
             + [junk] * 20_000)
    assert client.read_response().status == 502
    assert gateway.rss() - rss < 24 * MIB * SLOWNESS
