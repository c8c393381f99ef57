# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 clients and origins out of frames (h2frames.py), plain by prior knowledge or over TLS."""
from support.h2frames import PREFACE, H2Peer, StreamReset, field_bytes
from support.origin import Origin, ServingOrigin
from support.peer import ConnectionEnded
from support.waiting import PATIENCE


class H2Client(H2Peer):
    """Sends the preface at once. `settings=None`: not even that."""

    def __init__(self, sock, settings=(), scheme="http"):
        super().__init__(sock)
        self.scheme = scheme
        self.next_stream = 1
        if settings is not None:
            self.send(PREFACE)
            self.send_settings(**dict(settings))

    def new_stream(self):
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        return stream

    def pseudo(self, method="GET", path="/", authority="a.test", scheme=None):
        fields = [(":method", method), (":scheme", scheme or self.scheme), (":path", path)]
        return fields + ([(":authority", authority)] if authority is not None else [])

    def open(self, method="GET", path="/", headers=(), end=True, **pseudo):
        """Sends the head of a request; its stream."""
        stream = self.new_stream()
        self.send_headers(stream, self.pseudo(method, path, **pseudo) + field_bytes(headers), end)
        return stream

    def send_request(self, method="GET", path="/", headers=(), body=None, trailers=None, **pseudo):
        stream = self.open(method, path, headers, body is None and trailers is None, **pseudo)
        if body is not None or trailers is not None:
            self.send_data(stream, body or b"", end=trailers is None)
        if trailers is not None:
            self.send_headers(stream, trailers, end=True)
        return stream

    def read_head(self, stream):
        """The response once its final head is there."""
        message = self.message(stream)
        self.wait(lambda: message.headers is not None or message.reset is not None,
                  f"a response on {stream}")
        if message.headers is None:
            raise StreamReset(f"reset with {message.reset}: {message}")
        return message

    def outcome(self, stream):
        """The response, whole or reset."""
        message = self.message(stream)
        self.wait(lambda: message.ended or message.reset is not None, f"an end of {stream}")
        return message

    def read_response(self, stream):
        message = self.outcome(stream)
        if not message.ended:
            raise StreamReset(f"reset with {message.reset}: {message}")
        return message

    def request(self, method="GET", path="/", **rest):
        return self.read_response(self.send_request(method, path, **rest))

    def get(self, path="/", **rest):
        return self.request("GET", path, **rest)

    def expect_reset_stream(self, stream, *codes):
        """The stream is refused by RST_STREAM or weir's own 4xx, and the connection lives."""
        message = self.outcome(stream)
        assert message.reset is not None and message.headers is None, message
        assert not codes or message.reset in codes, message

    def expect_goaway(self, *codes):
        """GOAWAY with one of these codes, then the end of the connection."""
        self.read_all()
        assert self.goaways, f"ended without GOAWAY; frames {self.frames[-5:]}"
        assert not codes or self.goaways[-1].error_code in codes, self.goaways


class H2OriginConnection(H2Peer):
    """Reads the preface and sends its SETTINGS when first used."""
    settings = ()

    def start(self):
        assert self.read_exact(len(PREFACE)) == PREFACE
        self.send_settings(**dict(self.settings))
        self.heads = []  # requests whose head is there, not yet handed out
        return self

    def on_fields(self, message, fields, end):
        if message.headers is None:
            self.heads.append(message)
        super().on_fields(message, fields, end)

    def read_request_head(self):
        self.wait(lambda: self.heads, "the head of a request")
        return self.heads.pop(0)

    def read_request(self):
        message = self.read_request_head()
        self.wait(lambda: message.ended or message.reset is not None, "a whole request")
        return message

    def expect(self, method=None, target=None):
        """The next request, whole, which must have this method and target."""
        found = self.read_request()
        assert found.ended, found
        assert method is None or found.method == method, found
        assert target is None or found.target == target, found
        return found

    def send_head(self, stream, status=200, headers=(), end=False):
        self.send_headers(stream, [(":status", status)] + field_bytes(headers), end)

    def answer(self, stream, status=200, body=b"", headers=(), trailers=None):
        stream = getattr(stream, "stream", stream)
        bare = not body and trailers is None
        self.send_head(stream, status, headers, end=bare)
        if not bare:
            self.send_data(stream, body, end=trailers is None)
        if trailers is not None:
            self.send_headers(stream, trailers, end=True)


class H2Origin(Origin):
    """Left to the test, as Origin is. `settings` are what each connection begins with."""
    connection_type = H2OriginConnection

    def __init__(self, settings=(), **where):
        super().__init__(**where)
        self.settings = settings

    def accept(self):
        connection = super().accept()
        connection.settings = self.settings
        return connection.start()

    def serve_one(self, *answer, **rest):
        connection = self.accept()
        found = connection.read_request()
        connection.answer(found.stream, *answer, **rest)
        return connection, found


class H2ServingOrigin(ServingOrigin):
    """Answers by itself, a thread a connection. `handler(request, connection)` may leave a request
    unanswered; the test's thread may then answer it, as long as it fits the windows."""
    connection_type = H2OriginConnection

    def __init__(self, handler=None, settings=(), **where):
        self.settings = settings
        super().__init__(handler or (lambda found, connection: connection.answer(found, 200, b"ok")),
                         **where)

    def _serve(self, connection):
        self._guard(connection, self._serve_streams)

    def _serve_streams(self, connection):
        connection.settings = self.settings
        connection.sock.settimeout(None)
        connection.start()
        waiting = []
        while True:
            connection.read_frame()
            waiting += connection.heads
            connection.heads = []
            for found in [m for m in waiting if m.ended]:
                waiting.remove(found)
                self.record(found)
                self.handler(found, connection)


__all__ = ["H2Client", "H2Origin", "H2OriginConnection", "H2ServingOrigin", "ConnectionEnded",
           "PATIENCE"]
