# SPDX-License-Identifier: Apache-2.0
"""Reload: what stays, what changes, and that a bad file changes nothing and says why."""
import copy
import signal
import socket
import threading

import pytest
from support.client import Client
from support.lab import config_for, endpoints, merge
from support.message import request
from support.origin import echo_name
from support.waiting import SLOWNESS, Deadline, eventually

BAD = {"routes": [{"name": "all", "target": {"cluster": "nowhere"}}]}


def direct_config(body, **top):
    return {"listeners": {"main": {"address": "127.0.0.1:0"}}, "clusters": {},
            "routes": [{"name": "all", "target": {"direct": {"status": 200, "body": body}}}], **top}


def body_of(lab, gateway, name="main", **rest):
    return lab.client(gateway, name).get(**rest).body


# ---- The two ways.
def test_reload_by_verb_takes_the_new_file(lab):
    gateway = lab.gateway(direct_config("old"))
    assert body_of(lab, gateway) == b"old"
    code, _, err = gateway.reload(direct_config("new"))
    assert (code, body_of(lab, gateway)) == (0, b"new"), err


def test_reload_by_sighup_takes_the_new_file(lab):
    gateway = lab.gateway(direct_config("old"))
    gateway.write(direct_config("new"))
    gateway.signal(signal.SIGHUP)
    eventually(lambda: body_of(lab, gateway) == b"new", "the new file is served")


def test_reload_counts_successes(lab):
    gateway = lab.gateway(direct_config("a"))
    for _ in range(3):
        assert gateway.reload()[0] == 0
    gateway.expect_metric(3, "weir_config_reloads_total", result="applied")


# ---- A bad file.
def test_reload_of_an_invalid_file_changes_nothing_and_says_why(lab):
    gateway = lab.gateway(direct_config("old"))
    code, out, err = gateway.reload(merge(direct_config("new"), BAD))
    assert code != 0
    assert "nowhere" in out + err
    assert body_of(lab, gateway) == b"old"
    gateway.expect_metric(1, "weir_config_reloads_total", result="rejected")
    assert "nowhere" in gateway.stderr_text()


def test_reload_by_sighup_of_an_invalid_file_says_why_in_the_log(lab):
    gateway = lab.gateway(direct_config("old"))
    gateway.write(merge(direct_config("new"), BAD))
    gateway.signal(signal.SIGHUP)
    gateway.wait_for_line(lambda line: "nowhere" in line, "what is wrong")
    eventually(lambda: gateway.metric("weir_config_reloads_total", result="rejected") == 1,
               "the failure is counted")
    assert body_of(lab, gateway) == b"old"


@pytest.mark.parametrize("text", ["", "listeners: [", "nonsense: 1\n", "\x00"],
                         ids=["empty", "no yaml", "unknown key", "binary"])
def test_reload_of_garbage_changes_nothing(lab, text):
    gateway = lab.gateway(direct_config("old"))
    assert gateway.reload(text)[0] != 0
    assert body_of(lab, gateway) == b"old"


def test_reload_of_a_missing_file_changes_nothing(lab):
    import os
    gateway = lab.gateway(direct_config("old"))
    os.unlink(gateway.file)
    gateway.signal(signal.SIGHUP)
    eventually(lambda: gateway.metric("weir_config_reloads_total", result="rejected") == 1,
               "the failure is counted")
    assert body_of(lab, gateway) == b"old"


def test_reload_with_an_address_in_use_changes_nothing(lab):
    taken = lab.origin()
    gateway = lab.gateway(direct_config("old"))
    changed = direct_config("new")
    changed["listeners"]["more"] = {"address": taken.address}
    code, out, err = gateway.reload(changed)
    assert code != 0 and taken.address in out + err + gateway.stderr_text()
    assert body_of(lab, gateway) == b"old"


def test_reload_after_a_failed_one_works(lab):
    gateway = lab.gateway(direct_config("old"))
    assert gateway.reload(merge(direct_config("x"), BAD))[0] != 0
    assert gateway.reload(direct_config("new"))[0] == 0
    assert body_of(lab, gateway) == b"new"


# ---- What stays.
def test_reload_keeps_client_connections(lab):
    gateway = lab.gateway(direct_config("old"))
    client = lab.client(gateway)
    assert client.get().body == b"old"
    gateway.reload(direct_config("new"))
    assert client.get().body == b"new"


def test_reload_keeps_the_listeners_address_and_counters(lab):
    gateway = lab.gateway(direct_config("old"))
    before = gateway.address()
    body_of(lab, gateway)
    gateway.reload(direct_config("new"))
    assert Client(before).get().body == b"new"
    gateway.expect_metric(2, "weir_listener_requests_total", listener="main")


def test_reload_keeps_pooled_connections(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    changed = config_for(origin, route={"headers": {"request": {"set": {"x-new": "1"}}}})
    assert gateway.reload(changed)[0] == 0
    client.send(request())
    assert connection.expect().header("x-new") == "1"
    connection.answer()
    client.read_response()
    assert len(origin.connections) == 1


def test_reload_keeps_cluster_counters(lab):
    gateway = lab.relay(lab.serving())
    body_of(lab, gateway)
    gateway.reload()
    body_of(lab, gateway)
    gateway.expect_metric(2, "weir_cluster_requests_total", cluster="app")


def test_reload_lets_a_running_exchange_end_on_its_old_route(lab):
    old, new = lab.origin(), lab.origin()
    gateway = lab.relay(old)
    client = lab.client(gateway)
    client.send(request())
    connection = old.accept()
    connection.expect()
    assert gateway.reload(config_for(new))[0] == 0
    connection.answer(200, b"from the old one")
    assert client.read_response().body == b"from the old one"
    client.send(request())
    new.serve_one(200, b"from the new one")
    assert client.read_response().body == b"from the new one"


def test_reload_lets_an_exchange_of_a_removed_route_and_cluster_end(lab):
    client, origin, gateway = lab.pair()
    client.send(request("POST", headers={"Content-Length": "6"}), "abc")
    connection = origin.accept()
    connection.read_head()
    connection.read_exact(3)
    assert gateway.reload(direct_config("new"))[0] == 0
    client.send("def")
    connection.read_exact(3)
    connection.answer(200, b"whole")
    assert client.read_response().body == b"whole"
    assert client.get().body == b"new"


def test_reload_closes_idle_connections_to_an_endpoint_that_left(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection, _ = origin.serve_one()
    client.read_response()
    gateway.reload(direct_config("new"))
    connection.expect_ended()


# ---- What changes.
def test_reload_adds_a_listener(lab):
    gateway = lab.gateway(direct_config("a"))
    changed = direct_config("a")
    changed["listeners"]["more"] = {"address": "127.0.0.1:0"}
    assert gateway.reload(changed)[0] == 0
    gateway.wait_for_line(lambda line: "name=more" in line, "the new listener")
    assert body_of(lab, gateway, "more") == b"a"


def test_reload_removes_a_listener(lab):
    config = direct_config("a")
    config["listeners"]["more"] = {"address": "127.0.0.1:0"}
    gateway = lab.gateway(config)
    address = gateway.address("more")
    client = lab.client(gateway, "more")
    assert client.get().body == b"a"
    assert gateway.reload(direct_config("b"))[0] == 0

    def refused():
        with socket.socket() as sock:
            return sock.connect_ex(address) != 0

    eventually(refused, "the removed listener refuses connections")
    assert body_of(lab, gateway) == b"b"


def test_reload_lets_exchanges_of_a_removed_listener_end(lab):
    origin = lab.origin()
    config = config_for(origin)
    config["listeners"]["more"] = {"address": "127.0.0.1:0"}
    gateway = lab.gateway(config)
    client = lab.client(gateway, "more")
    client.send(request())
    connection = origin.accept()
    connection.expect()
    assert gateway.reload(config_for(origin))[0] == 0
    connection.answer(200, b"still")
    assert client.read_response().body == b"still"
    client.expect_end()


def test_reload_changes_limits_of_a_listener_that_stays(lab):
    gateway = lab.gateway(direct_config("a"))
    client = lab.client(gateway)
    assert client.get("/" + "x" * 2000).status == 200
    changed = merge(direct_config("a"), {"listeners": {"main": {
        "limits": {"max_uri_bytes": "1KiB"}}}})
    assert gateway.reload(changed)[0] == 0
    assert lab.client(gateway).get("/" + "x" * 2000).status == 414


def test_reload_changes_endpoints(lab):
    one, two = lab.serving(echo_name("1")), lab.serving(echo_name("2"))
    gateway = lab.relay(one)
    assert body_of(lab, gateway) == b"1"
    assert gateway.reload(config_for(two))[0] == 0
    assert body_of(lab, gateway) == b"2"


def test_reload_to_drain_refuses_new_requests_of_a_cluster(lab):
    origin = lab.serving()
    gateway = lab.relay(origin)
    assert body_of(lab, gateway) == b"ok"
    assert gateway.reload(config_for(origin, cluster={"state": "drain"}))[0] == 0
    assert lab.client(gateway).get().status == 503


# ---- Under load.
class Load:
    """Clients that ask all the time, each on one connection that must never end."""

    def __init__(self, address, clients=4):
        self.faults, self.answers = [], 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(address,))
                         for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, address):
        client = Client(address)
        try:
            while not self._over.is_set():
                for method, body in (("GET", None), ("POST", b"x" * 3000)):
                    answer = client.request(method, "/", body=body)
                    client.received.clear()
                    if answer.status != 200 or "connection" in answer.headers:
                        self.faults.append(answer)
                self.answers += 2
        except Exception as fault:  # one failed request is one too many, whatever failed
            self.faults.append(fault)
        finally:
            client.close()

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self.faults, self.faults[:3]
        assert self.answers > 100
        return self.answers


def many_routes(config, count, stamp):
    """`config` and more routes, so that a snapshot weighs something."""
    config = copy.deepcopy(config)
    config["routes"] += [{"name": f"r{n}", "match": {"path": {"prefix": f"/r{n}/{stamp}"}},
                          "target": {"cluster": "app"}} for n in range(count)]
    return config


@pytest.mark.tsan
def test_reload_under_load_200_times_half_of_them_invalid_fails_no_request(lab):
    origin = lab.serving()
    good = config_for(origin, workers=2)
    gateway = lab.gateway(good)
    count = 200 // SLOWNESS
    for n in range(20):  # what a process keeps once it has served and reloaded
        assert gateway.reload(many_routes(good, 50, n))[0] == 0
    load = Load(gateway.address())
    base = gateway.rss()
    deadline = Deadline(60 * SLOWNESS)
    for n in range(count):
        bad = n % 2 == 1
        config = merge(many_routes(good, 50, n), BAD if bad else {})
        code, out, err = gateway.reload(config)
        assert (code != 0) == bad, out + err
        assert not load.faults, load.faults[:3]
        assert not deadline.passed()
    load.end()
    gateway.expect_metric(count // 2, "weir_config_reloads_total", result="rejected")
    grown = gateway.rss() - base
    assert SLOWNESS > 1 or grown < 8 << 20, f"resident memory grew by {grown >> 10} KiB"


@pytest.mark.tsan
def test_reload_by_signals_faster_than_they_are_handled(lab):
    origin = lab.serving()
    gateway = lab.relay(origin, workers=2)
    load = Load(gateway.address(), clients=2)
    for n in range(50):
        gateway.write(many_routes(config_for(origin, workers=2), 20, n))
        gateway.signal(signal.SIGHUP)
    eventually(lambda: load.answers > 200 or load.faults, "the load goes on")
    load.end()
    last = config_for(origin, workers=2)
    last["routes"] = [{"name": "last", "target": {"direct": {"status": 200, "body": "last"}}}]
    assert gateway.reload(last)[0] == 0
    assert body_of(lab, gateway) == b"last"


@pytest.mark.tsan
def test_reload_of_clusters_that_come_and_go_under_load(lab):
    origins = [lab.serving(echo_name(str(n))) for n in range(3)]
    gateway = lab.relay(*origins, workers=2)
    load = Load(gateway.address())
    for n in range(60 // SLOWNESS):
        config = config_for(*origins[: 1 + n % 3], workers=2)
        config["clusters"][f"extra{n % 5}"] = endpoints(origins[0])
        config["clusters"]["app"]["load_balancing"] = {
            "policy": ["round_robin", "random", "least_request"][n % 3]}
        config["routes"][0]["name"] = f"route{n}"
        assert gateway.reload(config)[0] == 0
    load.end()
