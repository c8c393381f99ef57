# SPDX-License-Identifier: Apache-2.0
"""RFC 9113 and RFC 7541 by section, as raw frames: the error has the code and the scope that the RFC
gives it. "connection": GOAWAY with that code and the end; "stream": RST_STREAM, and the connection
lives; "fine": answered."""
import pytest
from support.h2frames import (COMPRESSION_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PREFACE,
                              PROTOCOL_ERROR, STREAM_CLOSED, frame_bytes, literal)
from support.lab import Lab

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 0x1, 0x1, 0x4, 0x8, 0x20
HEAD = b"".join(literal(n, v) for n, v in [(":method", "POST"), (":scheme", "http"),
                                           (":path", "/"), (":authority", "a.test")])


def head(stream=1, flags=END_HEADERS | END_STREAM, block=HEAD):
    return frame_bytes(HEADERS, flags, stream, block)


OPEN = head(flags=END_HEADERS)
RESET = frame_bytes(RST, 0, 1, b"\0\0\0\x08")


def setting(identifier, value):
    return frame_bytes(SETTINGS, 0, 0, identifier.to_bytes(2, "big") + value.to_bytes(4, "big"))


FINE, PE, FSE, FCE, SC, CE = ("fine", PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR,
                              STREAM_CLOSED, COMPRESSION_ERROR)

CONNECTION = {
    "4.2 headers frame over max_frame_size": (head(block=HEAD + b"\0" * 17000), FSE),
    "4.3 indexed field that is not there": (head(block=HEAD + b"\xff\xff\x03"), CE),
    "4.3 field block cut off": (head(block=HEAD + b"\0\x05x"), CE),
    "4.3 another frame inside a field block": (
        head(flags=END_STREAM) + frame_bytes(PING, 0, 0, b"12345678"), PE),
    "4.3 another stream inside a field block": (head(flags=END_STREAM) + head(3), PE),
    "5.1 data on an idle stream": (frame_bytes(DATA, END_STREAM, 1, b"x"), PE),
    "5.1 rst_stream on an idle stream": (frame_bytes(RST, 0, 1, b"\0\0\0\x08"), PE),
    "5.1 window_update on an idle stream": (frame_bytes(WINDOW, 0, 1, b"\0\0\0\1"), PE),
    "5.1 continuation on an idle stream": (frame_bytes(CONT, END_HEADERS, 1, HEAD), PE),
    "5.1.1 even stream": (head(2), PE),
    "5.1.1 stream number goes back": (head(5) + head(3), PE),
    "5.1 data on a reset stream": (OPEN + RESET + frame_bytes(DATA, 1, 1, b"x"), SC),
    "5.1 headers on a reset stream": (OPEN + RESET + head(), SC),
    "5.3.1 headers that depend on themselves": (
        frame_bytes(HEADERS, END_HEADERS | END_STREAM | PRIO, 1, b"\0\0\0\1\xff" + HEAD), PE),
    "5.3.1 priority that depends on itself": (
        frame_bytes(PRIORITY, 0, 1, b"\0\0\0\1\xff"), PE),
    "5.3.1 priority of an open stream that depends on itself": (
        OPEN + frame_bytes(PRIORITY, 0, 1, b"\x80\0\0\1\xff"), PE),
    "6.1 data on stream 0": (frame_bytes(DATA, END_STREAM, 0, b"x"), PE),
    "6.1 padding longer than the frame": (
        OPEN + frame_bytes(DATA, PADDED | END_STREAM, 1, b"\x08abc"), PE),
    "6.2 headers on stream 0": (head(0), PE),
    "6.2 padding longer than the frame": (
        frame_bytes(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + HEAD), PE),
    "6.3 priority on stream 0": (frame_bytes(PRIORITY, 0, 0, b"\0\0\0\0\0"), PE),
    "6.4 rst_stream on stream 0": (frame_bytes(RST, 0, 0, b"\0\0\0\x08"), PE),
    "6.4 rst_stream of another size": (OPEN + frame_bytes(RST, 0, 1, b"\0\0\x08"), FSE),
    "6.5 settings ack with a payload": (frame_bytes(SETTINGS, ACK, 0, b"\0\3\0\0\0\1"), FSE),
    "6.5 settings on a stream": (frame_bytes(SETTINGS, 0, 1, b"\0\3\0\0\0\1"), PE),
    "6.5 settings of another size": (frame_bytes(SETTINGS, 0, 0, b"\0\3\0"), FSE),
    "6.5.2 enable_push is 2": (setting(2, 2), PE),
    "6.5.2 window over 2^31-1": (setting(4, 1 << 31), FCE),
    "6.5.2 frame size too small": (setting(5, 16383), PE),
    "6.5.2 frame size too large": (setting(5, 1 << 24), PE),
    "6.6 client pushes": (OPEN + frame_bytes(PUSH, END_HEADERS, 1, b"\0\0\0\2" + HEAD), PE),
    "6.7 ping on a stream": (frame_bytes(PING, 0, 1, b"12345678"), PE),
    "6.7 ping of another size": (frame_bytes(PING, 0, 0, b"123456"), FSE),
    "6.8 goaway on a stream": (frame_bytes(GOAWAY, 0, 1, b"\0" * 8), PE),
    "6.9 window_update of 0 on the connection": (frame_bytes(WINDOW, 0, 0, b"\0\0\0\0"), PE),
    "6.9 window_update of another size": (frame_bytes(WINDOW, 0, 0, b"\0\0\1"), FSE),
    "6.9.1 connection window over 2^31-1": (frame_bytes(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FCE),
    "6.9.2 settings push a stream window over 2^31-1": (
        OPEN + frame_bytes(WINDOW, 0, 1, b"\x7f\xff\0\0") + setting(4, (1 << 31) - 1), FCE),
    "6.10 continuation after end_headers": (
        head(flags=END_HEADERS) + frame_bytes(CONT, END_HEADERS, 1, literal("x-a", "1")), PE),
    "6.10 continuation on stream 0": (
        head(flags=END_STREAM) + frame_bytes(CONT, END_HEADERS, 0, b""), PE),
    "8441-3 enable_connect_protocol is 2": (setting(8, 2), PE),
    "7541-2.3.3 index 0": (head(block=HEAD + b"\x80"), CE),
    "7541-4.2 table size update at the end of a block": (head(block=HEAD + b"\x20"), CE),
    "7541-5.2 string without its end in huffman padding": (
        head(block=HEAD + b"\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"), CE),
    "7541-5.2 eos in a huffman string": (
        head(block=HEAD + b"\0\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"), CE),
    "7541-6.3 table size over the limit": (head(block=b"\x3f\xe1\xff\x03" + HEAD), CE),
    "7541-5.1 integer without end": (head(block=HEAD + b"\xff" + b"\xff" * 20 + b"\x01"), CE),
}

# A receiver may treat each of these as an error of the connection (RFC 9113, 5.4.2).
STREAM = {
    "5.1 data on a half-closed stream": (head() + frame_bytes(DATA, END_STREAM, 1, b"x"), SC),
    "5.1 headers on a half-closed stream": (head() + head(), SC),
    "6.3 priority of another size": (OPEN + frame_bytes(PRIORITY, 0, 1, b"\x80\0\0\1"), FSE),
    "6.9 window_update of 0 on a stream": (OPEN + frame_bytes(WINDOW, 0, 1, b"\0\0\0\0"), PE),
    "6.9.1 stream window over 2^31-1": (
        OPEN + frame_bytes(WINDOW, 0, 1, b"\x7f\xff\xff\xff"), FCE),
    "8.1 second head without end_stream": (OPEN + OPEN, PE),
    "4.2 data frame over max_frame_size": (
        OPEN + frame_bytes(DATA, END_STREAM, 1, b"\0" * 16385), FSE),
}

FINES = {
    "4.1 unknown frame type": frame_bytes(0xbb, 0, 0, b"x") + head(),
    "4.1 undefined flags": frame_bytes(PING, 0x16, 0, b"12345678") + head(),
    "4.1 reserved bit": frame_bytes(PING, 0, 1 << 31, b"12345678") + head(),
    "5.1 priority on an idle stream": frame_bytes(PRIORITY, 0, 3, b"\0\0\0\0\x10") + head(),
    "5.1 priority on a closed stream": head() + frame_bytes(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
    "5.5 unknown extension in between": OPEN + frame_bytes(0xbb, 0, 1, b"x") + frame_bytes(
        DATA, END_STREAM, 1),
    "6.1 padded data": OPEN + frame_bytes(DATA, PADDED | END_STREAM, 1, b"\3abc\0\0\0"),
    "6.1 data that is all padding": OPEN + frame_bytes(DATA, PADDED | END_STREAM, 1, b"\3\0\0\0"),
    "6.2 padded headers": frame_bytes(HEADERS, END_HEADERS | END_STREAM | PADDED, 1,
                                      b"\5" + HEAD + b"\0" * 5),
    "6.2 headers with priority": frame_bytes(HEADERS, END_HEADERS | END_STREAM | PRIO, 1,
                                             b"\0\0\0\0\xff" + HEAD),
    "6.2 headers in continuations": (
        frame_bytes(HEADERS, END_STREAM, 1, HEAD[:7]) + frame_bytes(CONT, 0, 1, HEAD[7:20])
        + frame_bytes(CONT, END_HEADERS, 1, HEAD[20:])),
    "6.5 unknown setting": setting(0xba, 1) + head(),
    "6.5 several values of one setting": frame_bytes(
        SETTINGS, 0, 0, b"\0\4\0\0\0\1" + b"\0\4\0\1\0\0") + head(),
    "6.7 ping ack that nobody asked for": frame_bytes(PING, ACK, 0, b"12345678") + head(),
    "7541-2.3.3 every static entry": head(
        block=HEAD + b"".join(bytes([0x80 | n]) for n in (15, 16, 17, 19, 24, 29, 51, 58))),
    "7541-4.2 table size update at the start": head(block=b"\x20" + HEAD),
    "7541-6.2.1 incremental indexing": head(
        block=HEAD + b"\x40\x03x-a\x011" + b"\xbe"),
    "7541-6.2.3 never indexed": head(block=HEAD + b"\x10\x03x-a\x011"),
}


@pytest.fixture(scope="module")
def gateway():
    lab = Lab()
    yield lab.relay(lab.serving())
    lab.close()


@pytest.fixture
def client(gateway):
    made = gateway.h2_client()
    made.sync()
    yield made
    made.close()


def of(table):
    return pytest.mark.parametrize("case", list(table.values()), ids=list(table))


def allowed(codes):
    return codes if isinstance(codes, tuple) else (codes,)


@of(CONNECTION)
def test_conformance_connection_error(client, case):
    sent, codes = case
    client.send(sent)
    client.expect_goaway(*allowed(codes))


@of(STREAM)
def test_conformance_stream_error(client, case):
    """The stream is reset, unless it was over before, and the connection lives or is ended."""
    sent, code = case
    client.send(sent)
    try:
        client.sync()
    except AssertionError:
        assert client.goaways and client.goaways[-1].error_code in (code, PE), client.goaways
        return
    message = client.message(1)
    client.wait(lambda: message.ended or message.reset is not None, "an end of the stream")
    assert message.reset in (code, PE) or message.ended, message


@pytest.mark.parametrize("late", [frame_bytes(DATA, END_STREAM, 1, b"x"), head(), OPEN],
                         ids=["data", "headers", "headers without an end"])
def test_conformance_frame_on_a_stream_that_both_have_ended(client, late):
    """RFC 9113, 5.1: not even a late one."""
    client.send(head())
    assert client.read_response(1).body == b"ok"
    client.send(late)
    client.expect_goaway(STREAM_CLOSED)


def test_conformance_late_frames_on_a_stream_that_the_server_reset(client):
    """RFC 9113, 5.1: they were sent before the reset came, and are ignored."""
    client.send(head(block=HEAD[:-1] + b"\0", flags=END_HEADERS))
    client.wait(lambda: client.message(1).reset == PROTOCOL_ERROR, "a reset")
    client.send(frame_bytes(DATA, 0, 1, b"x"), head(block=literal("x-sum", "1")), head(3))
    assert client.read_response(3).body == b"ok"
    assert not client.goaways


def test_conformance_late_window_updates_and_resets_are_ignored(client):
    client.send(head())
    assert client.read_response(1).body == b"ok"
    client.send(frame_bytes(WINDOW, 0, 1, b"\0\0\0\1"), RESET, head(3))
    assert client.read_response(3).body == b"ok"
    assert not client.goaways


@pytest.mark.parametrize("sent", list(FINES.values()), ids=list(FINES))
def test_conformance_what_must_be_taken(client, sent):
    client.send(sent)
    assert client.read_response(1).body == b"ok"
    client.sync()
    assert not client.goaways


@pytest.mark.parametrize("greeting", [
    b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", PREFACE + frame_bytes(PING, 0, 0, b"12345678"),
    PREFACE + frame_bytes(SETTINGS, ACK)],
    ids=["wrong preface", "no settings first", "ack first"])
def test_conformance_preface(gateway, greeting):
    client = gateway.client()
    client.send(greeting)
    client.expect_ended()
    client.close()


def test_conformance_preface_in_single_bytes(gateway):
    """One byte a segment, so that the choice between HTTP/1 and HTTP/2 waits for enough."""
    import time
    client = gateway.h2_client(settings=None)
    for byte in PREFACE:
        client.send(bytes([byte]))
        time.sleep(0.001)
    client.send(frame_bytes(SETTINGS), head())
    assert client.read_response(1).body == b"ok"
    client.close()


@pytest.mark.parametrize("start", ["P", "PR", "PRI", "PRI ", "PRI * HTTP/1.1\r\n", "PROPFIND / "])
def test_conformance_http_1_that_begins_like_the_preface(gateway, start):
    client = gateway.client()
    client.send(start)
    assert not client.has_input(0.1) or start == "PRI * HTTP/1.1\r\n"
    rest = "PROPFIND / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    if rest.startswith(start):
        client.send(rest[len(start):])
        assert client.read_response().status == 200
    client.close()


def test_conformance_settings_are_acknowledged(gateway):
    client = gateway.h2_client()
    client.wait(lambda: client.settings_acks == 1, "SETTINGS ACK")
    client.send_settings(initial_window_size=1000)
    client.wait(lambda: client.settings_acks == 2, "SETTINGS ACK")
    client.close()


def test_conformance_window_below_zero_holds_data(lab):
    """RFC 9113, 6.9.2: a smaller initial window may make a stream's window negative."""
    origin = lab.serving(lambda f, c: c.answer(200, b"x" * 1000))
    client = lab.h2_client(lab.relay(origin), settings={"initial_window_size": 600})
    client.opens_windows = False
    stream = client.open()
    client.wait(lambda: client.message(stream).received == 600, "all of the window")
    client.send_settings(initial_window_size=100)
    client.send_window(stream, 450)
    client.settle(0.2)
    assert client.message(stream).received == 600
    client.send_window(stream, 51)
    client.wait(lambda: client.message(stream).received == 601, "one byte")
    client.send_window(stream, 1000)
    assert len(client.read_response(stream).body) == 1000


def test_conformance_frames_are_no_longer_than_allowed(lab):
    """parse and count: SETTINGS_MAX_FRAME_SIZE of the client is 16384."""
    origin = lab.serving(lambda f, c: c.answer(200, b"x" * 100_000, headers={"X-L": "v" * 20_000}))
    client = lab.h2_client(lab.relay(origin))
    real, longest = client.read_exact, []

    def spy(count):
        longest.append(count)
        return real(count)
    client.read_exact = spy
    client.get()
    assert max(longest) <= 16384
