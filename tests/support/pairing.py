# SPDX-License-Identifier: Apache-2.0
"""One exchange as its two ends see it, whatever version either speaks: a Caller sends a request and
reads the response, an Answerer the other way round. The tests of the four pairings are written once
against these."""
from support import message, tls
from support.lab import merge

PAIRINGS = ["1-1", "1-2", "2-1", "2-2"]


class _Half:
    """Sends a message piece by piece; `length` None is a body of unknown length."""

    def _framing(self, length):
        return [("Transfer-Encoding", "chunked")] if length is None else [
            ("Content-Length", str(length))]


class H1Caller(_Half):
    def __init__(self, peer):
        self.peer, self.method, self._chunked = peer, "GET", False

    def send(self, method="GET", path="/", headers=(), body=None, trailers=None, host="a.test"):
        self.method = method
        chunks = [body] if body else []
        self.peer.send(message.request(method, path, headers=headers, host=host, body=body)
                       if trailers is None else
                       message.request(method, path, headers=headers, host=host, chunks=chunks,
                                       trailers=trailers))

    def send_head(self, method="POST", path="/", headers=(), length=None):
        self.method, self._chunked = method, length is None
        self.peer.send(message.request(method, path,
                                       headers=[*headers, *self._framing(length)]))

    def send_data(self, data):
        self.peer.send(message.chunk(data) if self._chunked else data)

    def finish(self, trailers=()):
        if self._chunked:
            self.peer.send(message.last_chunk(trailers))

    def head(self):
        return self.peer.read_head()

    def response(self):
        return self.peer.read_response(self.method)

    def abort(self):
        self.peer.reset()

    def expect_cut(self):
        """The response does not come to its end."""
        import pytest
        from support.peer import ConnectionEnded
        with pytest.raises((ConnectionEnded, ConnectionResetError)):
            self.response()


class H2Caller:
    def __init__(self, peer):
        self.peer, self.stream = peer, None

    def send(self, method="GET", path="/", headers=(), body=None, trailers=None, host="a.test"):
        fields = [(n.lower(), v) for n, v in headers]
        if body is not None:
            fields.append(("content-length", str(len(body))))
        self.stream = self.peer.send_request(method, path, fields, body, trailers, authority=host)

    def send_head(self, method="POST", path="/", headers=(), length=None):
        fields = [(n.lower(), v) for n, v in headers]
        if length is not None:
            fields.append(("content-length", str(length)))
        self.stream = self.peer.open(method, path, fields, end=False)

    def send_data(self, data):
        self.peer.send_data(self.stream, data, end=False)

    def finish(self, trailers=()):
        if trailers:
            self.peer.send_headers(self.stream, trailers, end=True)
        else:
            self.peer.send_data(self.stream, b"", end=True)

    def head(self):
        return self.peer.read_head(self.stream)

    def response(self):
        return self.peer.read_response(self.stream)

    def abort(self):
        self.peer.send_reset(self.stream)

    def expect_cut(self):
        found = self.peer.outcome(self.stream)
        assert found.reset is not None and not found.ended, found


class H1Answerer(_Half):
    def __init__(self, origin):
        self.origin, self.peer, self._chunked = origin, None, False

    def accept(self):
        self.peer = self.peer or self.origin.accept()
        return self.peer

    def request(self):
        return self.accept().read_request()

    def head(self):
        return self.accept().read_head()

    def interim(self, status=103, headers=()):
        self.peer.send(message.response(status, headers=headers, framed=False))

    def answer(self, status=200, body=b"", headers=(), trailers=None):
        bodiless = status in (204, 304)
        self.peer.send(message.response(status, body, headers=headers, framed=not bodiless)
                       if trailers is None else
                       message.response(status, headers=headers, chunks=[body] if body else [],
                                        trailers=trailers))

    def send_head(self, status=200, headers=(), length=None):
        self._chunked = length is None
        self.peer.send(message.response(status, headers=[*headers, *self._framing(length)],
                                        framed=False))

    def send_data(self, data):
        self.peer.send(message.chunk(data) if self._chunked else data)

    def finish(self, trailers=()):
        if self._chunked:
            self.peer.send(message.last_chunk(trailers))

    def abort(self):
        self.peer.reset()

    def expect_cut(self):
        self.peer.expect_ended()


class H2Answerer:
    def __init__(self, origin):
        self.origin, self.peer, self.stream = origin, None, None

    def accept(self):
        self.peer = self.peer or self.origin.accept()
        return self.peer

    def request(self):
        found = self.accept().expect()
        self.stream = found.stream
        return found

    def head(self):
        found = self.accept().read_request_head()
        self.stream = found.stream
        return found

    def interim(self, status=103, headers=()):
        self.peer.send_head(self.stream, status, [(n.lower(), v) for n, v in headers])

    def answer(self, status=200, body=b"", headers=(), trailers=None):
        fields = [(n.lower(), v) for n, v in headers]
        self.peer.answer(self.stream, status, body, fields, trailers)

    def send_head(self, status=200, headers=(), length=None):
        fields = [(n.lower(), v) for n, v in headers]
        if length is not None:
            fields.append(("content-length", str(length)))
        self.peer.send_head(self.stream, status, fields)

    def send_data(self, data):
        self.peer.send_data(self.stream, data, end=False)

    def finish(self, trailers=()):
        if trailers:
            self.peer.send_headers(self.stream, trailers, end=True)
        else:
            self.peer.send_data(self.stream, b"", end=True)

    def abort(self):
        self.peer.send_reset(self.stream, 2)

    def expect_cut(self):
        found = self.peer.message(self.stream)
        self.peer.wait(lambda: found.reset is not None, "a reset")


class Pairing:
    """A gateway between a client and an origin of these versions ("1-2": HTTP/1 in, HTTP/2 out).
    `secure` puts TLS on both sides."""

    def __init__(self, lab, which="2-2", secure=False, settings=(), **changes):
        self.lab, self.secure = lab, secure
        self.down, self.up = int(which[0]), int(which[-1])
        alpn = tls.ALPN_H2 if self.up == 2 else tls.ALPN_H1
        where = {"tls": tls.server_context(alpn=alpn)} if secure else {}
        self.origin = (lab.h2_origin(settings=settings, **where) if self.up == 2
                       else lab.origin(**where))
        self.gateway = lab.relay(self.origin, **merge(self.keys(), changes))
        self._connection = None

    def keys(self):
        keys = {"cluster": {"protocol": f"http{self.up}"}, "listener": {}}
        if self.secure:
            from support import certs
            keys["listener"]["tls"] = {"certificates": [certs.leaf("a.test").listed]}
            keys["cluster"]["tls"] = {"ca": certs.authority().cert, "sni": "origin.test"}
        return keys

    def connect(self):
        context = None
        if self.secure:
            context = tls.client_context(alpn=tls.ALPN_H2 if self.down == 2 else tls.ALPN_H1)
        if self.down == 2:
            return self.lab.h2_client(self.gateway, tls=context)
        return self.lab.client(self.gateway, tls=context)

    def caller(self):
        """A new one; HTTP/2 callers share a connection."""
        if self.down == 1:
            return H1Caller(self.connect())
        self._connection = self._connection or self.connect()
        return H2Caller(self._connection)

    def answerer(self):
        """A new one; on HTTP/2 all share the first connection until another is accepted."""
        return H2Answerer(self.origin) if self.up == 2 else H1Answerer(self.origin)

    def ends(self):
        return self.caller(), self.answerer()


__all__ = ["PAIRINGS", "Pairing", "H1Caller", "H2Caller", "H1Answerer", "H2Answerer"]
