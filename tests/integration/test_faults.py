# SPDX-License-Identifier: Apache-2.0
"""Faults that operators inject for drills: only where the config lets them, only for a time, at a
route or a cluster, and counted against nobody's health."""
import time

import pytest
from support.gateway import run_cli
from support.lab import endpoints
from support.message import request
from support.refusal import proxy_status
from support.waiting import eventually


def drilled(lab, **changes):
    """(origin, gateway, client) of a weir where drills are allowed."""
    origin = lab.serving()
    gateway = lab.relay(origin, **changes)
    allow(gateway)
    return origin, gateway, lab.client(gateway)


def allow(gateway, yes=True):
    admin = {"address": "unix:" + gateway.admin_path, "metrics": "127.0.0.1:0",
             "fault_injection": yes}
    code, _, err = gateway.reload({**gateway.config, "admin": admin})
    assert code == 0, err


def inject(gateway, *line):
    code, out, err = run_cli("set", "fault", *line, "-c", gateway.file)
    return code, out + err


def rows(gateway):
    return gateway.admin_json("/overrides")["overrides"]


def assert_aborted(answer, status):
    assert answer.status == status
    name, parameters = proxy_status(answer)
    assert name == "weir" and "fault_injected" in parameters["details"]
    assert b"fault_injected" in answer.body


@pytest.mark.parametrize("where", ["route:all", "cluster:app"])
def test_an_abort_answers_with_its_status_and_sends_nothing(lab, where):
    origin, gateway, client = drilled(lab, cluster={"circuit_breaker": {"minimum_requests": 1}})
    code, out = inject(gateway, where, "abort=502", "--for", "1m")
    assert code == 0 and "abort=502 percent=100" in out
    for _ in range(20):
        assert_aborted(client.get(), 502)
    assert origin.count() == 0
    assert gateway.admin_json("/breakers")["breakers"][0]["breakers"][0]["state"] == "closed"
    gateway.expect_metric(20, "weir_proxy_faults_injected_total")
    gateway.expect_metric(20, "weir_proxy_failures_total", reason="fault_injected")
    assert gateway.metric("weir_overrides", kind="fault") == 1
    assert gateway.log(20)[0]["reason"] == "fault_injected"
    assert inject(gateway, where, "none")[0] == 0
    assert client.get().status == 200 and rows(gateway) == []


@pytest.mark.parametrize("where", ["route:all", "cluster:app"])
def test_a_delay_holds_requests_and_blocks_nobody(lab, where):
    origin, gateway, client = drilled(lab)
    assert inject(gateway, where, "delay=700ms", "--for", "1m")[0] == 0
    others = [lab.client(gateway) for _ in range(5)]
    began = time.monotonic()
    for other in others:
        other.send(request())
    client.send(request("POST", "/", body=b"x" * 100_000))
    for other in [*others, client]:
        assert other.read_response().status == 200
    took = time.monotonic() - began
    assert 0.69 <= took < 6 * 0.7, "all at once, not one after the other"
    assert origin.count() == 6


@pytest.mark.parametrize("where", ["route:all", "cluster:app"])
def test_a_delay_does_not_lose_the_body_that_a_route_buffers(lab, where):
    _, gateway, client = drilled(lab, route={"buffer_request": True})
    assert inject(gateway, where, "delay=200ms", "--for", "1m")[0] == 0
    client.send(request("POST", "/", headers={"Content-Length": "300000"}))
    time.sleep(0.4)
    client.send(b"x" * 300_000)
    assert client.read_response().status == 200


def test_a_cluster_has_its_fault_after_a_hop_as_well(lab):
    gone, standby = lab.origin(), lab.serving()
    nobody = gone.address
    gone.stop_listening()
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"gone": endpoints(nobody), "standby": endpoints(standby)},
        "failover_groups": {"all": {"members": [{"cluster": "gone", "priority": 0, "capacity": 9},
                                                {"cluster": "standby", "priority": 1, "capacity": 9}]}},
        "routes": [{"name": "all", "target": {"failover_group": "all"}}]})
    allow(gateway)
    client = lab.client(gateway)
    assert client.get().status == 200
    assert inject(gateway, "cluster:standby", "delay=300ms", "abort=418", "--for", "1m")[0] == 0
    began = time.monotonic()
    assert_aborted(client.get(), 418)
    assert time.monotonic() - began >= 0.29 and standby.count() == 1


@pytest.mark.parametrize("abort", [418, 500])
def test_a_fault_after_a_hop_is_given_rather_than_an_answer_before_it(lab, abort):
    failing = lab.serving(lambda _, connection: connection.answer(503, b"busy"))
    standby = lab.serving()
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"failing": endpoints(failing), "standby": endpoints(standby)},
        "failover_groups": {"all": {"members": [{"cluster": "failing", "priority": 0, "capacity": 9},
                                                {"cluster": "standby", "priority": 1, "capacity": 9}]}},
        "routes": [{"name": "all", "target": {"failover_group": "all"}, "retry": {
            "on": ["503"], "backoff": {"base": "1ms", "max": "1ms"}}}]})
    allow(gateway)
    client = lab.client(gateway)
    assert inject(gateway, "cluster:standby", f"abort={abort}", "--for", "1m")[0] == 0
    assert_aborted(client.get(), abort)
    assert standby.count() == 0
    assert gateway.log(1)[0]["reason"] == "fault_injected"


def test_a_delay_may_end_in_an_abort(lab):
    origin, gateway, client = drilled(lab)
    assert inject(gateway, "route:all", "delay=200ms", "abort=504", "--for", "1m")[0] == 0
    began = time.monotonic()
    assert_aborted(client.get(), 504)
    assert time.monotonic() - began >= 0.19 and origin.count() == 0


def test_a_percentage_is_of_requests(lab):
    _, gateway, client = drilled(lab)
    assert inject(gateway, "cluster:app", "abort=503", "percent=30", "--for", "1m")[0] == 0
    refused = sum(client.get().status == 503 for _ in range(600))
    assert 120 <= refused <= 240


def test_a_fault_is_over_after_its_time(lab):
    _, gateway, client = drilled(lab)
    assert inject(gateway, "route:all", "abort=503", "--for", "1s")[0] == 0
    assert client.get().status == 503
    gateway.wait_for_line(lambda line: "override ended" in line and "its time is over" in line,
                          "the end")
    assert client.get().status == 200


def test_a_reload_keeps_a_fault_for_its_time_and_ends_it_with_its_key(lab):
    _, gateway, client = drilled(lab)
    assert inject(gateway, "route:all", "abort=503", "--for", "1h")[0] == 0
    assert gateway.reload()[0] == 0
    assert_aborted(client.get(), 503)
    allow(gateway, False)
    assert client.get().status == 200 and rows(gateway) == []


def test_a_reload_while_a_request_is_delayed_loses_nothing(lab):
    _, gateway, client = drilled(lab)
    for where in ("route:all", "cluster:app"):
        assert inject(gateway, where, "delay=400ms", "--for", "1m")[0] == 0
    client.send(request())
    for _ in range(4):
        assert gateway.reload()[0] == 0
    assert client.read_response().status == 200


def test_a_client_that_leaves_while_it_is_delayed_leaves_nothing_behind(lab):
    origin, gateway, client = drilled(lab)
    assert inject(gateway, "cluster:app", "delay=400ms", "--for", "1m")[0] == 0
    client.send(request())
    eventually(lambda: gateway.metric("weir_cluster_requests", cluster="app") == 1, "it waits")
    client.reset()
    eventually(lambda: gateway.metric("weir_cluster_requests", cluster="app") == 0, "it is gone")
    assert origin.count() == 0


def test_the_deadline_of_a_route_holds_over_a_delay(lab):
    origin, gateway, client = drilled(lab, route={"timeout": "200ms"})
    assert inject(gateway, "route:all", "delay=5s", "--for", "1m")[0] == 0
    assert client.get().status == 504
    assert origin.count() == 0


def test_no_fault_is_injected_where_the_config_does_not_let_it(lab):
    gateway = lab.relay(lab.serving())
    code, out = inject(gateway, "route:all", "abort=503", "--for", "1m")
    assert code == 1 and "admin.fault_injection: true" in out
    assert lab.client(gateway).get().status == 200


@pytest.mark.parametrize("line, words", [
    (["route:all", "abort=503"], ["--for"]),
    (["route:all", "abort=503", "--keep"], ["--for"]),
    (["route:all", "abort=503", "--for", "2h"], ["up to 1h"]),
    (["route:al", "abort=503", "--for", "1m"], ["did you mean `all`"]),
    (["cluster:ap", "abort=503", "--for", "1m"], ["did you mean `app`"]),
    (["all", "abort=503", "--for", "1m"], ["route:NAME"]),
    (["route:all", "abort=200", "--for", "1m"], ["`abort=200`"]),
    (["route:all", "delay=6m", "--for", "1m"], ["`delay=6m`"]),
    (["route:all", "percent=10", "--for", "1m"], ["abort=503 or both"]),
    (["route:all", "abort=503", "percent=0", "--for", "1m"], ["`percent=0`"]),
])
def test_a_wrong_fault_says_what_is_right(lab, line, words):
    _, gateway, client = drilled(lab)
    code, out = inject(gateway, *line)
    assert code == 1
    for word in words:
        assert word in out
    assert rows(gateway) == [] and client.get().status == 200
