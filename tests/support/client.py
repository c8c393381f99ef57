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


class Client(Peer):
    def __init__(self, address, receive_buffer=None, source=None):
        super().__init__(connect(address, receive_buffer, source))

    def request(self, method="GET", target="/", **rest):
        """Sends a request (see message.request) and reads its response."""
        self.send(message.request(method, target, **rest))
        return self.read_response(method)

    def get(self, target="/", **rest):
        return self.request("GET", target, **rest)
