# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol: believed from trusted peers, in both versions and however it is cut up; nobody
else can name another address; and sent to origins that ask for it."""
import pytest
from support import certs
from support import proxy_header as ph
from support.client import connect
from support.h2peer import H2Client
from support.lab import merge
from support.message import request
from support.origin import OriginConnection
from support.peer import Peer
from support.proxy_header import tlv, v1, v2, with_crc
from support.tls import client_context, server_context
from support.waiting import PATIENCE, eventually

TRUSTED = {"trusted_proxies": ["127.0.0.1/32"]}


def accepting(lab, how="require", trusted=True, origin=None, **changes):
    networks = TRUSTED if trusted else {"trusted_proxies": ["10.0.0.0/8"]}
    keys = merge({"listener": {"proxy_protocol": how}, **networks}, changes)
    return lab.relay(origin or lab.serving(), **keys)


def ask(lab, header, **rest):
    """The request that arrived after this header, and the access log's line."""
    origin = lab.serving()
    gateway = accepting(lab, origin=origin, **rest)
    client = lab.client(gateway)
    client.send(header, request())
    assert client.read_response().status == 200
    return origin.next_request(), gateway.log(1)[0]


def expect_client(lab, header, address, **rest):
    found, line = ask(lab, header, **rest)
    assert found.header("x-forwarded-for") == address
    assert line["client"] == address
    return line


# ---- Addresses.
@pytest.mark.parametrize("header, address", [
    (v1(), "203.0.113.7"), (v1("2001:db8::7", "2001:db8::1"), "2001:db8::7"),
    (v2(), "203.0.113.7"), (v2("2001:db8::7", "2001:db8::1"), "2001:db8::7"),
    (with_crc(), "203.0.113.7")], ids=["v1 ip4", "v1 ip6", "v2 ip4", "v2 ip6", "v2 crc"])
def test_proxy_address_of_the_client(lab, header, address):
    assert expect_client(lab, header, address)["client_port"] == 4711


@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    v2(command=0), v2(command=0, family=0, addresses=b""), v2(family=0, addresses=b""),
    v2(family=0x31, addresses=b"\0" * 216), v2(family=0x12)],
    ids=["v1 unknown", "v1 unknown with addresses", "v2 local", "v2 local bare", "v2 unspec",
         "v2 unix", "v2 datagram"])
def test_proxy_header_without_an_address_leaves_the_peers(lab, header):
    expect_client(lab, header, "127.0.0.1")


def test_proxy_header_stands_for_the_whole_connection(lab):
    origin = lab.serving()
    gateway = accepting(lab, origin=origin)
    client = lab.client(gateway)
    client.send(v2())
    for n in range(3):
        assert client.get(f"/{n}").status == 200
    assert {f.header("x-forwarded-for") for f in origin.seen} == {"203.0.113.7"}


def test_proxy_header_client_is_no_trusted_proxy_itself(lab):
    """What the address behind the header claims in X-Forwarded-For is a stranger's word."""
    origin = lab.serving()
    gateway = accepting(lab, origin=origin)
    client = lab.client(gateway)
    client.send(v2())
    client.get(headers={"X-Forwarded-For": "6.6.6.6"})
    assert origin.next_request().header("x-forwarded-for") == "203.0.113.7"


def test_proxy_header_names_a_trusted_proxy(lab):
    origin = lab.serving()
    gateway = accepting(lab, origin=origin,
                        trusted_proxies=["127.0.0.1/32", "203.0.113.0/24"])
    client = lab.client(gateway)
    client.send(v2())
    client.get(headers={"X-Forwarded-For": "192.0.2.9"})
    assert origin.next_request().header("x-forwarded-for") == "192.0.2.9, 203.0.113.7"


# ---- TLVs.
def test_proxy_tlvs_are_read_and_unknown_ones_skipped(lab):
    tlvs = (tlv(ph.NOOP, b"x" * 10) + tlv(0xe0, b"custom") + tlv(ph.AUTHORITY, b"sni.test")
            + tlv(ph.ALPN, b"http/1.1") + tlv(ph.UNIQUE_ID, b"id-1"))
    expect_client(lab, v2(tlvs=tlvs), "203.0.113.7")


def test_proxy_tlvs_of_many_bytes(lab):
    expect_client(lab, v2(tlvs=tlv(0xe0, b"x" * 3000)), "203.0.113.7")


# ---- HTTP/2 and TLS behind it.
def test_proxy_header_before_http2(lab):
    origin = lab.serving()
    gateway = accepting(lab, origin=origin)
    sock = connect(gateway.address())
    sock.sendall(v2())
    client = lab.keep(H2Client(sock))
    assert client.get().status == 200
    assert origin.next_request().header("x-forwarded-for") == "203.0.113.7"


@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
def test_proxy_header_before_tls(lab, header):
    origin = lab.serving()
    gateway = accepting(lab, origin=origin, listener={
        "tls": {"certificates": [certs.leaf("a.test").listed]}})
    sock = connect(gateway.address())
    sock.sendall(header)
    sock = client_context().wrap_socket(sock, server_hostname="a.test")
    client = lab.keep(Peer(sock))
    client.send(request())
    assert client.read_response().status == 200
    found = origin.next_request()
    assert found.header("x-forwarded-for") == "203.0.113.7"
    assert found.header("x-forwarded-proto") == "https"


# ---- Cut up.
@pytest.mark.parametrize("header", [v1(), v2(tlvs=tlv(ph.UNIQUE_ID, b"x" * 20))],
                         ids=["v1", "v2"])
def test_proxy_header_in_single_bytes(lab, header):
    import time
    origin = lab.serving()
    client = lab.client(accepting(lab, origin=origin))
    for byte in header:
        client.send(bytes([byte]))
        time.sleep(0.0005)
    assert client.get().status == 200
    assert origin.next_request().header("x-forwarded-for") == "203.0.113.7"


@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
def test_proxy_header_cut_at_every_byte(lab, header):
    gateway = accepting(lab)
    whole = header + request(headers={"Connection": "close"})
    clients = []
    for at in range(1, len(header) + 2):
        clients.append(lab.client(gateway))
        clients[-1].send(whole[:at])
    for at, client in enumerate(clients, 1):
        client.send(whole[at:])
        assert client.read_response().status == 200
    assert {line["client"] for line in gateway.log(len(clients))} == {"203.0.113.7"}


def test_proxy_header_that_comes_too_slowly(lab):
    gateway = accepting(lab, listener={"http1": {"header_timeout": "300ms"}})
    for sent in (b"", v1()[:10], v2()[:20]):
        client = lab.client(gateway)
        client.send(sent)
        client.expect_ended()


# ---- Who may.
@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
@pytest.mark.parametrize("how", ["accept", "require"])
def test_proxy_header_of_an_untrusted_peer_changes_nothing(lab, how, header):
    """Either it is refused or it is ignored; it is never believed."""
    origin = lab.serving()
    gateway = accepting(lab, how, trusted=False, origin=origin)
    client = lab.client(gateway)
    client.send(header, request())
    client.read_to_end_or_reset() if client.has_input(1.0) else None
    for found in origin.seen:
        assert "203.0.113.7" not in found.raw_head.decode()
    assert all(line["client"] == "127.0.0.1" for line in gateway.log(0))


def test_proxy_header_where_it_is_off_is_a_bad_request(lab):
    client = lab.client(lab.relay(lab.serving(), **TRUSTED))
    client.send(v1(), request())
    assert client.read_response().status == 400


def test_proxy_accept_takes_connections_without_a_header(lab):
    gateway = accepting(lab, "accept")
    assert lab.client(gateway).get().status == 200
    client = lab.client(gateway)
    client.send(v1())
    assert client.get().status == 200
    assert lab.h2_client(gateway).get().status == 200
    assert sorted(line["client"] for line in gateway.log(3)) == [
        "127.0.0.1", "127.0.0.1", "203.0.113.7"]


@pytest.mark.parametrize("first", ["P", "PR", "PROX", "PROPFIND / HTTP/1.1", "\r", "\r\n", "G"])
def test_proxy_accept_tells_a_method_from_a_header(lab, first):
    gateway = accepting(lab, "accept")
    rest = {"P": "UT / HTTP/1.1\r\nContent-Length: 0", "PR": "OPFIND / HTTP/1.1",
            "PROX": "IMATE / HTTP/1.1", "PROPFIND / HTTP/1.1": "", "\r": "\nGET / HTTP/1.1",
            "\r\n": "GET / HTTP/1.1", "G": "ET / HTTP/1.1"}[first]
    client = lab.client(gateway)
    client.send(first)
    assert not client.has_input(0.05)
    client.send(rest + "\r\nHost: a.test\r\n\r\n")
    assert client.read_response().status == 200


def test_proxy_require_ends_connections_without_a_header(lab):
    origin = lab.serving()
    gateway = accepting(lab, "require", origin=origin)
    client = lab.client(gateway)
    client.send(request())
    assert b"200 OK" not in client.read_to_end_or_reset()
    assert origin.count() == 0
    eventually(lambda: gateway.metric("weir_proxy_failures_total", reason="bad_proxy_header") == 1,
               "the failure is counted")


def test_proxy_unix_peers_are_trusted(lab):
    origin = lab.serving()
    path = lab.path("in.sock")
    gateway = lab.relay(origin, listener={"address": "unix:" + path, "proxy_protocol": "require"})
    client = lab.client(gateway)
    client.send(v2())
    assert client.get().status == 200
    assert origin.next_request().header("x-forwarded-for") == "203.0.113.7"


# ---- Malformed.
BAD = {
    "v1 without an end": b"PROXY TCP4 " + b"1" * 200,
    "v1 lf only": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "v1 too few fields": b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
    "v1 too many fields": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
    "v1 two spaces": b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
    "v1 another family": b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
    "v1 lower case": b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "v1 family and address differ": b"PROXY TCP4 ::1 ::2 1 2\r\n",
    "v1 address with zeros in front": b"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
    "v1 no address": b"PROXY TCP4 a.test b.test 1 2\r\n",
    "v1 port too large": b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
    "v1 port with a sign": b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
    "v1 port with zeros in front": b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
    "v2 another version": v2(version=3),
    "v2 another command": v2(command=2),
    "v2 another family": v2(family=0x51),
    "v2 another transport": v2(family=0x13),
    "v2 addresses too short": v2(addresses=b"\1\2\3"),
    "v2 ip6 addresses too short": v2(family=0x21),
    "v2 tlv longer than the header": v2(tlvs=b"\1\xff\xff"),
    "v2 tlv cut off": v2(tlvs=b"\1\0"),
    "v2 wrong checksum": with_crc()[:-1] + b"?",
    "v2 longer than is taken": v2(length=65535) + b"\0" * 5000,
    "v2 signature broken": v2()[:11] + b"X" + v2()[12:],
    "two headers": v1() + v1(),
}


@pytest.mark.parametrize("header", list(BAD.values()), ids=list(BAD))
def test_proxy_malformed_header_ends_the_connection(lab, header):
    origin = lab.serving()
    gateway = accepting(lab, origin=origin)
    client = lab.client(gateway)
    client.send(header, request())
    assert b"200 OK" not in client.read_to_end_or_reset()
    assert origin.count() == 0
    assert lab.client(gateway).sock


# ---- Towards origins.
def sending(lab, origin, **changes):
    return lab.relay(origin, **merge({"cluster": {"proxy_protocol": "v2"}}, changes))


def test_proxy_v2_is_sent(lab):
    origin = lab.origin()
    gateway = sending(lab, origin)
    client = lab.client(gateway)
    client.send(request("POST", body="x"))
    connection = origin.accept()
    found = ph.Header(connection)
    assert (found.version, found.command, found.family) == (2, 1, 0x11)
    assert (found.source, found.destination) == ("127.0.0.1", "127.0.0.1")
    assert found.ports == (client.sock.getsockname()[1], gateway.address()[1])
    assert connection.expect("POST").body == b"x"
    connection.answer(200, b"ok")
    assert client.read_response().body == b"ok"


def test_proxy_v2_passes_on_what_came(lab):
    origin = lab.origin()
    gateway = sending(lab, origin, listener={"proxy_protocol": "require"}, **TRUSTED)
    client = lab.client(gateway)
    client.send(v2("2001:db8::7", "2001:db8::1"), request())
    connection = origin.accept()
    found = ph.Header(connection)
    assert (found.source, found.destination, found.ports) == (
        "2001:db8::7", "2001:db8::1", (4711, 443))
    connection.expect()
    connection.answer()
    assert client.read_response().status == 200


def test_proxy_v2_connections_are_never_shared_between_clients(lab):
    """The header says whose connection it is: another client's request would be misattributed."""
    origin = lab.origin()
    gateway = sending(lab, origin)
    ports = []
    for _ in range(3):
        client = lab.client(gateway)
        client.send(request())
        connection = origin.accept()
        ports.append((ph.Header(connection).ports[0], client.sock.getsockname()[1]))
        connection.expect()
        connection.answer()
        client.read_response()
    assert all(told == true for told, true in ports)
    assert len(origin.connections) == 3


class Exactly:
    """Takes no byte more than it is asked for."""

    def __init__(self, sock):
        self.sock = sock

    def read_exact(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            assert piece, "ended"
            data += piece
        return data


def test_proxy_v2_before_upstream_tls(lab):
    """The header is in the clear, before the handshake."""
    origin = lab.origin()
    gateway = sending(lab, origin, cluster={
        "tls": {"ca": certs.authority().cert, "sni": "origin.test"}})
    client = lab.client(gateway)
    client.send(request())
    sock, _ = origin.listener.accept()
    sock.settimeout(PATIENCE)
    assert ph.Header(Exactly(sock)).source == "127.0.0.1"
    connection = lab.keep(OriginConnection(server_context().wrap_socket(sock, server_side=True)))
    connection.expect()
    connection.answer(200, b"ok")
    assert client.read_response().body == b"ok"


def test_proxy_v2_tells_the_name_that_the_client_asked_for(lab):
    origin = lab.origin()
    gateway = sending(lab, origin, listener={
        "tls": {"certificates": [certs.leaf("a.test").listed]}})
    client = lab.client(gateway, tls=client_context(alpn=["http/1.1"]))
    client.send(request())
    connection = origin.accept()
    found = ph.Header(connection)
    assert found.tlvs.get(ph.AUTHORITY) == b"a.test"
    connection.expect()
    connection.answer()
    client.read_response()


def test_proxy_v2_of_a_unix_client_says_nothing_of_addresses(lab):
    origin = lab.origin()
    gateway = sending(lab, origin, listener={"address": "unix:" + lab.path("in.sock")})
    client = lab.client(gateway)
    client.send(request())
    connection = origin.accept()
    assert ph.Header(connection).source is None
    connection.expect()
    connection.answer()
    assert client.read_response().status == 200
