# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: real ones first, then streams beside each other, flow control, limits,
priorities and the end of connections."""
import json
import signal
import subprocess

import pytest
from support import certs
from support.h2frames import NO_ERROR, REFUSED_STREAM
from support.pairing import Pairing
from support.tls import client_context
from support.waiting import PATIENCE, eventually

MIB = 1 << 20


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=3 * PATIENCE)
    assert done.returncode == 0, (arguments, done.stdout.decode()[-500:], done.stderr.decode())
    return done.stdout


def tls_keys():
    return {"tls": {"certificates": [certs.leaf("a.test").listed]}}


def url(gateway, scheme="http", path="/"):
    return "%s://127.0.0.1:%d%s" % (scheme, gateway.address()[1], path)


def curl(gateway, *arguments, scheme="http", path="/"):
    port = gateway.address()[1]
    return run("curl", "-sS", "-m", str(PATIENCE), "--cacert", certs.authority().cert,
               "--resolve", f"a.test:{port}:127.0.0.1", *arguments,
               f"{scheme}://a.test:{port}{path}")


# ---- Real clients.
def test_h2_curl_over_tls(lab):
    gateway = lab.relay(lab.serving(), listener=tls_keys())
    assert curl(gateway, "--http2", "-w", " %{http_version}", scheme="https") == b"ok 2"
    assert curl(gateway, "--http1.1", "-w", " %{http_version}", scheme="https") == b"ok 1.1"


def test_h2_curl_by_prior_knowledge(lab):
    gateway = lab.relay(lab.serving())
    assert curl(gateway, "--http2-prior-knowledge", "-w", " %{http_version}") == b"ok 2"


def test_h2_curl_upgrade_to_h2c_is_answered_in_http_1(lab):
    """`Upgrade: h2c` is obsolete (RFC 9113, 3.1) and a way to smuggle: it is never taken."""
    origin = lab.serving()
    gateway = lab.relay(origin)
    assert curl(gateway, "--http2", "-w", " %{http_version}") == b"ok 1.1"
    found = origin.next_request()
    assert "upgrade" not in found.headers and "http2-settings" not in found.headers


def test_h2_curl_uploads_and_downloads(lab):
    path = lab.path("body")
    body = bytes(range(256)) * 8192
    with open(path, "wb") as file:
        file.write(body)
    origin = lab.serving(lambda found, connection: connection.answer(200, found.body))
    gateway = lab.relay(origin, listener=tls_keys())
    got = curl(gateway, "--http2", "--data-binary", "@" + path, scheme="https")
    assert got == body


def test_h2_nghttp(lab):
    gateway = lab.relay(lab.serving(lambda f, c: c.answer(200, f.target)), listener=tls_keys())
    assert run("nghttp", url(gateway, "https", "/one"), url(gateway, "https", "/two")) in (
        b"/one/two", b"/two/one")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_h2_load(lab, scheme):
    origin = lab.serving()
    gateway = lab.relay(origin, listener=tls_keys() if scheme == "https" else {}, workers=2)
    out = run("h2load", "-n", "2000", "-c", "8", "-m", "16", url(gateway, scheme)).decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert "status codes: 2000 2xx" in out, out


def test_h2_load_towards_an_h2_origin(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={"protocol": "http2"})
    out = run("h2load", "-n", "1000", "-c", "4", "-m", "32", url(gateway)).decode()
    assert "1000 succeeded, 0 failed" in out, out
    assert len(origin.connections) <= 4


def test_h2_node_undici(lab):
    """A client of its own make, against the origin that answers what it got."""
    gateway = lab.relay(lab.serving(lambda f, c: c.answer(200, f.body)), listener=tls_keys())
    script = """
const http2 = require('node:http2');
const session = http2.connect(process.argv[1], {rejectUnauthorized: false});
const all = [...Array(20).keys()].map((n) => new Promise((resolve, reject) => {
  const stream = session.request({':method': 'POST', ':path': '/' + n});
  let got = 0;
  stream.on('data', (part) => { got += part.length; });
  stream.on('end', () => resolve(got));
  stream.on('error', reject);
  stream.end(Buffer.alloc(n * 10000, 'x'));
}));
Promise.all(all).then((sizes) => { console.log(JSON.stringify(sizes)); session.close(); });
"""
    out = run("node", "-e", script, url(gateway, "https"))
    assert json.loads(out) == [n * 10000 for n in range(20)]


# ---- Beside each other.
def test_h2_streams_are_answered_in_any_order(lab):
    pairing = Pairing(lab, "2-1")
    callers = [pairing.caller() for _ in range(5)]
    found = {}
    for n, caller in enumerate(callers):
        caller.send("GET", f"/{n}")
        answerer = pairing.answerer()
        answerer.accept()
        assert answerer.request().target == f"/{n}"
        found[n] = answerer
    for n in (3, 0, 4, 1, 2):
        found[n].answer(200, str(n).encode())
        assert callers[n].response().body == str(n).encode()


def big_from_http1(found, connection):
    connection.answer(200, b"x" * (4 * MIB) if found.target == "/big" else b"small" * 1000)


def big_from_http2(found, connection):
    """As much of the big answer as the windows take, and no more for ever."""
    if found.target != "/big":
        connection.answer(found, 200, b"small" * 1000)
        return
    connection.send_head(found.stream)
    while (room := min(connection.room(found.stream))) > 0:
        connection.send_data_frame(found.stream, bytes(min(room, 16384)))


@pytest.mark.parametrize("which", ["2-1", "2-2"])
def test_h2_slow_reader_holds_only_its_own_stream(lab, which):
    """Towards an HTTP/2 origin even though all streams share one connection there."""
    origin = (lab.h2_serving(big_from_http2, settings={"max_concurrent_streams": 100})
              if which == "2-2" else lab.serving(big_from_http1))
    gateway = lab.relay(origin, cluster={"protocol": "http" + which[-1]})
    client = lab.h2_client(gateway)
    client.opens_windows = {1}
    slow = client.send_request("GET", "/big")
    client.wait(lambda: client.message(slow).received == 65535, "a full window")
    for n in range(50):
        assert client.get(f"/{n}").body == b"small" * 1000
    assert client.message(slow).received == 65535
    assert gateway.metric("weir_memory_accounted_bytes") < 2 * MIB
    if which == "2-2":
        assert len(origin.connections) == 1


@pytest.mark.parametrize("which", ["2-1", "2-2"])
def test_h2_stalled_uploads_do_not_stop_their_connection(lab, which):
    """16 streams whose origin does not read: the connection's window must not be theirs."""
    pairing = Pairing(lab, which, settings={"initial_window_size": 0} if which == "2-2" else ())
    stalled = [pairing.caller() for _ in range(16)]
    for caller in stalled:
        caller.send_head("POST", "/stalled")
        caller.peer.wait(lambda c=caller: c.peer.room(c.stream)[1] > 0, "a stream window")
        # As much as a stream may have under way.
        while (room := min(caller.peer.room(caller.stream))) > 0:
            caller.peer.send_data_frame(caller.stream, bytes(min(room, 16384)))
            if not caller.peer.room(caller.stream)[1]:
                break
    if which == "2-2":
        connection = pairing.origin.accept()
        for _ in stalled:
            connection.read_request_head()
    client = stalled[0].peer
    client.sync()
    # The 17th sends and gets its answer on the same connection.
    caller = pairing.caller()
    caller.send_head("POST", "/live")
    caller.peer.wait(lambda: min(caller.peer.room(caller.stream)) >= 5, "a window of its own")
    caller.peer.send_data_frame(caller.stream, b"hello", end=True)
    if which == "2-2":
        found = connection.read_request_head()
        connection.send_window(found.stream, 100)
        connection.wait(lambda: found.ended, "the live body")
    else:
        for _ in stalled:
            pairing.origin.accept()
        answerer = pairing.answerer()
        found = answerer.request()
        connection = answerer
    assert (found.target, found.body) == ("/live", b"hello")
    if which == "2-2":
        connection.answer(found, 200, b"alive")
    else:
        answerer.answer(200, b"alive")
    assert caller.response().body == b"alive"


def test_h2_windows_are_those_of_the_config(lab):
    gateway = lab.relay(lab.serving(), listener={"http2": {
        "max_concurrent_streams": 7, "initial_stream_window": "128KiB",
        "initial_connection_window": "2MiB"}})
    client = lab.h2_client(gateway)
    client.get()
    assert client.peer_settings[3] == 7
    assert client.peer_settings[4] == 128 * 1024
    assert client.window == 2 * MIB
    assert client.peer_settings[8] == 1  # extended CONNECT is there to be had


def test_h2_upload_never_gets_more_credit_than_the_window(lab):
    """What the origin does not take stays with the client."""
    pairing = Pairing(lab, "2-1", listener={"http2": {"initial_stream_window": "64KiB"}},
                      route={"limits": {"max_request_bytes": 0}})
    caller, answerer = pairing.ends()
    caller.send_head("POST")
    answerer.head()
    sent = 0
    client = caller.peer
    while True:
        room = min(client.room(caller.stream))
        if room <= 0:
            client.settle(0.3)
            if min(client.room(caller.stream)) <= 0:
                break
            continue
        client.send_data_frame(caller.stream, bytes(min(room, 16384)))
        sent += min(room, 16384)
        assert sent < 64 * MIB
    assert pairing.gateway.metric("weir_memory_accounted_bytes") < MIB
    caller.abort()


# ---- Limits.
def test_h2_streams_over_the_limit_are_refused_and_the_rest_served(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, listener={"http2": {"max_concurrent_streams": 3}})
    client = lab.h2_client(gateway)
    streams, connections = [], []
    for n in range(3):
        streams.append(client.send_request("GET", f"/{n}"))
        connections.append(origin.accept())
        connections[-1].expect("GET", f"/{n}")
    for _ in range(2):
        refused = client.outcome(client.send_request("GET", "/over"))
        assert refused.reset == REFUSED_STREAM, refused
    for n, connection in enumerate(connections):
        connection.answer(200, str(n))
    assert [client.read_response(s).body for s in streams] == [b"0", b"1", b"2"]
    stream = client.send_request("GET", "/room")
    connections[-1].expect("GET", "/room")
    connections[-1].answer(200, b"again")
    assert client.read_response(stream).body == b"again"


@pytest.mark.parametrize("keys, headers, status", [
    ({"max_header_bytes": "4KiB"}, [("x-big", "v" * 8000)], 431),
    ({"max_headers": 20}, [(f"x-{n}", "1") for n in range(30)], 431),
    ({"max_uri_bytes": 256}, None, 414)])
def test_h2_heads_over_limits_are_answered(lab, keys, headers, status):
    origin = lab.serving()
    gateway = lab.relay(origin, listener={"limits": keys})
    client = lab.h2_client(gateway)
    answer = client.get("/" + "p" * 300, headers=()) if headers is None else client.get(
        headers=headers)
    assert answer.status == status
    assert client.get("/after").status == 200
    assert [found.target for found in origin.seen] == ["/after"]


def test_h2_cookie_crumbs_count_as_what_they_are(lab):
    origin = lab.serving()
    client = lab.h2_client(lab.relay(origin, listener={"limits": {"max_headers": 50}}))
    crumbs = [("cookie", f"c{n}={n}") for n in range(40)]
    assert client.get(headers=crumbs).status == 200
    assert origin.next_request().header("cookie") == "; ".join(v for _, v in crumbs)


# ---- Priorities (RFC 9218).
def test_h2_urgent_stream_comes_first_when_the_connection_is_blocked(lab):
    body = b"x" * 60_000
    origin = lab.serving(lambda found, connection: connection.answer(200, body))
    client = lab.h2_client(lab.relay(origin), settings={"initial_window_size": 1 << 20})
    client.opens_windows = False
    streams = {}
    for urgency in (7, 6, 5, 0):
        streams[urgency] = client.send_request(
            "GET", f"/{urgency}", headers=[("priority", f"u={urgency}")])
    origin.wait_for(4)
    client.settle(0.5)
    before = {u: client.message(s).received for u, s in streams.items()}
    # Room for exactly one body more: it belongs to the most urgent one.
    client.send_window(0, len(body) - before[0])
    client.wait(lambda: client.message(streams[0]).ended, "the urgent answer")
    rest = {u: client.message(s).received for u, s in streams.items() if u}
    assert rest == {u: n for u, n in before.items() if u}


def test_h2_priority_update_frames_are_taken(lab):
    from support.h2frames import frame_bytes
    client = lab.h2_client(lab.relay(lab.serving()))
    client.send_frame(frame_bytes(0x10, 0, 0, b"\0\0\0\1u=1, i"))
    assert client.get().status == 200


@pytest.mark.parametrize("value", ["u=9", "u=-1", "i=?2", ",,,", "u", "x" * 300, ""])
def test_h2_odd_priority_values_are_ignored(lab, value):
    client = lab.h2_client(lab.relay(lab.serving()))
    assert client.get(headers=[("priority", value)]).status == 200


# ---- The end.
def drained(lab, which, end):
    """Two streams are under way as `end(gateway)` begins; both finish, none may begin."""
    pairing = Pairing(lab, which)
    callers, answerers = [pairing.caller() for _ in range(2)], []
    for n, caller in enumerate(callers):
        caller.send("GET", f"/{n}")
        answerers.append(pairing.answerer())
        if which == "2-2" and n:
            answerers[n].peer = answerers[0].peer
        answerers[n].request()
    client = callers[0].peer
    end(pairing.gateway)
    client.wait(lambda: client.goaways, "GOAWAY")
    assert client.goaways[0].error_code == NO_ERROR
    for n, answerer in enumerate(answerers):
        answerer.answer(200, b"done")
    for caller in callers:
        assert caller.response().body == b"done"
    client.read_all()
    assert client.goaways[-1].error_code == NO_ERROR
    assert client.goaways[-1].last_stream_id >= callers[1].stream
    return pairing.gateway


@pytest.mark.parametrize("which", ["2-1", "2-2"])
def test_h2_sigterm_says_goaway_and_finishes_streams(lab, which):
    drained(lab, which, lambda gateway: gateway.signal(signal.SIGTERM)).check_end()


def test_h2_removed_listener_says_goaway_and_finishes_streams(lab):
    def remove(gateway):
        config = dict(gateway.config)
        config["listeners"] = {"other": {"address": "127.0.0.1:0"}}
        assert gateway.reload(config)[0] == 0
    gateway = drained(lab, "2-1", remove)
    assert lab.h2_client(gateway, "other").peer_settings is not None


def test_h2_request_sent_before_goaway_was_read_is_not_lost(lab):
    """RFC 9113, 6.8: the first GOAWAY names no stream, so that those on their way still count."""
    pairing = Pairing(lab, "2-1", shutdown={"drain": "3s"})
    first, answerer = pairing.ends()
    first.send("GET", "/1")
    answerer.request()
    pairing.gateway.signal(signal.SIGTERM)
    client = first.peer
    client.wait(lambda: client.goaways, "GOAWAY")
    assert client.goaways[0].last_stream_id == (1 << 31) - 1
    second, late = pairing.caller(), pairing.answerer()
    second.send("GET", "/2")
    message = client.message(second.stream)
    try:
        pairing.origin.listener.settimeout(1)
        late.request()
    except TimeoutError:
        client.settle()
        served = client.goaways[-1].last_stream_id >= second.stream
        assert message.reset == REFUSED_STREAM or not served, (message, client.goaways)
    else:
        late.answer(200, b"2")
        assert second.response().body == b"2"
    answerer.answer(200, b"1")
    assert first.response().body == b"1"
    pairing.gateway.check_end()


def test_h2_drain_deadline_ends_streams_that_never_end(lab):
    pairing = Pairing(lab, "2-2", shutdown={"drain": "300ms"})
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    pairing.gateway.signal(signal.SIGTERM)
    caller.peer.read_all()
    pairing.gateway.check_end()


def test_h2_idle_connection_ends_with_goaway(lab):
    gateway = lab.relay(lab.serving(), listener={"http1": {"keepalive_timeout": "200ms"}})
    client = lab.h2_client(gateway)
    assert client.get().status == 200
    client.expect_goaway(NO_ERROR)


def test_h2_client_that_says_goaway_gets_its_answers(lab):
    pairing = Pairing(lab, "2-1")
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    caller.peer.send_goaway()
    answerer.answer(200, b"still")
    assert caller.response().body == b"still"
    caller.peer.read_all()


def test_h2_client_that_half_closes_gets_its_answers(lab):
    pairing = Pairing(lab, "2-1")
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    caller.peer.shutdown_write()
    eventually(lambda: pairing.gateway.metric("weir_listener_exchanges", listener="main") in (0, 1),
               "the gateway has made up its mind")


def test_h2_reload_keeps_connections_and_streams(lab):
    pairing = Pairing(lab, "2-2")
    caller, answerer = pairing.ends()
    caller.send("GET", "/before")
    answerer.request()
    assert pairing.gateway.reload()[0] == 0
    answerer.answer(200, b"ok")
    assert caller.response().body == b"ok"
    caller.send("GET", "/after")
    answerer.request()
    answerer.answer(200, b"ok")
    assert caller.response().body == b"ok"


def test_h2_local_answers(lab):
    gateway = lab.relay(lab.serving(), routes=[
        {"name": "d", "match": {"path": {"exact": "/direct"}},
         "target": {"direct": {"status": 200, "body": "direct"}}},
        {"name": "r", "match": {"path": {"exact": "/old"}},
         "target": {"redirect": {"path": "/new", "status": 308}}}])
    client = lab.h2_client(gateway)
    assert client.get("/direct").body == b"direct"
    answer = client.get("/old")
    assert (answer.status, answer.header("location")) == (308, "/new")
    from support.refusal import assert_refused
    assert_refused(client.get("/nowhere"), "no_route")


@pytest.mark.tsan
def test_h2_many_clients_on_two_workers_while_reloading(lab):
    origin = lab.serving()
    gateway = lab.relay(origin, workers=2, listener=tls_keys())
    clients = [lab.h2_client(gateway, tls=client_context(alpn=["h2"])) for _ in range(8)]
    for turn in range(5):
        streams = [(c, c.send_request("GET", f"/{turn}/{n}")) for c in clients for n in range(5)]
        assert gateway.reload()[0] == 0
        for client, stream in streams:
            assert client.read_response(stream).status == 200
