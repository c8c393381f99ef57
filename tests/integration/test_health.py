# SPDX-License-Identifier: Apache-2.0
"""Health: checks, suspicion, ejection, slow start and what a reload leaves of them, with origins
that die, freeze, answer 500 and come back."""
import os
import signal
import subprocess
import sys
import time

import pytest
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused
from support.waiting import SLOWNESS, eventually

FAST = {"interval": "100ms", "timeout": "80ms", "unhealthy_threshold": 2}
SLOW = {"interval": "30s", "timeout": "300ms"}
HTTP = {"http": {"path": "/health"}}
NO_RETRY = {"retry": {"num_retries": 0}}
BOTH = pytest.mark.parametrize("workers", [1, 2])


class Server:
    """An origin whose health check answers with what the test says; checks are not counted."""

    def __init__(self, lab, name=b"ok", **where):
        self.check_status = 200
        self.status = 200
        self.checks = 0
        self.name = name
        self.origin = lab.serving(self._answer, **where)
        self.address = self.origin.address
        self.requests = 0

    def _answer(self, found, connection):
        if found.target == "/health":
            self.checks += 1
            connection.answer(self.check_status, b"")
        else:
            self.requests += 1
            connection.answer(self.status, self.name)


class Dead:
    """An address where nobody listens any more."""

    def __init__(self, lab):
        origin = lab.origin()
        self.address = origin.address
        origin.stop_listening()


def endpoints_of(gateway, cluster="app"):
    found = gateway.admin_json("/clusters")["clusters"]
    return {e["address"]: e for c in found if c["name"] == cluster for e in c["endpoints"]}


def health_of(gateway, origin):
    return endpoints_of(gateway)[origin.address]["health"]


def wait_for_health(gateway, origin, health):
    eventually(lambda: health_of(gateway, origin) == health, f"{origin.address} is {health}")


# ---- Active checks.
@BOTH
def test_health_an_endpoint_whose_checks_fail_gets_no_requests_and_comes_back(lab, workers):
    good, bad = Server(lab, b"good"), Server(lab, b"bad")
    gateway = lab.relay(good, bad, cluster={"health_check": {**HTTP, **FAST}}, workers=workers)
    client = lab.client(gateway)
    bad.check_status = 503
    wait_for_health(gateway, bad, "unhealthy")
    assert endpoints_of(gateway)[bad.address]["reason"] == "status 503"
    before = bad.requests
    assert {client.get().body for _ in range(30)} == {b"good"}
    assert bad.requests == before
    bad.check_status = 200
    wait_for_health(gateway, bad, "healthy")
    eventually(lambda: client.get().body == b"bad", "the second one serves again")
    lines = [line for line in gateway.stderr if "endpoint " in line and bad.address in line]
    assert "reason=\"status 503\"" in lines[0] and "msg=\"endpoint in\"" in lines[-1], lines


def test_health_the_first_check_is_made_before_it_is_ready(lab):
    dead = Dead(lab)
    good = Server(lab, b"good")
    gateway = lab.relay(good, dead, cluster={"health_check": {**HTTP, **SLOW}}, route=NO_RETRY)
    assert health_of(gateway, dead) == "unhealthy"
    client = lab.client(gateway)
    assert {client.get().status for _ in range(20)} == {200}


def test_health_tcp_checks_connect_and_no_more(lab):
    alive, dead = lab.origin(), Dead(lab)
    gateway = lab.relay(alive, dead, cluster={"health_check": {"tcp": {}, **SLOW}})
    states = endpoints_of(gateway)
    assert states[alive.address]["health"] == "healthy"
    assert states[dead.address]["reason"] == "connection refused"


def test_health_checks_say_what_the_config_says(lab):
    seen = []

    def answer(found, connection):
        seen.append(found)
        connection.answer(204 if found.target == "/up?full=1" else 500)
    origin = lab.serving(answer, path=lab.path("o.sock"))
    check = {"http": {"path": "/up?full=1", "method": "HEAD", "host": "up.example",
                      "headers": {"x-probe": "weir"}, "expect": "204"}, **SLOW}
    gateway = lab.relay(origin, cluster={"health_check": check})
    assert health_of(gateway, origin) == "healthy"
    found = seen[0]
    assert (found.method, found.target) == ("HEAD", "/up?full=1")
    assert found.header("host") == "up.example" and found.header("x-probe") == "weir"


def test_health_a_status_that_is_not_expected_fails(lab):
    origin = Server(lab)
    origin.check_status = 302
    gateway = lab.relay(origin, cluster={"health_check": {"http": {"path": "/health",
                                                                   "expect": "200"}, **SLOW}})
    assert endpoints_of(gateway)[origin.address]["reason"] == "status 302"


def test_health_where_all_fail_requests_are_refused_at_once(lab):
    origin = Server(lab)
    origin.check_status = 500
    gateway = lab.relay(origin, cluster={"health_check": {**HTTP, **SLOW}})
    assert_refused(lab.client(gateway).get(), "no_healthy_endpoint")
    assert origin.requests == 0


def test_health_a_check_that_gets_no_answer_fails(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, cluster={"health_check": {**HTTP, **SLOW}})
    assert endpoints_of(gateway)[origin.address]["reason"] == "no answer in time"


def test_health_idle_connections_to_an_unhealthy_endpoint_are_closed(lab):
    origin = Server(lab)
    gateway = lab.relay(origin, cluster={"health_check": {**HTTP, **FAST}})
    assert lab.client(gateway).get().status == 200
    assert endpoints_of(gateway)[origin.address]["connections"] == 1
    origin.check_status = 500
    wait_for_health(gateway, origin, "unhealthy")
    eventually(lambda: endpoints_of(gateway)[origin.address]["connections"] == 0, "it is closed")


def test_health_http2_and_its_grpc_check(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={"protocol": "http2", "health_check": {**HTTP, **SLOW}})
    assert health_of(gateway, origin) == "healthy"
    grpc = lab.relay(origin, cluster={"protocol": "http2",
                                      "health_check": {"grpc": {"service": "x"}, **SLOW}})
    assert health_of(grpc, origin) == "unhealthy"


def test_health_proxy_protocol_goes_before_a_check(lab):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, cluster={
        "proxy_protocol": "v2",
        "health_check": {**HTTP, "interval": "30s", "timeout": "5s"}}), wait=False)
    connection = origin.accept()
    assert connection.read_exact(16) == b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
    connection.expect("GET", "/health")
    connection.answer(200)
    gateway.wait_for_line(lambda line: line == "ready", "ready")


# ---- On suspicion: the interval is half a minute, and traffic moves at once.
class Frozen:
    """A process of its own that serves, so that it can be stopped and go on."""
    CODE = """
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "6"); self.end_headers()
        self.wfile.write(b"frozen")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
"""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", self.CODE], stdout=subprocess.PIPE)
        self.address = "127.0.0.1:%d" % int(self.process.stdout.readline())

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self):
        self.thaw()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@BOTH
def test_health_one_that_dies_is_out_long_before_the_interval(lab, workers):
    good, dying = Server(lab, b"good"), Server(lab, b"dying")
    gateway = lab.relay(good, dying, cluster={"health_check": {**HTTP, **SLOW}}, workers=workers)
    client = lab.client(gateway)
    eventually(lambda: client.get().body == b"dying", "both serve")
    dying.origin.close()
    start = time.monotonic()
    while health_of(gateway, dying) != "unhealthy":
        assert client.get().status == 200
        assert time.monotonic() - start < 10 * SLOWNESS
    assert time.monotonic() - start < 5 * SLOWNESS, "the interval is longer"
    assert {client.get().body for _ in range(20)} == {b"good"}


def test_health_one_that_freezes_is_out_long_before_the_interval(lab):
    good, frozen = Server(lab, b"good"), lab.keep(Frozen())
    gateway = lab.relay(good, frozen, cluster={"health_check": {**HTTP, **SLOW}})
    assert health_of(gateway, frozen) == "healthy"
    frozen.freeze()
    start = time.monotonic()
    # Which endpoint a request goes to is drawn: they go on until one has met the frozen one.
    while health_of(gateway, frozen) != "unhealthy":
        lab.client(gateway).send(request())
        assert time.monotonic() - start < 15 * SLOWNESS
        time.sleep(0.05)
    assert {lab.client(gateway).get().body for _ in range(10)} == {b"good"}
    frozen.thaw()


# ---- Outlier detection.
OUTLIER = {"consecutive_5xx": 3, "base_ejection_time": "2s"}


@BOTH
def test_health_errors_in_a_row_eject_and_time_brings_back(lab, workers):
    servers = [Server(lab, name) for name in (b"a", b"b", b"c")]
    bad = servers[2]
    gateway = lab.relay(*servers, cluster={"outlier_detection": OUTLIER}, route=NO_RETRY,
                        workers=workers)
    client = lab.client(gateway)
    bad.status = 500
    eventually(lambda: client.get() and health_of(gateway, bad) == "ejected", "it is ejected")
    assert {client.get().body for _ in range(20)} == {b"a", b"b"}
    bad.status = 200
    eventually(lambda: client.get().body == b"c", "it serves again")
    assert endpoints_of(gateway)[bad.address]["ejections"] == 1


@pytest.mark.parametrize("status", [b"200 OK", b"503 No"])
def test_health_answers_that_break_off_in_a_row_eject(lab, status):
    def cut_short(found, connection):
        connection.send(b"HTTP/1.1 " + status + b"\r\ncontent-length: 9\r\n\r\nhalf")
        connection.close()
    well, bad = Server(lab, b"a"), lab.serving(cut_short)
    gateway = lab.relay(well, bad, cluster={"outlier_detection": OUTLIER}, route=NO_RETRY)
    eventually(lambda: lab.client(gateway).send(request()) or health_of(gateway, bad) == "ejected",
               "it is ejected")
    found = bad.count()
    assert found in (3, 4), "each counts once"


def test_health_ejections_keep_the_floor(lab):
    servers = [Server(lab, name) for name in (b"a", b"b")]
    gateway = lab.relay(*servers, cluster={"outlier_detection": {**OUTLIER,
                                                                 "base_ejection_time": "1m"}},
                        route=NO_RETRY)
    client = lab.client(gateway)
    for server in servers:
        server.status = 503
    assert {client.get().status for _ in range(40)} == {503}
    states = [endpoints_of(gateway)[s.address]["health"] for s in servers]
    assert sorted(states) == ["ejected", "healthy"]


def test_health_a_lone_endpoint_is_never_ejected(lab):
    server = Server(lab)
    server.status = 500
    gateway = lab.relay(server, cluster={"outlier_detection": OUTLIER}, route=NO_RETRY)
    client = lab.client(gateway)
    assert {client.get().status for _ in range(20)} == {500}
    assert health_of(gateway, server) == "healthy"


def test_health_failed_checks_are_not_held_back_and_pardon_the_ejected(lab):
    first, second = Server(lab, b"a"), Server(lab, b"b")
    gateway = lab.relay(first, second, route=NO_RETRY, cluster={
        "health_check": {**HTTP, **FAST},
        "outlier_detection": {**OUTLIER, "base_ejection_time": "1m"}})
    client = lab.client(gateway)
    first.status = 500
    eventually(lambda: client.get() and health_of(gateway, first) == "ejected", "it is ejected")
    second.check_status = 500
    wait_for_health(gateway, second, "unhealthy")
    assert health_of(gateway, first) in ("healthy", "suspect")


def test_health_answers_that_are_the_clients_fault_eject_nobody(lab):
    servers = [Server(lab), Server(lab), Server(lab)]
    servers[0].status = 404
    gateway = lab.relay(*servers, cluster={"outlier_detection": OUTLIER}, route=NO_RETRY)
    client = lab.client(gateway)
    for _ in range(30):
        client.get()
    assert {e["health"] for e in endpoints_of(gateway).values()} == {"healthy"}


# ---- Slow start.
def test_health_slow_start_gives_part_of_the_weight_after_recovery_not_at_start(lab):
    first, second = Server(lab, b"a"), Server(lab, b"b")
    gateway = lab.relay(first, second, cluster={"health_check": {**HTTP, **FAST},
                                                "slow_start": {"window": "30s"}})
    assert {e["weight_now"] for e in endpoints_of(gateway).values()} == {100}
    second.check_status = 500
    wait_for_health(gateway, second, "unhealthy")
    second.check_status = 200
    wait_for_health(gateway, second, "slow_start")
    assert 10 <= endpoints_of(gateway)[second.address]["weight_now"] < 60


# ---- Reload.
@BOTH
def test_health_state_survives_a_reload_and_goes_with_its_keys(lab, workers):
    good, bad = Server(lab, b"good"), Server(lab, b"bad")
    bad.check_status = 500
    config = config_for(good, bad, cluster={"health_check": {**HTTP, **SLOW}}, workers=workers)
    gateway = lab.gateway(config)
    assert health_of(gateway, bad) == "unhealthy"
    config["clusters"]["app"]["health_check"]["interval"] = "20s"
    gateway.reload(config)
    assert health_of(gateway, bad) == "unhealthy"
    client = lab.client(gateway)
    assert {client.get().body for _ in range(20)} == {b"good"}
    del config["clusters"]["app"]["health_check"]
    gateway.reload(config)
    assert health_of(gateway, bad) == "healthy"
    assert {client.get().body for _ in range(40)} == {b"good", b"bad"}


def test_health_an_endpoint_that_joins_is_checked_before_it_serves(lab):
    good, late = Server(lab, b"good"), Server(lab, b"late")
    late.check_status = 500
    cluster = {"health_check": {**HTTP, **FAST}}
    gateway = lab.gateway(config_for(good, cluster=cluster))
    gateway.reload(config_for(good, late, cluster=cluster))
    client = lab.client(gateway)
    assert {client.get().body for _ in range(20)} == {b"good"}
    late.check_status = 200
    wait_for_health(gateway, late, "healthy")


# ---- What is shown.
def test_health_metrics_and_status(lab):
    good, bad = Server(lab), Server(lab)
    bad.check_status = 500
    gateway = lab.relay(good, bad, cluster={"health_check": {**HTTP, **SLOW},
                                            "outlier_detection": {}})
    metrics = gateway.metrics()
    assert metrics.sum("weir_cluster_endpoints_by_health", cluster="app", health="unhealthy") == 1
    assert metrics.sum("weir_cluster_health_checks_total", cluster="app", result="failed") >= 1
    assert metrics.sum("weir_endpoint_healthy", cluster="app", endpoint=bad.address) == 0
    assert metrics.sum("weir_endpoint_healthy", cluster="app", endpoint=good.address) == 1


def test_health_ready_when_follows_the_cluster(lab):
    origin = Server(lab)
    gateway = lab.relay(origin, cluster={"health_check": {**HTTP, **FAST}},
                        admin={"ready_when": ["app"], "address": "unix:@DIR@/admin.sock",
                               "metrics": "off"})
    assert gateway.admin("/readyz").status == 200
    origin.check_status = 500
    eventually(lambda: gateway.admin("/readyz").status == 503, "not ready")
    assert b"app" in gateway.admin("/readyz").body
    origin.check_status = 200
    eventually(lambda: gateway.admin("/readyz").status == 200, "ready again")
