# SPDX-License-Identifier: Apache-2.0
"""Failover groups: which cluster takes a request, when it moves to another one, and what it may
cost. Failback is told by a moved clock in the unit tests."""
import threading
import time

import pytest
from support.lab import endpoints, merge
from support.message import request
from support.peer import ConnectionEnded
from support.refusal import assert_refused
from support.waiting import SLOWNESS, eventually

FAST = {"backoff": {"base": "1ms", "max": "1ms"}}
DEAD = "127.0.0.1:1"
QUICK = {"failback": {"min_healthy_time": "0", "ramp": "0"}}


def group_config(members, *, route=None, group=None, clusters=None, **top):
    """Clusters `a`, `b`, ... of `members`: {name: (origins, member keys)}."""
    base = {
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {name: merge(endpoints(*origins), (clusters or {}).get(name, {}))
                     for name, (origins, _) in members.items()},
        "failover_groups": {"all": merge(
            {"members": [{"cluster": name, **keys} for name, (_, keys) in members.items()]},
            group or {})},
        "routes": [merge({"name": "all", "target": {"failover_group": "all"}, "retry": FAST},
                         route or {})],
    }
    return merge(base, top)


def ordered(*origins, capacity=1000):
    """Members a, b, c in this order of priority; each origin may be a list of them."""
    return {name: (each if isinstance(each, list) else [each],
                   {"priority": place, "capacity": capacity})
            for place, (name, each) in enumerate(zip("abcdef", origins))}


def answering(lab, status, body):
    """An origin that always answers so; `status` may be a function."""
    def answer(_, connection):
        connection.answer(status() if callable(status) else status, body)
    return lab.serving(answer)


def naming(lab, name):
    """An origin that answers with its name."""
    return answering(lab, 200, name.encode())


def groups_of(gateway):
    return gateway.admin_json("/failover_groups")["failover_groups"]


def member_of(gateway, cluster):
    return next(m for m in groups_of(gateway)[0]["members"] if m["cluster"] == cluster)


# ---- Placement.
def test_failover_first_priority_takes_all(lab):
    gateway = lab.gateway(group_config(ordered(naming(lab, "a"), naming(lab, "b"))))
    client = lab.client(gateway)
    assert {client.get().body for _ in range(50)} == {b"a"}


def test_failover_equals_share(lab):
    members = {"a": ([naming(lab, "a")], {}), "b": ([naming(lab, "b")], {})}
    client = lab.client(lab.gateway(group_config(members)))
    answers = [client.get().body for _ in range(200)]
    assert 60 < answers.count(b"a") < 140


def test_failover_own_zone_comes_first(lab):
    members = {"a": ([naming(lab, "a")], {"zone": "z1"}), "b": ([naming(lab, "b")], {"zone": "z2"})}
    client = lab.client(lab.gateway(group_config(members, zone="z2")))
    assert {client.get().body for _ in range(50)} == {b"b"}


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_failover_a_cluster_that_is_not_ready_is_not_tried(lab, state):
    config = group_config(ordered(naming(lab, "a"), naming(lab, "b")),
                          clusters={"a": {"state": state}})
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    assert {client.get().body for _ in range(20)} == {b"b"}
    assert gateway.metric("weir_cluster_attempts_total", cluster="a") == 0


def test_failover_a_name_that_does_not_resolve_is_passed_by(lab):
    config = group_config(ordered([], naming(lab, "b")))
    config["clusters"]["a"] = {"dns": {"name": "nowhere.invalid", "port": 80}}
    assert lab.client(lab.gateway(config)).get().body == b"b"


def test_failover_weighted_targets_may_be_groups(lab):
    config = group_config(ordered(DEAD, naming(lab, "b")))
    config["clusters"]["plain"] = endpoints(naming(lab, "plain"))
    config["routes"][0]["target"] = {"weighted": [{"failover_group": "all", "weight": 50},
                                                  {"cluster": "plain", "weight": 50}]}
    client = lab.client(lab.gateway(config))
    assert {client.get().body for _ in range(60)} == {b"b", b"plain"}


# ---- Hops.
def test_failover_connection_refused_fails_no_request_of_any_method(lab):
    gateway = lab.gateway(group_config(ordered(DEAD, naming(lab, "b"))))
    client = lab.client(gateway)
    for n in range(40):
        answer = client.request("POST", body=str(n))
        assert (answer.status, answer.body) == (200, b"b")
    # After five failures in a row nobody asks it but a trial now and then.
    assert gateway.metric("weir_cluster_attempts_total", cluster="a") <= 8
    assert gateway.metric("weir_failover_hops_total", group="all", cluster="a",
                          reason="connect") >= 5
    assert member_of(gateway, "a")["suspected"]


def test_failover_black_hole_costs_a_connect_timeout_and_then_nothing(lab):
    config = group_config(ordered(lab.blackhole(), naming(lab, "b")),
                          clusters={"a": {"connect_timeout": "100ms"}})
    client = lab.client(lab.gateway(config))
    begun = time.monotonic()
    for _ in range(50):
        assert client.get().status == 200
    assert time.monotonic() - begun < 3 * SLOWNESS


@pytest.mark.parametrize("status", [502, 503, 504])
def test_failover_an_answer_that_is_retried_hops(lab, status):
    bad = answering(lab, status, b"bad")
    gateway = lab.gateway(group_config(ordered(bad, naming(lab, "b"))))
    client = lab.client(gateway)
    for _ in range(60):
        assert client.get().status == 200
    assert len(bad.seen) <= 8


def test_failover_a_cluster_whose_answers_break_off_is_left(lab):
    def cut(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()
    bad = lab.serving(cut)
    gateway = lab.gateway(group_config(ordered(bad, naming(lab, "b"))))
    whole = 0
    for _ in range(40):
        client = lab.client(gateway)
        try:
            whole += client.get().body == b"b"
        except (ConnectionEnded, ConnectionError):
            pass
    assert whole >= 32 and len(bad.seen) <= 8
    assert member_of(gateway, "a")["suspected"]


def test_failover_never_repeats_an_unsafe_request_that_was_sent(lab):
    bad = answering(lab, 503, b"bad")
    other = naming(lab, "b")
    client = lab.client(lab.gateway(group_config(ordered(bad, other))))
    assert client.request("POST", body="pay").status == 503
    assert other.seen == []


def test_failover_tries_its_own_cluster_first_and_no_endpoint_twice(lab):
    bad = [answering(lab, 503, b"bad") for _ in range(2)]
    gateway = lab.gateway(group_config(ordered(bad, naming(lab, "b")),
                                       route={"retry": {"num_retries": 5}}))
    assert lab.client(gateway).get().body == b"b"
    assert [len(origin.seen) for origin in bad] == [1, 1]


def test_failover_tries_at_most_so_many_other_clusters(lab):
    bad = [answering(lab, 503, b"bad") for _ in range(5)]
    gateway = lab.gateway(group_config(ordered(*bad), group={"max_other_clusters": 2},
                                       route={"retry": {"num_retries": 0}}))
    assert lab.client(gateway).get().status == 503
    assert [len(origin.seen) for origin in bad] == [1, 1, 1, 0, 0]


def test_failover_all_gone_is_told(lab):
    gateway = lab.gateway(group_config(ordered(DEAD, "127.0.0.1:2")))
    assert_refused(lab.client(gateway).get(), "connect_refused")


def test_failover_repetitions_of_what_fails_quickly_stay_a_share(lab):
    """Everybody answers 503 at once: a fifth of the requests is tried again, and 30 besides."""
    origins = [answering(lab, 503, b"no") for _ in range(3)]
    gateway = lab.gateway(group_config(ordered(*origins)))
    client = lab.client(gateway)
    assert {client.get().status for _ in range(1000)} == {503}
    assert 1000 < sum(origin.count() for origin in origins) <= 1240


def tries(gateway):
    return sum(gateway.metric("weir_cluster_attempts_total", cluster=name) for name in "abc")


def test_failover_panic_does_not_knock_at_every_dead_door(lab):
    gateway = lab.gateway(group_config(ordered(DEAD, "127.0.0.1:2", "127.0.0.1:3")))
    client = lab.client(gateway)
    for _ in range(10):
        client.get()
    before = tries(gateway)
    for _ in range(200):
        assert_refused(client.get(), "connect_refused")
    assert 200 < tries(gateway) - before <= 200 * 1.2 + 32


def test_failover_panic_passes_a_dead_one_by_where_others_serve(lab):
    def half(found, connection):
        connection.answer(500 if found.target == "/check" else 200, b"served")
    checks = {"health_check": {"http": {"path": "/check"}, "interval": "1h"}}
    members = ordered("127.0.0.1:3", lab.serving(half), lab.serving(half))
    gateway = lab.gateway(group_config(members, clusters={name: checks for name in "abc"},
                                       route={"retry": {"budget": {"percent": "0%", "min": 0}}}))
    wait_until(gateway, why="no_healthy_endpoint")
    client = lab.client(gateway)
    assert {client.get().body for _ in range(100)} == {b"served"}
    assert tries(gateway) > 110


def test_failover_panic_off_refuses_what_nobody_can_serve(lab):
    gateway = lab.gateway(group_config(ordered(DEAD), group={"panic": "off"}))
    client = lab.client(gateway)
    for _ in range(5):
        client.get()
    assert_refused(client.get(), "no_endpoint")
    assert gateway.metric("weir_failover_refused_total", group="all") == 1


def test_failover_panic_tries_the_suspected(lab):
    gateway = lab.gateway(group_config(ordered(DEAD)))
    client = lab.client(gateway)
    for _ in range(7):
        assert_refused(client.get(), "connect_refused")
    assert gateway.metric("weir_failover_panics_total", group="all") > 0


@pytest.mark.parametrize("panic", ["last_resort", "off"])
def test_failover_panic_asks_those_whose_checks_fail_when_all_do(lab, panic):
    def half(found, connection):
        connection.answer(500 if found.target == "/check" else 200, b"served all the same")
    checks = {"health_check": {"http": {"path": "/check"}, "interval": "1h"}}
    members = ordered(lab.serving(half), lab.serving(half))
    gateway = lab.gateway(group_config(members, clusters={"a": checks, "b": checks},
                                       group={"panic": panic}))
    answer = lab.client(gateway).get()
    if panic == "off":
        assert_refused(answer, "no_endpoint")
    else:
        assert answer.status == 200 and answer.body == b"served all the same"
    assert gateway.metric("weir_failover_panics_total", group="all") == (panic != "off")


def test_failover_a_hop_between_two_reloads_outlives_its_cluster(lab):
    first, second = lab.origin(), lab.origin()
    breaker = {"circuit_breaker": {"minimum_requests": 1000}}
    config = group_config(ordered(first, second), clusters={"a": breaker, "b": breaker},
                          identity={"function": [{"path_regex": "^/([^/]+)"}]})
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    client.send(request("GET", "/f"))
    connection = first.accept()
    connection.read_request()
    config["routes"][0]["name"] = "renamed"
    assert gateway.reload(config)[0] == 0
    connection.close()
    connection = second.accept()
    connection.read_request()
    gone = {**config, "clusters": {"c": endpoints(first)}, "failover_groups": {},
            "routes": [{"name": "all", "target": {"cluster": "c"}}]}
    assert gateway.reload(gone)[0] == 0
    connection.answer(503, b"late")
    assert client.read_response().status == 503


def test_failover_a_frozen_cluster_is_left_though_the_route_gives_up_first(lab):
    silent = lab.origin()
    gateway = lab.gateway(group_config(ordered(silent, naming(lab, "b")),
                                       route={"timeout": "200ms"}))
    client = lab.client(gateway)
    eventually(lambda: client.get().body == b"b", "the silent one is suspected")
    assert member_of(gateway, "a")["suspected"]


def test_failover_one_function_that_fails_leaves_the_cluster_to_the_others(lab):
    def answer(found, connection):
        connection.answer(503 if found.target == "/bad" else 200, b"a")
    gateway = lab.gateway(group_config(
        ordered(lab.serving(answer), naming(lab, "b")),
        identity={"function": [{"path_regex": "^/([^/]+)"}]}))
    client = lab.client(gateway)
    for _ in range(30):
        assert client.request("POST", "/bad", body=b"x").status in (200, 503)
        assert client.get("/good").body == b"a"
    assert not member_of(gateway, "a")["suspected"]


CHECKED = {"health_check": {"http": {"path": "/check"}, "interval": "100ms", "timeout": "100ms"}}


def wait_until(gateway, **wanted):
    """Until every member of the group is so."""
    (key, value), = wanted.items()
    eventually(lambda: {m[key] for m in groups_of(gateway)[0]["members"]} == {value},
               f"every {key} is {value}")


def test_failover_panic_asks_those_that_were_well_before(lab):
    checked = {"status": 200}

    def half(found, connection):
        connection.answer(checked["status"] if found.target == "/check" else 200, b"served")
    members = ordered(lab.serving(half), lab.serving(half))
    gateway = lab.gateway(group_config(members, clusters={"a": CHECKED, "b": CHECKED}))
    client = lab.client(gateway)
    assert client.get().status == 200
    checked["status"] = 500
    wait_until(gateway, why="no_healthy_endpoint")
    assert client.get().body == b"served"


def test_failover_what_fails_in_need_opens_no_breaker(lab):
    settings = merge(CHECKED, {"circuit_breaker": {"minimum_requests": 5}})
    origins = [naming(lab, "a"), naming(lab, "b")]
    gateway = lab.gateway(group_config(ordered(*origins), clusters={"a": settings, "b": settings}))
    client = lab.client(gateway)
    assert client.get().status == 200
    ports = [origin.port for origin in origins]
    for origin in origins:
        origin.close()
    wait_until(gateway, why="no_healthy_endpoint")
    for _ in range(20):
        assert_refused(client.get(), "connect_refused")

    def back(found, connection):
        connection.answer(500 if found.target == "/bad" else 200, b"back")
    for port in ports:
        lab.serving(back, port=port)
    wait_until(gateway, why="requests fail in a row")
    assert client.get("/bad").status == 500
    assert {client.get().status for _ in range(20)} == {200}


def test_failover_a_member_that_serves_again_gets_its_traffic_back(lab):
    answers = {"a": 503}
    first = answering(lab, lambda: answers["a"], b"a")
    gateway = lab.gateway(group_config(ordered(first, naming(lab, "b")), group=QUICK))
    client = lab.client(gateway)
    for _ in range(10):
        assert client.get().body == b"b"
    answers["a"] = 200
    eventually(lambda: client.get().body == b"a", "a serves again")
    eventually(lambda: member_of(gateway, "a")["phase"] == "up", "a is up")


def test_failover_waits_before_it_comes_home(lab):
    answers = {"a": 503}
    first = answering(lab, lambda: answers["a"], b"a")
    gateway = lab.gateway(group_config(ordered(first, naming(lab, "b"))))
    client = lab.client(gateway)
    for _ in range(10):
        client.get()
    eventually(lambda: member_of(gateway, "a")["phase"] == "down", "a is down")
    answers["a"] = 200
    eventually(lambda: client.get() and member_of(gateway, "a")["phase"] == "waiting",
               "a waits")
    assert {client.get().body for _ in range(20)} == {b"b"}


# ---- Capacity.
class Slow:
    """Origins that hold each request until they are let go, and know how many they held."""
    def __init__(self):
        self.gate = threading.Event()
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, _, connection):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.gate.wait(10)
        with self.lock:
            self.now -= 1
        connection.answer(200, b"slow")


@pytest.mark.tsan
@pytest.mark.parametrize("workers", [1, 2])
def test_failover_a_backup_never_gets_more_than_it_can_take(lab, workers):
    first, backup = Slow(), Slow()
    members = {"a": ([lab.serving(first)], {"priority": 0, "capacity": 10}),
               "b": ([lab.serving(backup)], {"priority": 1, "capacity": 5})}
    gateway = lab.gateway(group_config(members, workers=workers))
    clients = [lab.client(gateway) for _ in range(30)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually(lambda: (first.now, backup.now) == (10, 5), "both are full")
    gateway.expect_metric(15, "weir_failover_refused_total", group="all")
    assert member_of(gateway, "b")["requests"] == 5
    first.gate.set()
    backup.gate.set()
    answers = [client.read_response() for client in clients]
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) == 15
    for answer in refused:
        assert_refused(answer, "failover_capacity_exceeded")
        assert answer.header("retry-after") == "1"
    assert (first.most, backup.most) == (10, 5)
    gateway.expect_metric(0, "weir_failover_requests", group="all")


def test_failover_fleet_uses_its_part_of_a_capacity(lab):
    config = group_config(ordered(naming(lab, "a"), naming(lab, "b"), capacity=100),
                          group={"fleet_size": 8})
    assert member_of(lab.gateway(config), "a")["limit"] == 12


# ---- Under load, and through reloads.
def load(lab, gateway, count, seconds, until=None):
    """`count` clients that ask for `seconds`; the statuses that they got."""
    stop = time.monotonic() + seconds
    statuses = []

    def ask(client):
        while time.monotonic() < stop:
            statuses.append(client.get().status)

    clients = [lab.client(gateway) for _ in range(count)]
    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    if until:
        until()
    for thread in threads:
        thread.join()
    return statuses


@pytest.mark.tsan
def test_failover_death_of_a_cluster_fails_no_request_and_amplifies_little(lab):
    first = [naming(lab, "a") for _ in range(2)]
    backup = naming(lab, "b")
    gateway = lab.gateway(group_config(ordered(first, backup), workers=2))

    def die():
        eventually(lambda: gateway.metric("weir_cluster_requests_total", cluster="a") > 50,
                   "all clients are at work")
        for origin in first:
            origin.close()

    statuses = load(lab, gateway, 8, 1.5, die)
    assert set(statuses) == {200}
    attempts = sum(gateway.metric("weir_cluster_attempts_total", cluster=c) for c in "ab")
    assert attempts / len(statuses) < 1.25


@pytest.mark.tsan
def test_failover_a_reload_in_the_middle_keeps_what_is_known(lab):
    config = group_config(ordered(DEAD, naming(lab, "b")))
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    for _ in range(10):
        client.get()
    eventually(lambda: member_of(gateway, "a")["phase"] == "down", "a is down")
    before = member_of(gateway, "a")
    assert before["suspected"]
    config["failover_groups"]["all"]["max_other_clusters"] = 1
    gateway.reload(config)
    after = member_of(gateway, "a")
    assert after["suspected"] and after["phase"] == before["phase"]
    assert after["hops_away"] == before["hops_away"]
    assert client.get().body == b"b"


def test_failover_a_request_that_outlives_its_config_still_hops(lab):
    origin = lab.origin()
    config = group_config(ordered(origin, naming(lab, "b")))
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection = origin.accept()
    connection.expect("GET")
    config["failover_groups"]["all"]["max_other_clusters"] = 1
    gateway.reload(config)
    connection.reset()
    assert client.read_response().body == b"b"
