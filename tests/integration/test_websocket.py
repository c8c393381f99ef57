# SPDX-License-Identifier: Apache-2.0
"""WebSocket and other upgrades: a tunnel where the route allows it, over HTTP/1 and HTTP/2, and
nowhere else."""
import base64
import hashlib
import json
import os
import signal
import subprocess

import pytest
from support import certs
from support.h2frames import CONNECT_ERROR
from support.message import request
from support.refusal import assert_refused
from support.tls import client_context
from support.waiting import PATIENCE, eventually

ALLOWED = {"upgrades": ["websocket"]}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept_of(key):
    return base64.b64encode(hashlib.sha1(
        (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def handshake(path="/ws", **extra):
    return request("GET", path, headers={"Connection": "Upgrade", "Upgrade": "websocket",
                                         "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13",
                                         **extra})


def switch(connection, found, *more):
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Accept: "
                    + accept_of(found.header("sec-websocket-key")) + "\r\n\r\n", *more)


def tunnel(lab, **changes):
    """An open tunnel over HTTP/1: (client, connection, gateway)."""
    client, origin, gateway = lab.pair(**{"route": ALLOWED, **changes})
    client.send(handshake())
    connection = origin.accept()
    found = connection.expect("GET", "/ws")
    assert (found.header("upgrade"), found.header("connection").lower()) == (
        "websocket", "upgrade")
    assert found.header("sec-websocket-version") == "13"
    switch(connection, found)
    answer = client.read_response()
    assert answer.status == 101
    assert (answer.header("upgrade"), answer.header("connection").lower()) == (
        "websocket", "upgrade")
    assert answer.header("sec-websocket-accept") == accept_of(KEY)
    return client, connection, gateway


# ---- HTTP/1 on both sides.
def test_ws_bytes_go_both_ways_unchanged(lab):
    client, connection, _ = tunnel(lab)
    for size in (1, 125, 70_000, 1_000_000):
        data = os.urandom(size)
        for here, there in ((client, connection), (connection, client)):
            import threading
            sender = threading.Thread(target=here.send, args=(data,), daemon=True)
            sender.start()
            assert there.read_exact(size) == data
            sender.join()


def test_ws_bytes_right_behind_the_heads_belong_to_the_tunnel(lab):
    client, origin, _ = lab.pair(route=ALLOWED)
    client.send(handshake())
    connection = origin.accept()
    found = connection.expect()
    switch(connection, found, b"first from the origin")
    client.read_response()
    assert client.read_exact(21) == b"first from the origin"
    client.send("back")
    assert connection.read_exact(4) == b"back"


def test_ws_bytes_that_a_client_sends_too_early_never_become_a_request(lab):
    """RFC 6455 forbids it; whoever does may hope that they are read as HTTP."""
    client, origin, _ = lab.pair(route=ALLOWED)
    client.send(handshake(), request("GET", "/smuggled"))
    connection = origin.accept()
    found = connection.expect()
    assert found.target == "/ws" and not connection.has_input(0.2)
    connection.answer(400, b"no")
    assert client.read_response().status == 400
    connection.expect_end()


@pytest.mark.parametrize("side", ["client", "origin"])
def test_ws_either_side_that_ends_ends_the_tunnel(lab, side):
    client, connection, gateway = tunnel(lab)
    ending, other = (client, connection) if side == "client" else (connection, client)
    ending.send("last words")
    ending.close()
    assert other.read_exact(10) == b"last words"
    other.expect_ended()
    other.close()
    gateway.expect_metric(0, "weir_worker_exchanges")


def test_ws_half_close_lets_the_other_side_finish(lab):
    client, connection, _ = tunnel(lab)
    client.shutdown_write()
    connection.expect_end()
    connection.send("still")
    assert client.read_exact(5) == b"still"


def test_ws_origin_that_refuses_answers_plainly(lab):
    client, origin, _ = lab.pair(route=ALLOWED)
    client.send(handshake())
    connection = origin.accept()
    connection.expect()
    connection.answer(403, b"not you")
    answer = client.read_response()
    assert (answer.status, answer.body) == (403, b"not you")
    client.send(request("GET", "/plain"))
    other = origin.accept()
    other.expect("GET", "/plain")
    other.answer()
    assert client.read_response().status == 200


def test_ws_origin_that_switches_to_something_else_is_502(lab):
    client, origin, _ = lab.pair(route={**ALLOWED, "retry": {"num_retries": 0}})
    client.send(handshake())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    "Upgrade: tls/1.0\r\n\r\n")
    assert client.read_response().status == 502


def test_ws_origin_that_switches_unasked_is_502(lab):
    client, origin, _ = lab.pair(route={**ALLOWED, "retry": {"num_retries": 0}})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    "Upgrade: websocket\r\n\r\n")
    assert_refused(client.read_response(), "upstream_upgrade")


@pytest.mark.parametrize("change", [
    {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": ""}],
    ids=["version", "short key", "no key"])
def test_ws_handshake_that_breaks_its_rules_is_refused(lab, change):
    client, origin, _ = lab.pair(route=ALLOWED)
    client.send(handshake(**change))
    assert client.read_response().status in (400, 426)
    assert not origin.connections


# ---- Where it is not allowed.
def test_ws_where_the_route_does_not_allow_it_is_501(lab):
    client, origin, _ = lab.pair()
    client.send(handshake())
    assert_refused(client.read_response(), "upgrade_refused")
    assert not origin.connections


def test_ws_another_protocol_than_the_route_allows_is_501(lab):
    client, origin, _ = lab.pair(route={"upgrades": ["websocket"]})
    client.send(request(headers={"Connection": "upgrade", "Upgrade": "chat"}))
    assert_refused(client.read_response(), "upgrade_refused")


def test_ws_other_protocols_where_the_route_allows_them(lab):
    client, origin, _ = lab.pair(route={"upgrades": ["chat"]})
    client.send(request(headers={"Connection": "upgrade", "Upgrade": "chat"}))
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhi")
    assert client.read_response().status == 101
    assert client.read_exact(2) == b"hi"


@pytest.mark.parametrize("upgrades", [[], ["websocket"], ["h2c"], ["websocket", "connect"]])
def test_ws_h2c_never_tunnels(lab, upgrades):
    """An h2c tunnel hides requests from every rule of the gateway."""
    from support.gateway import run_cli
    from support.lab import config_for
    origin = lab.serving()
    config = config_for(origin, route={"upgrades": upgrades})
    if "h2c" in upgrades:
        path = lab.path("c.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        code, out, err = run_cli("check", "-c", path)
        assert code != 0 and "h2c" in out + err
        return
    client = lab.client(lab.gateway(config))
    client.send(request(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                                 "HTTP2-Settings": "AAMAAABkAAQAAP__"}))
    answer = client.read_response()
    assert answer.status == 200 and answer.body == b"ok"
    found = origin.next_request()
    for name in ("upgrade", "http2-settings", "connection"):
        assert name not in found.headers, found


# ---- CONNECT.
def test_connect_is_refused(lab):
    client, origin, _ = lab.pair()
    client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
    assert_refused(client.read_response(), "method_refused")
    assert not origin.connections


def test_connect_where_the_route_allows_it(lab):
    client, origin, _ = lab.pair(route={"upgrades": ["connect"]})
    client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
    connection = origin.accept()
    found = connection.expect("CONNECT")
    assert found.target == "a.test:443"
    connection.send("HTTP/1.1 200 Connected\r\n\r\nhello")
    answer = client.read_head()
    assert answer.status == 200 and "content-length" not in answer.headers
    assert "transfer-encoding" not in answer.headers
    assert client.read_exact(5) == b"hello"
    client.send("raw \0 bytes")
    assert connection.read_exact(11) == b"raw \0 bytes"


# ---- HTTP/2 (RFC 8441).
WS2 = [("sec-websocket-version", "13")]


def extended(client, path="/ws", protocol="websocket", headers=WS2):
    stream = client.new_stream()
    client.send_headers(stream, [(":method", "CONNECT"), (":protocol", protocol),
                                 (":scheme", client.scheme), (":path", path),
                                 (":authority", "a.test"), *headers])
    return stream


def h2_tunnel(lab, up=1, **changes):
    """An open tunnel over a stream: (client, stream, far end as send/receive, gateway)."""
    origin = lab.origin() if up == 1 else lab.h2_origin(settings={"enable_connect_protocol": 1})
    gateway = lab.relay(origin, cluster={"protocol": f"http{up}"},
                        **{"route": ALLOWED, **changes})
    client = lab.h2_client(gateway)
    client.wait(lambda: client.peer_settings, "SETTINGS")
    assert client.peer_settings.get(8) == 1
    stream = extended(client)
    if up == 1:
        far = H1Far(origin.accept())
    else:
        far = H2Far(origin.accept())
    far.accept_tunnel()
    answer = client.read_head(stream)
    assert answer.status == 200 and not answer.ended
    assert "sec-websocket-accept" not in answer.headers and "upgrade" not in answer.headers
    return client, stream, far, gateway


class H1Far:
    def __init__(self, peer):
        self.peer = peer

    def accept_tunnel(self):
        found = self.peer.expect("GET", "/ws")
        assert found.header("upgrade") == "websocket"
        assert len(base64.b64decode(found.header("sec-websocket-key"))) == 16
        switch(self.peer, found)

    def send(self, data):
        self.peer.send(data)

    def receive(self, count):
        return self.peer.read_exact(count)

    def end(self):
        self.peer.close()

    def expect_ended(self):
        self.peer.expect_ended()


class H2Far:
    def __init__(self, peer):
        self.peer, self.taken = peer, 0

    def accept_tunnel(self):
        self.found = self.peer.read_request_head()
        assert self.found.method == "CONNECT" and self.found.header(":protocol") == "websocket"
        assert self.found.target == "/ws"
        self.peer.send_head(self.found.stream, 200)

    def send(self, data):
        self.peer.send_data(self.found.stream, data, end=False)

    def receive(self, count):
        self.peer.wait(lambda: len(self.found.body) >= self.taken + count, "bytes of the tunnel")
        self.taken += count
        return self.found.body[self.taken - count:self.taken]

    def end(self):
        self.peer.send_data(self.found.stream, b"", end=True)

    def expect_ended(self):
        self.peer.wait(lambda: self.found.ended or self.found.reset is not None, "the end")


@pytest.mark.parametrize("up", [1, 2])
def test_ws_over_http2(lab, up):
    client, stream, far, _ = h2_tunnel(lab, up)
    message = client.message(stream)
    for size in (1, 1000, 60_000):
        data = os.urandom(size)
        client.send_data(stream, data, end=False)
        assert far.receive(size) == data
        message.body = b""
        far.send(data)
        client.wait(lambda: len(message.body) == size, "the echo")
        assert message.body == data


@pytest.mark.parametrize("up", [1, 2])
def test_ws_over_http2_ends_from_either_side(lab, up):
    for side in ("client", "origin"):
        client, stream, far, gateway = h2_tunnel(lab, up)
        if side == "client":
            client.send_data(stream, b"bye", end=True)
            assert far.receive(3) == b"bye"
            far.end()
            client.outcome(stream)
        else:
            far.send(b"bye")
            far.end()
            message = client.message(stream)
            client.wait(lambda: message.body == b"bye", "last words")
            client.send_data(stream, b"", end=True)
            client.outcome(stream)
        eventually(lambda: gateway.metric("weir_worker_exchanges") == 0, "the tunnel is gone")


def test_ws_over_http2_reset_by_the_client_ends_the_origins_side(lab):
    client, stream, far, _ = h2_tunnel(lab)
    client.send_reset(stream, CONNECT_ERROR)
    far.expect_ended()
    client.sync()


def test_ws_over_http2_where_the_route_does_not_allow_it(lab):
    client = lab.h2_client(lab.relay(lab.serving()))
    stream = extended(client)
    assert_refused(client.read_response(stream), "upgrade_refused")


def test_ws_over_http2_origin_that_refuses(lab):
    origin = lab.origin()
    client = lab.h2_client(lab.relay(origin, route=ALLOWED))
    stream = extended(client)
    connection = origin.accept()
    connection.expect()
    connection.answer(403, b"no")
    answer = client.read_response(stream)
    assert (answer.status, answer.body) == (403, b"no")


def test_ws_from_http1_to_an_http2_origin(lab):
    origin = lab.h2_origin(settings={"enable_connect_protocol": 1})
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, route=ALLOWED)
    client = lab.client(gateway)
    client.send(handshake())
    far = H2Far(origin.accept())
    far.accept_tunnel()
    answer = client.read_response()
    assert answer.status == 101
    assert answer.header("sec-websocket-accept") == accept_of(KEY)
    client.send("ping")
    assert far.receive(4) == b"ping"
    far.send(b"pong")
    assert client.read_exact(4) == b"pong"


def test_ws_to_an_http2_origin_that_does_not_know_rfc_8441(lab):
    origin = lab.h2_origin()
    gateway = lab.relay(origin, cluster={"protocol": "http2"},
                        route={**ALLOWED, "retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(handshake())
    origin.accept().settle(0.3)
    assert client.read_response().status in (501, 502)


# ---- Time and change.
def test_ws_idle_timeout_of_its_own(lab):
    client, connection, gateway = tunnel(
        lab, route={**ALLOWED, "upgrade_idle_timeout": "400ms", "timeout": None})
    for _ in range(6):
        client.send("x")
        connection.read_exact(1)
        assert not client.has_input(0.15)
    client.expect_ended()
    connection.expect_ended()


def test_ws_outlives_the_timeouts_of_requests(lab):
    client, connection, _ = tunnel(
        lab, listener={"http1": {"keepalive_timeout": "100ms", "body_idle_timeout": "100ms",
                                 "header_timeout": "100ms"}},
        cluster={"idle_timeout": "100ms", "response_timeout": "100ms"})
    assert not client.has_input(0.6)
    connection.send("alive")
    assert client.read_exact(5) == b"alive"


@pytest.mark.parametrize("up", [1, 2])
def test_ws_lives_across_reloads(lab, up):
    client, stream, far, gateway = h2_tunnel(lab, up)
    message = client.message(stream)
    for n in range(3):
        config = dict(gateway.config)
        config["routes"] = [{**config["routes"][0], "name": f"renamed-{n}", "upgrades": []}]
        assert gateway.reload(config)[0] == 0
        far.send(b"x")
        client.wait(lambda: len(message.body) == n + 1, "a byte")
        client.send_data(stream, b"y", end=False)
        assert far.receive(1) == b"y"


def test_ws_at_sigterm_ends_with_the_drain(lab):
    client, connection, gateway = tunnel(lab, shutdown={"drain": "300ms"})
    gateway.signal(signal.SIGTERM)
    client.expect_ended()
    connection.expect_ended()
    gateway.check_end()


def test_ws_is_counted_and_logged(lab):
    client, connection, gateway = tunnel(lab)
    gateway.expect_metric(1, "weir_listener_upgrades", listener="main")
    client.send("12345")
    connection.read_exact(5)
    connection.send("123")
    client.read_exact(3)
    client.close()
    connection.expect_ended()
    connection.close()
    gateway.expect_metric(0, "weir_listener_upgrades", listener="main")
    gateway.expect_metric(1, "weir_listener_upgrades_total", listener="main")
    line = gateway.log(1)[0]
    assert line["status"] == 101
    assert (line["bytes_received"], line["bytes_sent"]) == (5, 3)


def test_ws_back_pressure(lab):
    """A tunnel may carry anything; what weir holds of it may not grow."""
    client, connection, gateway = tunnel(lab)
    sent = connection.send_until_blocked(256 << 20)
    assert sent < 64 << 20
    assert gateway.metric("weir_memory_accounted_bytes") < 2 << 20
    client.drain(sent)


# ---- Real peers.
NODE = """
const WebSocket = require('/usr/share/nodejs/ws');
const server = new WebSocket.Server({port: 0, host: '127.0.0.1'});
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, {binary}));
});
server.on('listening', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
"""
NODE_CLIENT = """
const WebSocket = require('/usr/share/nodejs/ws');
const socket = new WebSocket(process.argv[1], {rejectUnauthorized: false});
const sizes = [0, 1, 125, 126, 65535, 65536, 1000000];
let next = 0;
const say = () => { if (next === sizes.length) { socket.close(1000); return; }
                    socket.send(Buffer.alloc(sizes[next], next)); };
socket.on('open', say);
socket.on('message', (data) => {
  if (data.length !== sizes[next] || !data.equals(Buffer.alloc(sizes[next], next))) process.exit(2);
  next += 1; say(); });
socket.on('close', (code) => { console.log(code, next); });
socket.on('error', (fault) => { console.log(String(fault)); process.exit(1); });
"""


class NodeEcho:
    def __init__(self):
        self.process = subprocess.Popen(["node", "-e", NODE], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1:" + self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_ws_node_client_and_server(lab, scheme):
    echo = lab.keep(NodeEcho())
    listener = {"tls": {"certificates": [certs.leaf("a.test").listed]}} if scheme == "wss" else {}
    gateway = lab.relay(echo.address, listener=listener, route=ALLOWED)
    done = subprocess.run(
        ["node", "-e", NODE_CLIENT, "%s://127.0.0.1:%d/" % (scheme, gateway.address()[1])],
        capture_output=True, text=True, timeout=3 * PATIENCE, check=False)
    assert done.stdout.strip() == "1000 7", done


def test_ws_over_tls_and_http2(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, route=ALLOWED, listener={
        "tls": {"certificates": [certs.leaf("a.test").listed]}})
    client = lab.h2_client(gateway, tls=client_context(alpn=["h2"]))
    stream = extended(client)
    far = H1Far(origin.accept())
    far.accept_tunnel()
    client.read_head(stream)
    client.send_data(stream, b"hello", end=False)
    assert far.receive(5) == b"hello"
