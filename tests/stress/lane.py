# SPDX-License-Identifier: Apache-2.0
"""A lane runs cases one after the other against an origin of its own; many lanes share a gateway.

A case is an exchange, a place k and a way to end: events before k happen in order, then one side
ends, the other side sends what it still had to send, and both are closed. What the gateway makes of
it is its business; that it makes an end of it is checked when all lanes are done."""
import errno
import select
import socket
import struct
from dataclasses import dataclass

from support.client import connect
from support.origin import listening_socket
from support.waiting import PATIENCE, Deadline

WAYS = [(side, how) for side in ("client", "origin") for how in ("shutdown", "close", "reset")]


@dataclass
class Case:
    name: str
    events: list
    at: int  # len(events): the whole exchange
    side: str = "client"
    how: str = "close"

    def __str__(self):
        return f"{self.name}: {self.side} {self.how} at {self.at} of {len(self.events)}"


class Ended(Exception):
    """The gateway has ended the connection that the next event needs."""


class End:
    """One side of a case: a socket, and what it has received and not yet looked for."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setblocking(False)
        self.seen = b""
        self.open = True

    def receive(self):
        """Takes what is there; False once the other side has ended."""
        while True:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                return True
            except OSError:
                self.open = False
                return False
            if not data:
                self.open = False
                return False
            self.seen += data

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end(self, how):
        if how == "reset":
            self.reset()
        elif how == "close":
            self.sock.close()
        else:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as fault:
                if fault.errno != errno.ENOTCONN:
                    raise


class Lane:
    def __init__(self, number):
        self.number = number
        self.listener = listening_socket()
        self.listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self._idle = []  # origin's ends that no case has claimed
        self._serial = 0

    def run(self, gateway_address, case):
        self._serial += 1
        self._word = f"lane{self.number}case{self._serial}x"
        self._client = End(connect(gateway_address))
        self._origin = None
        try:
            self._walk(case)
        except Ended as fault:
            # Up to k both sides have played by the rules, and so must the gateway.
            raise AssertionError(f"{case}: {fault}") from None
        finally:
            self._finish(case)

    def _walk(self, case):
        for what, data in case.events[: case.at]:
            self._do(what, data.replace("@ID@", self._word).encode())
        if case.at == len(case.events):
            return
        end = self._client if case.side == "client" else self._origin
        if end:
            end.end(case.how)
        # The side that is left says what it had to say.
        other, mark = (self._origin, "O") if case.side == "client" else (self._client, "C")
        for what, data in case.events[case.at:]:
            if other and what == mark:
                self._try_send(other, data.replace("@ID@", self._word).encode())

    def _finish(self, case):
        self._client.sock.close()
        # A broken origin may have answered what was never asked, which no later case may read.
        broken = case.at < len(case.events)
        if self._origin and broken:
            self._origin.sock.close()
        elif self._origin:
            self._origin.seen = b""
            self._idle.append(self._origin)
        kept = []
        for end in self._idle:
            # A request that came in the end will get no answer: let the gateway know.
            if end.receive() and not end.seen:
                kept.append(end)
            else:
                end.sock.close()
        self._idle = kept

    def _do(self, what, data):
        if what == "C":
            self._send(self._client, data)
        elif what == "O":
            self._send(self._bound_origin(), data)
        elif what == "c?":
            self._await(self._client, data)
        elif what == "o?":
            self._await(self._bound_origin(), data)
        elif what == "Of":
            self._bound_origin().end("shutdown")
        elif what == "find":
            self._find(data)
        elif what == "again":
            self._bound_origin().sock.close()
            self._origin = None
            self._find(b"")

    def _bound_origin(self):
        """The origin's end that carries this case's request."""
        return self._origin or self._find(b"")

    def _find(self, rest_of_target):
        if self._origin:
            self._idle.append(self._origin)
            self._origin = None
        wanted = self._word.encode() + rest_of_target
        deadline = Deadline()
        while self._origin is None:
            for end in list(self._idle):
                alive = end.receive()
                if wanted in end.seen:
                    self._origin = end
                elif alive:
                    continue
                else:
                    end.sock.close()
                self._idle.remove(end)
            if self._origin is None:
                self._accept(deadline)
        return self._origin

    def _accept(self, deadline):
        waiting = [self.listener, *(end.sock for end in self._idle)]
        if deadline.passed():
            raise Ended("the request never reached the origin")
        select.select(waiting, [], [], min(1.0, deadline.left()))
        try:
            self._idle.append(End(self.listener.accept()[0]))
        except BlockingIOError:
            pass

    def _ends(self):
        return [end for end in (self._client, self._origin) if end and end.open]

    def _turn(self, writing=None, seconds=PATIENCE):
        """Waits until something can be read, or `writing` written, and reads it."""
        ends = self._ends()
        wanted = [writing.sock] if writing else []
        readable, writable, _ = select.select([e.sock for e in ends], wanted, [], seconds)
        for end in ends:
            if end.sock in readable:
                end.receive()
        return bool(readable or writable)

    def _await(self, end, mark):
        while mark not in end.seen:
            if not end.open:
                raise Ended(f"ended before {mark!r}; last came {end.seen[-300:]!r}")
            if not self._turn():
                raise Ended(f"nothing came before {mark!r}; last came {end.seen[-300:]!r}")
        end.seen = end.seen[end.seen.index(mark) + len(mark):]

    def _send(self, end, data):
        if not self._try_send(end, data):
            raise Ended("could not send")

    def _try_send(self, end, data):
        """Sends while it reads what comes, as peers do that never block each other."""
        data = memoryview(data)
        while data:
            try:
                data = data[end.sock.send(data):]
            except BlockingIOError:
                # A far side that is gone takes no more; do not wait for it long.
                if not self._turn(writing=end, seconds=0.2):
                    return False
            except OSError:
                return False
        return True

    def close(self):
        for end in self._idle:
            end.sock.close()
        self.listener.close()
