# SPDX-License-Identifier: Apache-2.0
"""What operators set by hand while weir runs: endpoints, weights, clusters, cells and breakers, for
how long it holds, how it is seen, and draining that loses nothing and says when it is empty."""
import json
import subprocess
import threading

import pytest
from support.gateway import binary, run_cli
from support.lab import config_for, endpoints
from support.message import request
from support.origin import echo_name
from support.refusal import assert_refused
from support.waiting import PATIENCE, eventually


def weir(gateway, *arguments):
    return run_cli(*arguments, "-c", gateway.file)


def done(gateway, *arguments):
    code, out, err = weir(gateway, *arguments)
    assert code == 0, out + err
    return out


def two(lab, **changes):
    """(addresses by name, gateway, client) of a cluster with origins a and b."""
    origins = {name: lab.serving(echo_name(name.encode())) for name in "ab"}
    gateway = lab.relay(*origins.values(), **changes)
    return {n: o.address for n, o in origins.items()}, gateway, lab.client(gateway)


def answers(client, n=30):
    """Who answers, or the status of a refusal."""
    got = [client.get() for _ in range(n)]
    return {a.body.decode() if a.status == 200 else a.status for a in got}


def rows(gateway):
    return gateway.admin_json("/overrides")["overrides"]


class Load:
    """Clients that ask again and again until they are told to end."""

    def __init__(self, lab, gateway, clients=6):
        self.failures = []
        self.answers = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(lab.client(gateway),),
                                          daemon=True)
                         for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, client):
        while not self._over.is_set():
            try:
                answer = client.get()
            except Exception as fault:  # whatever a client may meet is a lost request
                self.failures.append(fault)
                return
            if answer.status != 200:
                self.failures.append(answer)
            self.answers += 1

    def more(self, n=200):
        wanted = self.answers + n
        eventually(lambda: self.answers >= wanted or self.failures, "requests go on")

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not self.failures, self.failures[:3]
        assert self.answers > 0


# ---- Endpoints.
@pytest.mark.parametrize("state", ["drain", "maint"])
def test_an_endpoint_that_is_set_to_it_gets_nothing_until_it_is_taken_back(lab, state):
    at, gateway, client = two(lab)
    assert answers(client) == {"a", "b"}
    out = done(gateway, "set", "endpoint", "app/" + at["a"], state)
    assert f"ready -> {state}, until the next reload" in out
    assert answers(client) == {"b"}
    assert "as configured" in done(gateway, "set", "endpoint", "app/" + at["a"], "none")
    assert answers(client) == {"a", "b"}
    assert rows(gateway) == []


def test_ready_takes_a_drain_back_and_all_is_idempotent(lab):
    at, gateway, client = two(lab)
    name = "app/" + at["a"]
    for _ in range(2):
        done(gateway, "set", "endpoint", name, "drain")
        assert len(rows(gateway)) == 1
    done(gateway, "set", "endpoint", name, "ready")
    assert rows(gateway) == []
    assert "nothing was set" in done(gateway, "set", "endpoint", name, "ready")
    assert answers(client) == {"a", "b"}


def test_no_endpoint_is_left_when_all_are_drained(lab):
    at, gateway, client = two(lab)
    for address in at.values():
        done(gateway, "set", "endpoint", "app/" + address, "drain")
    assert_refused(client.get(), "no_endpoint")


def test_the_file_may_say_the_same_of_an_endpoint(lab):
    at, gateway, client = two(lab)
    listed = [{"address": at["a"], "state": "drain"}, {"address": at["b"]}]
    code, _, err = gateway.reload(config_for(cluster={"endpoints": listed}))
    assert code == 0, err
    assert answers(client) == {"b"}
    done(gateway, "set", "endpoint", "app/" + at["a"], "ready")
    assert answers(client) == {"a", "b"}


def test_what_is_in_flight_at_a_drained_endpoint_ends_and_idle_connections_close(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    done(gateway, "set", "endpoint", "app/" + origin.address, "drain")
    connection.answer(200, b"done")
    assert client.read_response().body == b"done"
    connection.expect_end()
    assert_refused(client.get(), "no_endpoint")


def test_idle_connections_to_an_endpoint_are_closed_when_it_drains(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.answer(200, b"x")
    client.read_response()
    done(gateway, "set", "endpoint", "app/" + origin.address, "drain")
    connection.expect_end()


def test_an_endpoint_in_maintenance_is_not_checked_and_checks_do_not_revive_it(lab):
    checks = {"health_check": {"http": {"path": "/health"}, "interval": "200ms",
                               "timeout": "200ms", "unhealthy_threshold": 50}}
    origins = {n: lab.serving(echo_name(n.encode())) for n in "ab"}
    gateway = lab.relay(*origins.values(), cluster=checks)
    client = lab.client(gateway)
    done(gateway, "set", "endpoint", "app/" + origins["a"].address, "maint")
    asked = origins["a"].count()
    others = origins["b"].count()
    eventually(lambda: origins["b"].count() >= others + 5, "the other one is checked on")
    # One check may have been on its way.
    assert origins["a"].count() <= asked + 1
    assert answers(client) == {"b"}
    done(gateway, "set", "endpoint", "app/" + origins["a"].address, "none")
    eventually(lambda: "a" in answers(client, 5), "it comes back")


def test_a_cluster_with_a_slash_in_its_name_is_found(lab):
    origins = [lab.serving() for _ in range(2)]
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"eu": endpoints(origins[0]),
                     "eu/app": {**endpoints(origins[1]), "circuit_breaker": {}}},
        "routes": [{"name": "all", "target": {"cluster": "eu/app"}}]})
    client = lab.client(gateway)
    done(gateway, "set", "breaker", "eu/app", "open", "--for", "1h")
    assert_refused(client.get(), "circuit_open")
    done(gateway, "set", "breaker", "eu/app", "auto")
    done(gateway, "set", "endpoint", "eu/app/" + origins[1].address, "drain")
    assert_refused(client.get(), "no_endpoint")
    assert "  eu/app:\n    endpoints:\n" in done(gateway, "overrides", "--yaml")


# ---- Weights.
def test_a_weight_of_0_takes_nothing_and_a_percentage_is_of_the_configured_one(lab):
    at, gateway, client = two(lab)
    done(gateway, "set", "weight", "app/" + at["a"], "0")
    assert answers(client) == {"b"}
    assert "100 -> 50%" in done(gateway, "set", "weight", "app/" + at["a"], "50%")
    shown = gateway.admin_json("/clusters")["clusters"][0]["endpoints"]
    weights = {e["address"]: e["weight"] for e in shown}
    assert weights == {at["a"]: 50, at["b"]: 100}
    assert [e["weight_override"]["value"] for e in shown if e["address"] == at["a"]] == ["50%"]


# ---- Clusters.
def test_a_cluster_that_drains_refuses_and_metrics_count_it(lab):
    _, gateway, client = two(lab)
    done(gateway, "set", "cluster", "app", "drain")
    assert_refused(client.get(), "no_endpoint")
    assert gateway.metric("weir_overrides", kind="cluster") == 1
    page = gateway.admin_json("/clusters")["clusters"][0]
    assert (page["state"], page["override"]["value"]) == ("drain", "drain")
    gateway.wait_for_line(lambda line: "override set" in line and "by=\"uid " in line, "who")
    done(gateway, "set", "cluster", "app", "ready")
    assert client.get().status == 200
    assert gateway.metric("weir_overrides") == 0


# ---- How long.
def test_a_reload_ends_what_was_not_to_be_kept(lab):
    at, gateway, client = two(lab)
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain")
    done(gateway, "set", "weight", "app/" + at["b"], "7", "--keep")
    assert gateway.reload()[0] == 0
    assert [(r["kind"], r["ends"]) for r in rows(gateway)] == [("weight", "kept")]
    assert "a" in answers(client)
    weights = {e["address"]: e["weight"]
               for e in gateway.admin_json("/clusters")["clusters"][0]["endpoints"]}
    assert weights == {at["a"]: 100, at["b"]: 7}
    gateway.wait_for_line(lambda line: "override ended" in line and "why=reload" in line, "why")


def test_what_is_kept_holds_through_reloads_under_load(lab):
    at, gateway, _ = two(lab)
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain", "--keep")
    load = Load(lab, gateway)
    before = eventually(lambda: load.answers, "it runs")
    for _ in range(5):
        assert gateway.reload()[0] == 0
        load.more(20)
    load.end()
    assert before and answers(lab.client(gateway)) == {"b"}


def test_a_kept_state_of_what_the_file_no_longer_has_is_over(lab):
    at, gateway, _ = two(lab)
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain", "--keep")
    assert gateway.reload(config_for(at["b"]))[0] == 0
    assert rows(gateway) == []
    assert gateway.reload(config_for(at["a"], at["b"]))[0] == 0
    assert answers(lab.client(gateway)) == {"a", "b"}


def test_a_time_ends_it_by_itself_and_a_reload_does_not(lab):
    at, gateway, client = two(lab)
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain", "--for", "1500ms")
    assert gateway.reload()[0] == 0
    assert answers(client) == {"b"}
    gateway.wait_for_line(lambda line: "override ended" in line and "its time is over" in line,
                          "the end")
    assert answers(client) == {"a", "b"}
    assert rows(gateway) == []


# ---- Cells.
def test_a_cell_is_drained_by_hand_and_comes_home(lab):
    origins = {n: lab.serving(echo_name(n.encode())) for n in ("c1", "c2")}
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "cells": {"assign": [{"match": {"headers": {"x-cell": "1"}}, "cell": "c1"},
                             {"hash": "client_ip"}],
                  "failback": {"min_healthy_time": 0, "ramp": 0},
                  "members": {"c1": {}, "c2": {}}},
        "clusters": {"app-" + n: endpoints(o) for n, o in origins.items()},
        "routes": [{"name": "all", "target": {"cluster": "app-{cell}"}}]})
    client = lab.client(gateway)

    def served():
        return client.get(headers=[("x-cell", "1")]).body
    assert served() == b"c1"
    assert "active -> drained" in done(gateway, "set", "cell", "c1", "drained", "--keep")
    assert served() == b"c2"
    assert gateway.reload()[0] == 0
    assert served() == b"c2"
    cells = gateway.admin_json("/cells")["cells"]
    assert [(c["state"], "override" in c) for c in cells] == [("drained", True), ("active", False)]
    assert "empty" in done(gateway, "drain", "cell", "c1", "--wait")
    done(gateway, "set", "cell", "c1", "active")
    eventually(lambda: served() == b"c1", "it is home again")


# ---- Breakers.
def test_a_breaker_is_forced_for_a_time(lab):
    origin = lab.serving()
    gateway = lab.relay(origin, cluster={"circuit_breaker": {}})
    client = lab.client(gateway)
    done(gateway, "set", "breaker", "app", "open", "--for", "1s")
    assert_refused(client.get(), "circuit_open")
    row = gateway.admin_json("/breakers")["breakers"][0]["breakers"][0]
    assert row["forced"] and row["override"]["ends"] == "time"
    eventually(lambda: client.get().status == 200, "its time is over")
    eventually(lambda: rows(gateway) == [], "it is gone from the list")


def test_a_breaker_of_one_function_is_forced_and_auto_takes_it_back(lab):
    gateway = lab.relay(lab.serving(), cluster={"circuit_breaker": {}}, identity={
        "function": [{"path_regex": "^/([^/]+)"}]})
    client = lab.client(gateway)
    done(gateway, "set", "breaker", "app/bad", "open", "--for", "1h")
    assert_refused(client.get("/bad/x"), "circuit_open")
    assert client.get("/good/x").status == 200
    assert "on its own" in done(gateway, "set", "breaker", "app/bad", "auto")
    assert client.get("/bad/x").status == 200


@pytest.mark.parametrize("level, name, words", [
    ("function", "app", "none as a whole"), ("cluster", "app/pay", "none for functions")])
def test_a_breaker_is_forced_only_at_a_level_that_it_has(lab, level, name, words):
    gateway = lab.relay(lab.serving(), cluster={"circuit_breaker": {"per": [level]}})
    code, _, err = weir(gateway, "set", "breaker", name, "open", "--for", "20s")
    assert code == 1 and words in err and "circuit_breaker.per" in err
    assert rows(gateway) == []


def test_a_forced_breaker_ends_with_its_level_and_does_not_come_back(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, cluster={"circuit_breaker": {}})
    held = lab.client(gateway)
    held.send(request())
    connection = origin.accept()
    connection.expect()
    done(gateway, "set", "breaker", "app", "open", "--for", "1h")
    with_breaker = gateway.config
    assert gateway.reload(config_for(origin))[0] == 0
    assert rows(gateway) == []
    assert gateway.reload(with_breaker)[0] == 0
    row = gateway.admin_json("/breakers")["breakers"][0]["breakers"][0]
    assert (row["state"], row["forced"]) == ("closed", False)
    connection.answer()
    assert held.read_response().status == 200


@pytest.mark.parametrize("bad", ["%FF", "%0A", "%7F"])
def test_a_breaker_of_a_function_whose_name_cannot_be_shown_is_refused(lab, bad):
    gateway = lab.relay(lab.serving(), cluster={"circuit_breaker": {}})
    answer = gateway.admin(f"/set?kind=breaker&name=app/{bad}&value=open&for=20s", method="POST")
    assert answer.status == 422, answer.body
    for page in ("/diff?format=json", "/diff", "/overrides", "/breakers", "/clusters"):
        assert gateway.admin(page).status == 200
    assert rows(gateway) == []


# ---- What is wrong with the line.
@pytest.mark.parametrize("line, words", [
    (["endpoint", "ap/127.0.0.1:1", "drain"], ["did you mean `app`"]),
    (["endpoint", "app/127.0.0.1:1", "drain"], ["no endpoint of app", "there are"]),
    (["endpoint", "app", "drain"], ["CLUSTER/ADDRESS"]),
    (["cluster", "app", "drian"], ["`drian` is no state", "`drain`"]),
    (["clutser", "app", "drain"], ["did you mean `cluster`"]),
    (["weight", "app/@", "many"], ["is no weight"]),
    (["cell", "c1", "drained"], ["no cells"]),
    (["breaker", "app", "open", "--for", "5m"], ["no circuit_breaker"]),
    (["cluster", "app", "drain", "--for", "soon"], ["--for soon"]),
    (["cluster", "app", "drain", "--for", "25h"], ["up to 24h"]),
])
def test_a_wrong_verb_says_what_is_right_and_changes_nothing(lab, line, words):
    origin = lab.serving()
    gateway = lab.relay(origin)
    code, out, err = weir(gateway, "set", *[w.replace("@", origin.address) for w in line])
    assert code == 1 and out == ""
    for word in words:
        assert word in err
    assert rows(gateway) == []
    assert lab.client(gateway).get().status == 200


def test_a_breaker_is_not_forced_for_ever(lab):
    gateway = lab.relay(lab.serving(), cluster={"circuit_breaker": {}})
    code, _, err = weir(gateway, "set", "breaker", "app", "open")
    assert code == 1 and "--for" in err


def test_verbs_are_not_taken_over_tcp(lab):
    gateway = lab.relay(lab.serving())
    target = "/set?kind=cluster&name=app&value=drain"
    assert gateway.admin(target, method="POST", tcp=True).status == 403
    assert gateway.admin(target).status == 405
    assert rows(gateway) == []


# ---- How it is seen.
def test_overrides_status_and_diff_show_what_is_set(lab):
    at, gateway, _ = two(lab)
    assert "nothing is set" in done(gateway, "overrides")
    assert weir(gateway, "diff", "--running") == (0, "no change\n", "")
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain")
    done(gateway, "set", "weight", "app/" + at["a"], "50%", "--keep")
    done(gateway, "set", "cluster", "app", "maint", "--for", "1h")
    lines = done(gateway, "overrides").splitlines()
    assert len(lines) == 3 and "until it is taken back" in lines[1] and ("for 1h more" in lines[2] or "for 59m" in lines[2])
    assert "SET BY HAND" in done(gateway, "status")
    assert len(json.loads(done(gateway, "overrides", "--json"))["overrides"]) == 3
    gateway.write({**gateway.config, "shutdown": {"drain": "7s"}})
    code, out, _ = weir(gateway, "diff", "--running")
    assert code == 1 and out.count("set by hand: ") == 3 and "shutdown.drain" in out


def test_the_lines_that_make_it_last_do(lab, tmp_path):
    at, gateway, client = two(lab)
    done(gateway, "set", "endpoint", "app/" + at["a"], "drain")
    done(gateway, "set", "weight", "app/" + at["b"], "50%")
    text = done(gateway, "overrides", "--yaml")
    for line in (f'- address: "{at["a"]}"', "state: drain", f'- address: "{at["b"]}"',
                 "weight: 50"):
        assert line in text
    path = tmp_path / "saved.yaml"
    path.write_text("listeners: {main: {address: '127.0.0.1:0'}}\n"
                    "routes: [{name: all, target: {cluster: app}}]\n" + text)
    code, out, err = run_cli("check", str(path))
    assert code == 0, out + err
    assert gateway.reload(path.read_text().replace(
        "listeners:", f"admin: {{address: 'unix:{gateway.admin_path}', metrics: '127.0.0.1:0'}}\n"
                      "listeners:"))[0] == 0
    assert rows(gateway) == [] and answers(client) == {"b"}


# ---- Drain and wait.
def test_drain_of_an_endpoint_waits_for_what_is_in_flight_and_says_how_many(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    waiting = subprocess.Popen(
        [binary(), "drain", "endpoint", "app/" + origin.address, "--wait", "-c", gateway.file],
        stdout=subprocess.PIPE, text=True)
    try:
        assert "ready -> drain" in waiting.stdout.readline()
        assert "1 in flight" in waiting.stdout.readline()
        assert waiting.poll() is None
        connection.answer(200, b"done")
        assert client.read_response().body == b"done"
        assert "empty" in waiting.stdout.readline()
        assert waiting.wait(PATIENCE) == 0
    finally:
        waiting.kill()
        waiting.wait()
        waiting.stdout.close()


@pytest.mark.parametrize("kind", ["endpoint", "cluster"])
def test_drain_gives_up_waiting_after_its_time_with_another_exit_code(lab, kind):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    name = "app/" + origin.address if kind == "endpoint" else "app"
    code, _, err = weir(gateway, "drain", kind, name, "--wait", "--timeout", "200ms")
    assert code == 6 and "1 still in flight after 200ms" in err
    connection.answer(200, b"done")
    assert client.read_response().body == b"done"
    assert weir(gateway, "drain", kind, name, "--wait")[0] == 0


@pytest.mark.tsan
def test_drain_of_an_endpoint_under_load_loses_no_request_and_reports_empty(lab):
    at, gateway, client = two(lab, workers=2)
    load = Load(lab, gateway)
    load.more()
    for _ in range(3):
        assert "empty" in done(gateway, "drain", "endpoint", "app/" + at["a"], "--wait")
        shown = gateway.admin_json("/clusters")["clusters"][0]["endpoints"]
        assert [e["active_requests"] for e in shown if e["address"] == at["a"]] == [0]
        load.more()
        assert answers(client, 10) == {"b"}
        done(gateway, "set", "endpoint", "app/" + at["a"], "ready")
        load.more(50)
    load.end()


def test_drain_of_a_member_of_a_group_moves_its_requests_and_loses_none(lab):
    origins = {n: lab.serving(echo_name(n.encode())) for n in ("one", "other")}
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {n: endpoints(o) for n, o in origins.items()},
        "failover_groups": {"both": {"members": [{"cluster": n, "priority": i, "capacity": 100}
                                                 for i, n in enumerate(origins)]}},
        "routes": [{"name": "all", "target": {"failover_group": "both"}}]})
    load = Load(lab, gateway)
    load.more()
    assert "empty" in done(gateway, "drain", "cluster", "one", "--wait")
    load.more()
    assert answers(lab.client(gateway)) == {"other"}
    load.end()
