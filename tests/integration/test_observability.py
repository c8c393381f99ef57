# SPDX-License-Identifier: Apache-2.0
"""What is seen from outside: metrics, health, the admin verbs, the access log."""
import ctypes
import json
import os
import re

import pytest
from support.lab import config_for
from support.message import request
from support.refusal import REASONS
from support.waiting import eventually


# ---- Metrics.
def test_metrics_are_prometheus_text(lab):
    gateway = lab.relay(lab.serving())
    lab.client(gateway).get()
    answer = gateway.admin("/metrics", tcp=True)
    assert answer.header("content-type").startswith("text/plain")
    found = gateway.metrics()
    assert all(name.startswith(("weir_", "process_")) for name in found.names())


def test_metrics_have_type_and_help(lab):
    found = lab.relay(lab.serving()).metrics()
    for name in found.names():
        family = found.family(name)
        assert family and found.helps.get(family), name
        if name.endswith("_total"):
            assert found.types[family] == "counter", name


def test_metrics_count_requests_by_listener_and_class(lab):
    origin = lab.serving(lambda found, connection: connection.answer(int(found.target[1:])))
    gateway = lab.relay(origin, route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    for status in (200, 200, 404, 503):
        client.get(f"/{status}")
    gateway.expect_metric(4, "weir_listener_requests_total", listener="main")
    for name, count in (("2xx", 2), ("4xx", 1), ("5xx", 1)):
        gateway.expect_metric(count, "weir_listener_responses_total", listener="main",
                              **{"class": name})


def test_metrics_count_failures_by_reason(lab):
    gateway = lab.gateway({"listeners": {"main": {"address": "127.0.0.1:0"}}, "clusters": {},
                           "routes": []})
    client = lab.client(gateway)
    client.get()
    client.get()
    gateway.expect_metric(2, "weir_proxy_failures_total", reason="no_route")


def test_metrics_series_are_bounded(lab):
    origin = lab.serving()
    gateway = lab.relay(origin)
    client = lab.client(gateway)
    client.get()
    before = len(gateway.metrics().samples)
    for n in range(100):
        client.get(f"/path-{n}", host=f"host-{n}.test", headers={"X-User": str(n)})
        client.request(f"METHOD-{n}")
    assert len(gateway.metrics().samples) == before


def test_metrics_histograms_are_cumulative(lab):
    gateway = lab.relay(lab.serving())
    client = lab.client(gateway)
    for _ in range(5):
        client.get()
    found = gateway.metrics()
    histograms = [name for name, kind in found.types.items() if kind == "histogram"]
    assert histograms
    for name in histograms:
        rows = {}
        for labels, value in found.series(name + "_bucket"):
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            rows.setdefault(key, []).append((float(labels["le"]), value))
        for key, buckets in rows.items():
            buckets.sort()
            counts = [count for _, count in buckets]
            assert counts == sorted(counts), name
            assert buckets[-1][0] == float("inf"), name
            assert counts[-1] == found.sum(name + "_count", **dict(key)), name


@pytest.mark.tsan
def test_metrics_sum_over_workers(lab):
    gateway = lab.relay(lab.serving(), workers=2)
    for _ in range(40):
        client = lab.client(gateway)
        client.get()
        client.close()
        gateway.metrics()
    gateway.expect_metric(40, "weir_listener_requests_total", listener="main")
    gateway.expect_metric(40, "weir_cluster_requests_total", cluster="app")


def test_metrics_gauges_return_to_zero(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    gateway.expect_metric(1, "weir_worker_exchanges")
    gateway.expect_metric(1, "weir_cluster_requests", cluster="app")
    connection.answer()
    client.read_response()
    eventually(lambda: gateway.metric("weir_worker_exchanges") == 0, "no exchange is active")
    client.close()
    eventually(lambda: gateway.metric("weir_listener_connections", listener="main") == 0,
               "no connection is open")


# ---- Health.
@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
def test_health_of_a_running_gateway(lab, target, tcp):
    assert lab.relay(lab.serving()).admin(target, tcp=tcp).status == 200


class StoppedThread:
    """One thread of another process, stopped by ptrace; the others run on."""

    def __init__(self, thread_id):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._id = thread_id
        self._ptrace(0x4206)  # PTRACE_SEIZE
        self._ptrace(0x4207)  # PTRACE_INTERRUPT

    def _ptrace(self, order):
        zero = ctypes.c_void_p(0)
        if self._libc.ptrace(order, self._id, zero, zero) != 0:
            pytest.skip("this machine does not let tests stop a thread")

    def let_go(self):
        os.waitpid(self._id, 0x40000000)  # __WALL: until it has stopped
        self._ptrace(17)  # PTRACE_DETACH


def threads_of(gateway):
    found = {}
    for thread in os.listdir(f"/proc/{gateway.process.pid}/task"):
        with open(f"/proc/{gateway.process.pid}/task/{thread}/comm", encoding="utf-8") as file:
            found[int(thread)] = file.read().strip()
    return found


def test_health_fails_when_a_worker_stands_still_and_recovers(lab):
    gateway = lab.relay(lab.serving(), workers=2)
    worker = next(number for number, name in threads_of(gateway).items() if "worker" in name)
    stopped = StoppedThread(worker)
    try:
        eventually(lambda: gateway.admin("/healthz", tcp=True).status == 503, "it is noticed")
    finally:
        stopped.let_go()
    eventually(lambda: gateway.admin("/healthz", tcp=True).status == 200, "it is well again")


# ---- Verbs.
@pytest.mark.parametrize("target", ["/config", "/clusters", "/stats"])
def test_admin_views_are_json_on_the_unix_socket(lab, target):
    gateway = lab.relay(lab.serving())
    lab.client(gateway).get()
    answer = gateway.admin(target)
    assert answer.header("content-type").startswith("application/json")
    assert json.loads(answer.body)


@pytest.mark.parametrize("method, target", [("GET", "/config"), ("GET", "/clusters"),
                                            ("GET", "/stats"), ("POST", "/reload")])
def test_admin_verbs_are_not_served_over_tcp(lab, method, target):
    gateway = lab.relay(lab.serving())
    assert gateway.admin(target, method, tcp=True).status in (403, 404, 405)
    assert gateway.metric("weir_config_reloads_total") == 0


def test_admin_clusters_shows_endpoints(lab):
    origin = lab.serving()
    gateway = lab.relay(origin)
    assert origin.address in gateway.admin("/clusters").body.decode()


def test_admin_config_keeps_secrets_out(lab):
    gateway = lab.relay(lab.serving(), route={"headers": {"request": {
        "set": {"authorization": "Bearer hunter2"}}}})
    text = gateway.admin("/config").body.decode()
    assert "app" in text and "hunter2" not in text


def test_admin_unknown_path_is_404(lab):
    assert lab.relay(lab.serving()).admin("/nothing").status == 404


def test_admin_reload_by_get_is_refused(lab):
    gateway = lab.relay(lab.serving())
    assert gateway.admin("/reload").status == 405


def test_admin_survives_garbage(lab):
    gateway = lab.relay(lab.serving())
    from support.client import Client
    for raw in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST /reload HTTP/1.1\r\n"
                b"Content-Length: 99999999999\r\n\r\n", b"A" * 200_000):
        peer = Client(gateway.admin_path)
        try:
            peer.send(raw)
            peer.shutdown_write()
            peer.read_to_end_or_reset()
        except OSError:
            pass
        finally:
            peer.close()
    assert gateway.admin("/healthz").status == 200


# ---- Access log.
def logged(lab, raw=None, **changes):
    client, origin, gateway = lab.pair(**changes)
    client.send(raw or request("GET", "/a/../b?c=d", host="App.test:80",
                               headers={"User-Agent": "ua", "Referer": "re"}))
    connection = origin.accept()
    found = connection.expect()
    connection.answer(200, b"hello")
    client.read_response()
    line = gateway.log(1)[0]
    line["found"], line["origin"], line["client_socket"] = found, origin, client.sock
    return line


def test_log_says_what_was_asked_and_what_came_of_it(lab):
    line = logged(lab)
    expected = {"client": "127.0.0.1", "listener": "main", "method": "GET", "scheme": "http",
                "authority": "app.test:80", "target": "/a/../b?c=d", "path": "/b",
                "protocol": "HTTP/1.1", "status": 200, "route": "all", "cluster": "app",
                "attempts": 1, "upstream_status": 200, "upstream_reused": False,
                "bytes_received": 0, "bytes_sent": 5, "user_agent": "ua", "referer": "re"}
    assert {key: line.get(key) for key in expected} == expected
    assert line["endpoint"] == line["origin"].address
    assert line["client_port"] == line["client_socket"].getsockname()[1]
    assert line["request_id"] == line["found"].header("x-request-id")
    assert line["trace_id"] == line["found"].header("traceparent").split("-")[1]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line["time"])
    assert not line.get("reason")


def test_log_phases_are_in_order(lab):
    line = logged(lab)
    phases = [line[f"{name}_us"] for name in ("head", "connected", "sent", "response", "total")]
    assert phases == sorted(phases) and phases[0] >= 0 and phases[-1] < 60_000_000


def test_log_counts_body_bytes_without_framing(lab):
    line = logged(lab, request("POST", chunks=["abc", "de"]))
    assert (line["bytes_received"], line["bytes_sent"]) == (5, 5)


def test_log_of_a_refusal_has_its_reason(lab):
    client, _, gateway = lab.pair()
    client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    client.read_response()
    line = gateway.log(1)[0]
    assert (line["status"], line["reason"]) == (400, "bad_host")
    assert line["reason"] in REASONS


def test_log_line_stays_one_line_whatever_a_client_sends(lab):
    line = logged(lab, request(headers={"User-Agent": 'a"b\\c\xff\x80', "Referer": "\t\xe2\x80"}))
    assert line["user_agent"].startswith('a"b\\c')


def test_log_sampled_out_still_has_failures(lab):
    config = config_for(lab.serving())
    config["routes"][0]["match"] = {"path": {"prefix": "/ok"}}
    gateway = lab.gateway({**config, "access_log": {"path": "@DIR@/access.log", "sample": "0%"}})
    client = lab.client(gateway)
    for _ in range(5):
        assert client.get("/ok").status == 200
    client.send("GET / HTTP/1.1\r\n\r\n")
    client.read_response()
    assert [line["status"] for line in gateway.log(1)] == [400]


def test_log_common_format(lab):
    client, origin, gateway = lab.pair(access_log={"path": "@DIR@/access.log", "format": "common"})
    client.send(request("GET", "/x"))
    origin.serve_one(200, b"hello")
    client.read_response()
    eventually(gateway.log_lines, "a line")
    assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET /x HTTP/1\.1" 200 5',
                        gateway.log_lines()[0])


def test_log_template(lab):
    client, origin, gateway = lab.pair(access_log={
        "path": "@DIR@/access.log", "format": "%{status} %{path} <%{route}>"})
    client.send(request("GET", "/x"))
    origin.serve_one()
    client.read_response()
    eventually(gateway.log_lines, "a line")
    assert gateway.log_lines() == ["200 /x <all>"]


def test_log_to_stdout(lab):
    client, origin, gateway = lab.pair(access_log={"path": "stdout"})
    client.send(request())
    origin.serve_one()
    client.read_response()
    line = eventually(gateway.stdout_text, "a line on stdout")
    assert json.loads(line)["status"] == 200


def test_log_off_writes_nothing(lab):
    client, origin, gateway = lab.pair(access_log={"path": "off"})
    client.send(request())
    origin.serve_one()
    client.read_response()
    gateway.stop()
    assert gateway.stdout_text() == "" and gateway.log_lines() == []


def test_log_is_complete_after_the_end(lab):
    origin = lab.serving()
    gateway = lab.relay(origin)
    client = lab.client(gateway)
    for _ in range(100):
        client.get()
    gateway.stop()
    assert len(gateway.log_lines()) == 100


def test_log_file_that_was_moved_is_opened_again_on_sighup(lab):
    import signal
    gateway = lab.relay(lab.serving())
    client = lab.client(gateway)
    client.get()
    gateway.log(1)
    os.rename(gateway.log_path, gateway.log_path + ".1")
    gateway.signal(signal.SIGHUP)
    eventually(lambda: os.path.exists(gateway.log_path), "the log file is there again")
    client.get()
    assert len(gateway.log(1)) == 1
