# SPDX-License-Identifier: Apache-2.0
"""Origins: raw servers on port 0 or a unix socket.

Origin leaves every connection to the test, which accepts it and drives it step by step: reads the
request, sends what it wants, closes or resets. Nothing runs beside the test, so that an order of
events is written down and not raced for.

ServingOrigin answers by itself, a thread a connection: for loads, balancing and everything where
only the outcome matters. It records all requests."""
import os
import queue
import socket
import ssl
import threading

from support import message
from support.message import BadMessage
from support.peer import ConnectionEnded, Peer
from support.waiting import PATIENCE, eventually


class OriginConnection(Peer):
    def expect(self, method=None, target=None):
        """The next request, which must have this method and target."""
        found = self.read_request()
        if method:
            assert found.method == method, found
        if target:
            assert found.target == target, found
        return found

    def answer(self, status=200, body=b"", **rest):
        self.send(message.response(status, body, **rest))


def listening_socket(path=None, backlog=512, host="127.0.0.1", port=0):
    family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if not path:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(path or (host, port))
    sock.listen(backlog)
    return sock


class Origin:
    """`tls`: the ssl context of its side."""
    connection_type = OriginConnection

    def __init__(self, path=None, host="127.0.0.1", port=0, tls=None):
        self.path = path
        self.tls = tls
        self.listener = listening_socket(path, host=host, port=port)
        self.listener.settimeout(PATIENCE)
        self.connections = []

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def address(self):
        """As the config writes it."""
        if self.path:
            return "unix:" + self.path
        host, port = self.listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def accept(self):
        sock, _ = self.listener.accept()
        if self.tls:
            sock.settimeout(PATIENCE)
            sock = self.tls.wrap_socket(sock, server_side=True)
        connection = self.connection_type(sock)
        self.connections.append(connection)
        return connection

    def serve_one(self, *answer, **rest):
        """Accepts, reads a request, answers it, and returns (connection, request)."""
        connection = self.accept()
        found = connection.read_request()
        connection.answer(*answer, **rest)
        return connection, found

    def stop_listening(self):
        """From now on connecting is refused."""
        self.listener.close()

    def close(self):
        self.stop_listening()
        for connection in self.connections:
            connection.close()
        if self.path and os.path.exists(self.path):
            os.unlink(self.path)


class Blackhole:
    """A listening socket whose backlog is full: connecting to it neither succeeds nor fails."""

    def __init__(self):
        self.listener = listening_socket(backlog=0)
        self._fillers = []
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(self.listener.getsockname())
            self._fillers.append(sock)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def close(self):
        for sock in self._fillers:
            sock.close()
        self.listener.close()


def echo_name(name):
    """A handler that says who answered."""
    return lambda found, connection: connection.answer(200, name)


class ServingOrigin(Origin):
    """`handler(request, connection)` answers one request; it may close the connection."""

    def __init__(self, handler=None, **where):
        super().__init__(**where)
        self.handler = handler or (lambda found, connection: connection.answer(200, b"ok"))
        self.requests = queue.Queue()
        self.seen = []
        self.faults = []
        self.refused = []  # connections that came to nothing, as TLS says it
        self._lock = threading.Lock()
        self._threads = []
        self._stopping = False
        self._acceptor = threading.Thread(target=self._accept_all, daemon=True)
        self._acceptor.start()

    def _accept_all(self):
        while True:
            try:
                connection = self.accept()
            except (TimeoutError, ssl.SSLError, ConnectionError) as fault:
                self.refused.append(fault)
                continue
            except OSError:
                return
            if self._stopping:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        self._guard(connection, self._serve_requests)

    def _serve_requests(self, connection):
        connection.sock.settimeout(None)
        while True:
            found = connection.read_request()
            self.record(found)
            self.handler(found, connection)

    def _guard(self, connection, serve):
        """Serves a connection until it ends; what was malformed is a fault of the test."""
        try:
            serve(connection)
        except BadMessage as fault:
            self.faults.append(fault)
        except (ConnectionEnded, OSError, ValueError):
            pass
        except AssertionError as fault:
            self.faults.append(fault)
        connection.close()

    def record(self, found):
        with self._lock:
            self.seen.append(found)
        self.requests.put(found)

    def next_request(self):
        return self.requests.get(timeout=PATIENCE)

    def count(self):
        with self._lock:
            return len(self.seen)

    def wait_for(self, count):
        eventually(lambda: self.count() >= count, f"{count} requests at {self.address}")

    def stop_listening(self):
        self._stopping = True
        try:
            if self.path:  # its accept() does not end with a shutdown
                socket.socket(socket.AF_UNIX).connect(self.path)
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._acceptor.join(PATIENCE)
        self.listener.close()

    def close(self):
        self.stop_listening()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(PATIENCE)
        super().close()
        assert not self.faults, self.faults
