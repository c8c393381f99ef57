# SPDX-License-Identifier: Apache-2.0
"""Faults of TLS and HTTP/2 that escaped their own tests."""
import ssl

import pytest
from support import certs
from support.client import connect
from support.message import request, response
from support.tls import client_context


class Wire:
    """A TLS client that also keeps what went over the wire."""

    def __init__(self, address):
        self.sock = connect(address)
        self.raw = b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.half = client_context().wrap_bio(self.incoming, self.outgoing,
                                              server_hostname="a.test")
        self.exchange(self.half.do_handshake)

    def exchange(self, work):
        while True:
            try:
                result = work()
                self.sock.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                data = self.sock.recv(65536)
                assert data, "ended"
                self.raw += data
                self.incoming.write(data)

    def close(self):
        self.sock.close()


@pytest.mark.parametrize("size", [100, 20_000, 1_000_000])
def test_plain_bytes_never_go_over_a_tls_connection(lab, size):
    """Large bodies were spliced from the origin's socket to the client's, past TLS."""
    mark = b"do not tell any"
    origin = lab.origin()
    gateway = lab.relay(origin, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed]}})
    wire = lab.keep(Wire(gateway.address()))
    wire.exchange(lambda: wire.half.write(request()))
    connection = origin.accept()
    connection.expect()
    body = mark * (size // len(mark))
    connection.send(response(200, body))
    got = b""
    while len(got) < len(body):
        got += wire.exchange(lambda: wire.half.read(65536))
        assert mark not in wire.raw
    assert got.endswith(mark)
