# SPDX-License-Identifier: Apache-2.0
"""A client: a raw connection to a listener."""
import socket

from support import message
from support.peer import Peer
from support.waiting import PATIENCE


def connect(address, receive_buffer=None, source=None):
    """`address` is (ip, port) or the path of a unix socket."""
    family = socket.AF_UNIX if isinstance(address, str) else (
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            sock.bind((source, 0))
        sock.settimeout(PATIENCE)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def connect_tls(address, context, name="a.test", session=None, **rest):
    """With the handshake done. `name`: SNI, and what the certificate must be good for."""
    sock = connect(address, **rest)
    try:
        return context.wrap_socket(sock, server_hostname=name, session=session)
    except BaseException:
        sock.close()
        raise


class Client(Peer):
    """`tls`: the ssl context to speak through."""

    def __init__(self, address, tls=None, name="a.test", session=None, **rest):
        super().__init__(connect_tls(address, tls, name, session, **rest) if tls
                         else connect(address, **rest))

    def request(self, method="GET", target="/", **rest):
        """Sends a request (see message.request) and reads its response."""
        self.send(message.request(method, target, **rest))
        return self.read_response(method)

    def get(self, target="/", **rest):
        return self.request("GET", target, **rest)
