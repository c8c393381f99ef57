# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 messages as bytes: builders for what tests send, and strict parsers for what they
receive. The parsers accept the canonical form only, so that every test that reads a message also
checks that weir wrote a canonical one."""
import re

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([^\x00-\x08\x0a-\x1f\x7f]*)")
_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/(1\.[01])")
_STATUS = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")


class BadMessage(AssertionError):
    """What came is not a canonical HTTP/1.1 message."""


def as_bytes(data):
    return data.encode("latin-1") if isinstance(data, str) else bytes(data)


class Fields:
    """Header fields in order; names compare without regard to case."""

    def __init__(self, pairs):
        self.pairs = pairs

    def all(self, name):
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def get(self, name):
        """The value; None if there is none; a failure if there are several."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else None

    def __contains__(self, name):
        return bool(self.all(name))

    def __repr__(self):
        return repr(self.pairs)


def parse_fields(lines):
    pairs = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if not match:
            raise BadMessage(f"field line {line!r}")
        pairs.append((match[1].decode(), match[2].decode("latin-1")))
    return Fields(pairs)


class Message:
    """A parsed head, and the body and trailers once they have been read."""

    def __init__(self, raw):
        self.raw_head = raw
        lines = raw[: -len(b"\r\n\r\n")].split(b"\r\n")
        self.start = lines[0]
        self.headers = parse_fields(lines[1:])
        self.body = b""
        self.trailers = Fields([])
        self.interim = []
        self._parse_start()
        self._check_framing()

    def header(self, name):
        return self.headers.get(name)

    def _parse_start(self):
        if self.start.startswith(b"HTTP/"):
            match = _STATUS.fullmatch(self.start)
            if not match:
                raise BadMessage(f"status line {self.start!r}")
            self.version, self.status = match[1].decode(), int(match[2])
            self.reason = match[3].decode("latin-1")
            return
        match = _REQUEST.fullmatch(self.start)
        if not match:
            raise BadMessage(f"request line {self.start!r}")
        self.method, self.target = match[1].decode(), match[2].decode()
        self.version = match[3].decode()

    def _check_framing(self):
        lengths = self.headers.all("content-length")
        codings = self.headers.all("transfer-encoding")
        if len(lengths) + len(codings) > 1:
            raise BadMessage(f"framed twice: {lengths} {codings}")
        if lengths and not re.fullmatch("0|[1-9][0-9]*", lengths[0]):
            raise BadMessage(f"content-length {lengths[0]!r}")
        if codings and codings[0] != "chunked":
            raise BadMessage(f"transfer-encoding {codings[0]!r}")

    @property
    def chunked(self):
        return "transfer-encoding" in self.headers

    @property
    def length(self):
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    def __repr__(self):
        return f"<{self.start!r} {self.headers} body={self.body[:200]!r}>"


def _lines(start, headers):
    fields = headers.items() if isinstance(headers, dict) else headers
    return (start + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n").encode("latin-1")


def chunk(data):
    data = as_bytes(data)
    return b"%x\r\n%s\r\n" % (len(data), data)


def last_chunk(trailers=()):
    fields = trailers.items() if isinstance(trailers, dict) else trailers
    return b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields).encode() + b"\r\n"


def request(method="GET", target="/", body=None, headers=(), host="a.test", version="1.1",
            chunks=None, trailers=()):
    """The bytes of a request. `body` is sent with Content-Length, `chunks` chunked."""
    fields = [("Host", host)] if host is not None else []
    fields += list(headers.items() if isinstance(headers, dict) else headers)
    tail = b""
    if chunks is not None:
        fields.append(("Transfer-Encoding", "chunked"))
        tail = b"".join(chunk(c) for c in chunks) + last_chunk(trailers)
    elif body is not None:
        fields.append(("Content-Length", len(as_bytes(body))))
        tail = as_bytes(body)
    return _lines(f"{method} {target} HTTP/{version}", fields) + tail


def response(status=200, body=b"", headers=(), reason="OK", version="1.1", chunks=None,
             trailers=(), framed=True):
    """The bytes of a response. `framed=False` leaves the framing field out."""
    fields = list(headers.items() if isinstance(headers, dict) else headers)
    tail = as_bytes(body)
    if chunks is not None:
        fields.append(("Transfer-Encoding", "chunked"))
        tail = b"".join(chunk(c) for c in chunks) + last_chunk(trailers)
    elif framed:
        fields.append(("Content-Length", len(tail)))
    return _lines(f"HTTP/{version} {status} {reason}", fields) + tail
