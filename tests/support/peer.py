# SPDX-License-Identifier: Apache-2.0
"""One end of a connection, driven byte by byte from the test: what Client and OriginConnection
have in common. Reads keep every byte in `received`; drain() does not."""
import errno
import select
import socket
import struct

from support.message import BadMessage, Message, as_bytes, parse_fields
from support.waiting import PATIENCE, Deadline

_PIECE = 256 * 1024


class ConnectionEnded(AssertionError):
    """The peer closed where more was expected."""


class Peer:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self._buffer = bytearray()

    # ---- Sending and ending.
    def send(self, *pieces):
        self.sock.sendall(b"".join(as_bytes(p) for p in pieces))

    def shutdown_write(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as fault:  # reset by the peer meanwhile: nothing is left to shut down
            if fault.errno != errno.ENOTCONN:
                raise

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends with RST, not FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send_until_blocked(self, limit, quiet=0.5):
        """Sends zeros until the kernel has taken nothing for `quiet` seconds, or `limit` bytes.
        How many bytes it took."""
        sent = 0
        piece = bytes(_PIECE)
        self.sock.setblocking(False)
        try:
            while sent < limit and select.select([], [self.sock], [], quiet)[1]:
                sent += self.sock.send(piece[: limit - sent])
        finally:
            self.sock.settimeout(PATIENCE)
        return sent

    def send_zeros(self, count):
        piece = bytes(_PIECE)
        while count > 0:
            count -= self.sock.send(piece[:count])

    # ---- Receiving.
    def _more(self):
        """Receives once; False at the end of the stream."""
        data = self.sock.recv(_PIECE)
        self.received += data
        self._buffer += data
        return bool(data)

    def read_until(self, mark):
        mark = as_bytes(mark)
        start = 0
        while True:
            at = self._buffer.find(mark, start)
            if at >= 0:
                return self._take(at + len(mark))
            start = max(0, len(self._buffer) - len(mark) + 1)
            if not self._more():
                raise ConnectionEnded(f"closed after {bytes(self._buffer)!r}, wanted {mark!r}")

    def read_exact(self, count):
        while len(self._buffer) < count:
            if not self._more():
                raise ConnectionEnded(f"closed after {len(self._buffer)} of {count} bytes: "
                                      f"{bytes(self._buffer[:200])!r}")
        return self._take(count)

    def read_to_end(self):
        """All bytes until FIN."""
        while self._more():
            pass
        return self._take(len(self._buffer))

    def read_to_end_or_reset(self):
        try:
            return self.read_to_end()
        except ConnectionResetError:
            return self._take(len(self._buffer))

    def drain(self, count):
        """Reads and forgets `count` bytes."""
        count -= len(self._take(min(count, len(self._buffer))))
        while count > 0:
            data = self.sock.recv(min(_PIECE, count))
            if not data:
                raise ConnectionEnded(f"closed with {count} bytes to come")
            count -= len(data)

    def has_input(self, seconds=0.0):
        """Whether bytes or an end have come."""
        pending = getattr(self.sock, "pending", lambda: 0)
        return bool(self._buffer or pending()) or bool(select.select([self.sock], [], [], seconds)[0])

    def expect_end(self):
        """The peer closes, with FIN, and says nothing before."""
        rest = self.read_to_end()
        assert rest == b"", f"bytes before the end: {rest[:300]!r}"

    def expect_ended(self):
        """The peer is gone, by FIN or by RST; bytes before that do not matter."""
        self.read_to_end_or_reset()

    def expect_reset(self):
        deadline = Deadline()
        while not deadline.passed():
            try:
                if not self._more():
                    raise AssertionError("ended with FIN, wanted a reset")
            except ConnectionResetError:
                return
        raise AssertionError("no reset")

    def _take(self, count):
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    # ---- Messages.
    def read_head(self):
        return Message(self.read_until(b"\r\n\r\n"))

    def read_chunk(self):
        """The data of the next chunk; b"" at the last one, whose trailers are left unread."""
        line = self.read_until(b"\r\n")[:-2]
        try:
            size = int(line, 16)
        except ValueError:
            raise BadMessage(f"chunk size {line!r}") from None
        if not line.isalnum():
            raise BadMessage(f"chunk size {line!r}")
        if size == 0:
            return b""
        data = self.read_exact(size)
        if self.read_exact(2) != b"\r\n":
            raise BadMessage("chunk data without CR LF")
        return data

    def read_trailers(self):
        lines = []
        while True:
            line = self.read_until(b"\r\n")[:-2]
            if not line:
                return parse_fields(lines)
            lines.append(line)

    def read_chunked(self, message):
        while data := self.read_chunk():
            message.body += data
        message.trailers = self.read_trailers()

    def read_request(self):
        message = self.read_head()
        if message.chunked:
            self.read_chunked(message)
        elif message.length:
            message.body = self.read_exact(message.length)
        return message

    def read_response(self, method="GET"):
        """The final response; interim ones are in its `interim`."""
        interim = []
        while True:
            message = self.read_head()
            if message.status // 100 != 1 or message.status == 101:
                break
            interim.append(message)
        message.interim = interim
        self.read_response_body(message, method)
        return message

    def read_response_body(self, message, method="GET"):
        if method == "HEAD" or message.status in (101, 204, 304):
            return
        if message.chunked:
            self.read_chunked(message)
        elif message.length is not None:
            message.body = self.read_exact(message.length)
        else:
            message.body = self.read_to_end()
