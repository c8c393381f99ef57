# SPDX-License-Identifier: Apache-2.0
"""One end of an HTTP/2 connection, driven frame by frame from the test. Frames are hyperframe's and
headers hpack's; there is no state machine, so that a test can break every rule. What is received is
noted down by stream; SETTINGS and PING are answered and windows opened unless told otherwise."""
import threading

import hpack
from hyperframe import frame as hf
from support.message import Fields, as_bytes
from support.peer import ConnectionEnded, Peer
from support.waiting import Deadline

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW = 65535

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(10, 14)

SETTINGS = {"header_table_size": 1, "enable_push": 2, "max_concurrent_streams": 3,
            "initial_window_size": 4, "max_frame_size": 5, "max_header_list_size": 6,
            "enable_connect_protocol": 8, "no_rfc7540_priorities": 9}


class StreamReset(AssertionError):
    """The peer reset a stream from which more was expected."""


def frame_bytes(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame by its octets: nothing is checked, and the length may lie."""
    payload = as_bytes(payload)
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A field as HPACK's plainest form: literal, not indexed, no Huffman."""
    out = b"\0"
    for text in (as_bytes(name), as_bytes(value)):
        out += integer(len(text), 7) + text
    return out


def integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def field_bytes(fields):
    pairs = fields.items() if isinstance(fields, dict) else fields
    return [(as_bytes(n), as_bytes(str(v) if isinstance(v, int) else v)) for n, v in pairs]


class H2Message:
    """A request or a response: what has come of it on one stream."""

    def __init__(self, stream):
        self.stream = stream
        self.headers = None  # Fields, pseudo-headers included, once the final head is there
        self.trailers = Fields([])
        self.interim = []
        self.body = b""
        self.received = 0  # flow-controlled bytes
        self.ended = False
        self.reset = None  # the code of RST_STREAM

    def header(self, name):
        return self.headers.get(name)

    @property
    def status(self):
        return int(self.header(":status"))

    method = property(lambda self: self.header(":method"))
    target = property(lambda self: self.header(":path"))
    authority = property(lambda self: self.header(":authority"))

    def take_fields(self, fields, end):
        if self.headers is None:
            status = fields.get(":status")
            if status is not None and status.startswith("1"):
                self.interim.append(Interim(fields))
            else:
                self.headers = fields
        else:
            self.trailers = fields
        self.ended = self.ended or end

    def __repr__(self):
        return (f"<stream {self.stream} {self.headers} body={self.body[:200]!r} "
                f"trailers={self.trailers} ended={self.ended} reset={self.reset}>")


class Interim:
    def __init__(self, fields):
        self.headers, self.status = fields, int(fields.get(":status"))


class H2Peer(Peer):
    def __init__(self, sock):
        super().__init__(sock)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        self.lock = threading.RLock()
        self.streams = {}
        self.frames = []  # all that came but DATA
        self.goaways = []
        self.peer_settings = {}
        self.settings_acks = 0
        self.pongs = []
        self.answers_settings = True
        self.answers_pings = True
        self.opens_windows = True  # False, or a set of stream ids that are kept closed
        self.window = DEFAULT_WINDOW  # what we may send on the connection
        self.windows = {}  # and on a stream
        self._block = None

    # ---- Sending.
    def send_frame(self, *frames):
        with self.lock:
            self.send(*(f if isinstance(f, bytes) else f.serialize() for f in frames))

    def send_settings(self, **values):
        frame = hf.SettingsFrame(0)
        frame.settings = {SETTINGS[name]: value for name, value in values.items()}
        self.send_frame(frame)

    def send_headers(self, stream, fields, end=False, split=16384, flags=()):
        with self.lock:
            block = self.encoder.encode(field_bytes(fields))
            self.send_block(stream, block, end, split, flags)

    def send_block(self, stream, block, end=False, split=16384, flags=()):
        """A header block of any octets, in HEADERS and as many CONTINUATIONs as it takes."""
        parts = [block[at:at + split] for at in range(0, len(block), split)] or [b""]
        frames = [hf.HeadersFrame(stream, parts[0])]
        frames += [hf.ContinuationFrame(stream, part) for part in parts[1:]]
        for flag in [*flags, *(["END_STREAM"] if end else [])]:
            frames[0].flags.add(flag)
        frames[-1].flags.add("END_HEADERS")
        self.send_frame(*frames)

    def send_data(self, stream, data, end=True):
        """As much at a time as the windows allow; waits for them."""
        data = as_bytes(data)
        while data or end:
            self.wait(lambda: not data or min(self.room(stream)) > 0, f"a window for {stream}")
            with self.lock:
                size = min(len(data), 16384, *self.room(stream)) if data else 0
                self.send_data_frame(stream, data[:size], end and size == len(data))
            if end and size == len(data):
                return
            data = data[size:]

    def send_data_frame(self, stream, data=b"", end=False, padding=None):
        frame = hf.DataFrame(stream, as_bytes(data))
        if end:
            frame.flags.add("END_STREAM")
        if padding is not None:
            frame.flags.add("PADDED")
            frame.pad_length = padding
        with self.lock:
            self.window -= frame.flow_controlled_length
            self.windows[stream] = self.room(stream)[1] - frame.flow_controlled_length
            self.send_frame(frame)

    def room(self, stream):
        """(what the connection, what the stream lets us send)."""
        initial = self.peer_settings.get(SETTINGS["initial_window_size"], DEFAULT_WINDOW)
        return self.window, self.windows.setdefault(stream, initial)

    def send_reset(self, stream, code=CANCEL):
        frame = hf.RstStreamFrame(stream)
        frame.error_code = code
        self.send_frame(frame)

    def send_window(self, stream, increment):
        frame = hf.WindowUpdateFrame(stream)
        frame.window_increment = increment
        self.send_frame(frame)

    def send_ping(self, data=b"12345678", ack=False):
        frame = hf.PingFrame(0, data)
        if ack:
            frame.flags.add("ACK")
        self.send_frame(frame)

    def send_goaway(self, last=0, code=NO_ERROR):
        frame = hf.GoAwayFrame(0)
        frame.last_stream_id, frame.error_code = last, code
        self.send_frame(frame)

    # ---- Receiving.
    def message(self, stream):
        if stream not in self.streams:
            self.streams[stream] = H2Message(stream)
        return self.streams[stream]

    def read_frame(self):
        """The next frame, noted down."""
        head = self.read_exact(9)
        frame, length = hf.Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self.read_exact(length)))
        del self.received[:]
        self._note(frame)
        return frame

    def wait(self, predicate, what):
        """Reads frames until it holds."""
        deadline = Deadline()
        while not predicate():
            if deadline.passed():
                raise AssertionError(f"not in time: {what}; got {self.frames[-5:]}")
            try:
                self.read_frame()
            except (ConnectionEnded, ConnectionResetError, BrokenPipeError) as fault:
                raise ConnectionEnded(f"while waiting for {what}: {fault!r}, goaways "
                                      f"{self.goaways}, frames {self.frames[-5:]}") from None
            except TimeoutError:
                raise AssertionError(f"not in time: {what}; got {self.frames[-5:]}") from None

    def settle(self, seconds=0.2):
        """Reads frames until none has come for so long."""
        while self.has_input(seconds):
            self.read_frame()

    def read_all(self):
        """Reads frames until the peer closes."""
        try:
            while True:
                self.read_frame()
        except (ConnectionEnded, ConnectionResetError, BrokenPipeError):
            return

    def sync(self):
        """PING and its answer: all that was sent before has been read by the peer."""
        mark = b"sync" + len(self.pongs).to_bytes(4, "big")
        self.send_ping(mark)
        self.wait(lambda: mark in self.pongs, "the answer to a PING")

    def _note(self, frame):
        if not isinstance(frame, hf.DataFrame):
            self.frames.append(frame)
        with self.lock:
            handler = getattr(self, "_on_" + type(frame).__name__, None)
            if handler:
                handler(frame)

    def _on_SettingsFrame(self, frame):
        if "ACK" in frame.flags:
            self.settings_acks += 1
            return
        name = SETTINGS["initial_window_size"]
        if name in frame.settings:
            change = frame.settings[name] - self.peer_settings.get(name, DEFAULT_WINDOW)
            self.windows = {stream: size + change for stream, size in self.windows.items()}
        self.peer_settings.update(frame.settings)
        if SETTINGS["header_table_size"] in frame.settings:
            self.encoder.header_table_size = frame.settings[SETTINGS["header_table_size"]]
        if self.answers_settings:
            ack = hf.SettingsFrame(0)
            ack.flags.add("ACK")
            self.send_frame(ack)

    def _on_PingFrame(self, frame):
        if "ACK" in frame.flags:
            self.pongs.append(frame.opaque_data)
        elif self.answers_pings:
            self.send_ping(frame.opaque_data, ack=True)

    def _on_GoAwayFrame(self, frame):
        self.goaways.append(frame)

    def _on_WindowUpdateFrame(self, frame):
        if frame.stream_id == 0:
            self.window += frame.window_increment
        else:
            self.windows[frame.stream_id] = self.room(frame.stream_id)[1] + frame.window_increment

    def _on_RstStreamFrame(self, frame):
        self.message(frame.stream_id).reset = frame.error_code

    def _on_HeadersFrame(self, frame):
        self._block = (frame.stream_id, b"", "END_STREAM" in frame.flags)
        self._on_ContinuationFrame(frame)

    def _on_ContinuationFrame(self, frame):
        stream, block, end = self._block
        assert stream == frame.stream_id, f"a header block in two streams: {frame}"
        self._block = (stream, block + frame.data, end)
        if "END_HEADERS" not in frame.flags:
            return
        pairs = self.decoder.decode(self._block[1], raw=True)
        fields = Fields([(n.decode("latin-1"), v.decode("latin-1")) for n, v in pairs])
        check_names(fields)
        self._block = None
        self.on_fields(self.message(stream), fields, end)

    def on_fields(self, message, fields, end):
        message.take_fields(fields, end)

    def _on_DataFrame(self, frame):
        message = self.message(frame.stream_id)
        message.body += frame.data
        message.received += frame.flow_controlled_length
        message.ended = message.ended or "END_STREAM" in frame.flags
        if frame.flow_controlled_length and self.opens_windows is not False:
            self.send_window(0, frame.flow_controlled_length)
            closed = self.opens_windows if isinstance(self.opens_windows, set) else ()
            if not message.ended and frame.stream_id not in closed:
                self.send_window(frame.stream_id, frame.flow_controlled_length)


_CONNECTION_FIELDS = ("connection", "keep-alive", "proxy-connection", "transfer-encoding",
                      "upgrade", "http2-settings")


def check_names(fields):
    """What weir sends must be as strict as what it takes (RFC 9113, 8.2 and 8.3)."""
    regular = False
    for name, value in fields.pairs:
        assert name == name.lower(), f"upper case in {name!r}"
        assert not name.startswith(":") or not regular, f"{name} after a regular field"
        assert name not in _CONNECTION_FIELDS, f"connection field {name}: {value}"
        assert name != "te" or value == "trailers", f"te: {value}"
        assert not any(c in value for c in "\r\n\0"), f"{name}: {value!r}"
        regular = regular or not name.startswith(":")
