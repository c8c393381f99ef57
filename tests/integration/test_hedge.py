# SPDX-License-Identifier: Apache-2.0
"""Hedging: a safe request whose answer is late goes to a second endpoint, the first answer is given,
and the other attempt leaves no trace but its count."""
import queue
import random
import threading
import time

import pytest
from support.hedging import NO_RETRY, SOON, counted
from support.lab import config_for
from support.message import request
from support.peer import ConnectionEnded
from support.waiting import PATIENCE, SLOWNESS, eventually


class Pair:
    """Two origins that share a script: what the n-th request of a target gets, whoever it meets."""

    def __init__(self, lab, *script, make=None):
        self.script = script
        self.seen = {}
        self.lock = threading.Lock()
        self.release = threading.Event()
        make = make or lab.serving
        self.origins = [make(lambda *found, i=i: self._answer(i, *found)) for i in range(2)]

    def _answer(self, number, found, connection):
        with self.lock:
            order = self.seen.setdefault(found.target, [])
            order.append((number, connection, found))
            step = self.script[min(len(order), len(self.script)) - 1]
        step(self, connection, b"%d" % len(order))

    def of(self, target, count):
        eventually(lambda: len(self.seen.get(target, ())) >= count, f"{count} of {target}")
        return self.seen[target]


def late(pair, connection, name):
    pair.release.wait(PATIENCE)
    connection.answer(200, name)


def at_once(_, connection, name):
    connection.answer(200, name)


def refused(_, connection, name):
    connection.answer(503, name)


def cut(_, connection, __):
    connection.close()


def hedged(lab, pair, route=None, **rest):
    gateway = lab.relay(*pair.origins, route={**SOON, **(route or {})}, **rest)
    return lab.client(gateway), gateway


# ---- Who wins.
def test_hedge_of_a_late_answer_is_given_instead(lab):
    pair = Pair(lab, late, at_once)
    client, gateway = hedged(lab, pair)
    answer = client.get("/a")
    assert (answer.status, answer.body) == (200, b"2")
    first, second = pair.of("/a", 2)
    assert first[0] != second[0], "the second endpoint is another one"
    counted(gateway, 1, 1)
    assert gateway.metric("weir_cluster_attempts_total", cluster="app") == 2
    assert gateway.metric("weir_cluster_requests_total", cluster="app") == 1
    assert gateway.metric("weir_cluster_retries_total", cluster="app") == 0
    line = gateway.log(1)[0]
    assert (line["status"], line["attempts"]) == (200, 2)
    addresses = [pair.origins[each[0]].address for each in (first, second)]
    assert line["tries"] == f"app/{addresses[0]}=hedged, app/{addresses[1]}=200"
    pair.release.set()


def test_hedge_cuts_the_loser_off_and_does_not_use_its_connection_again(lab):
    pair = Pair(lab, late, at_once)
    client, gateway = hedged(lab, pair)
    assert client.get("/a").body == b"2"
    loser = pair.of("/a", 2)[0][1]
    loser.expect_end()
    pair.release.set()
    pair.script = (at_once,)
    for number in range(20):
        assert client.get(f"/b{number}").body == b"1"
    counted(gateway, 1, 1)


def test_hedge_that_loses_is_cut_off(lab):
    done = threading.Event()

    def second(pair, _, __):
        pair.release.set()  # The first may answer now; this one never does.
        done.wait(PATIENCE)

    pair = Pair(lab, late, second)
    client, gateway = hedged(lab, pair)
    assert client.get("/a").body == b"1"
    pair.of("/a", 2)[1][1].expect_end()
    done.set()
    counted(gateway, 1, 0)
    assert gateway.log(1)[0]["tries"].count("=hedged") == 1


def test_hedge_is_not_made_for_who_answers_in_time(lab):
    pair = Pair(lab, at_once)
    client, gateway = hedged(lab, pair, route={"hedge": {"after": "5s"}})
    for number in range(30):
        assert client.get(f"/{number}").status == 200
    counted(gateway, 0, 0)
    assert all(len(each) == 1 for each in pair.seen.values())


def test_hedge_tells_the_origin_that_it_is_the_second(lab):
    pair = Pair(lab, late, at_once)
    client, _ = hedged(lab, pair)
    client.get("/a")
    assert [each[2].header("x-weir-attempt") for each in pair.of("/a", 2)] == [None, "2"]
    pair.release.set()


# ---- Who is hedged.
@pytest.mark.parametrize("method,body", [("POST", b"x"), ("PUT", b"x"), ("DELETE", None),
                                         ("PATCH", b"x"), ("GET", b"x")])
def test_hedge_never_repeats_what_is_not_safe_or_has_a_body(lab, method, body):
    def slow(_, connection, name):
        time.sleep(0.2)
        connection.answer(200, name)

    pair = Pair(lab, slow)
    client, gateway = hedged(lab, pair)
    assert client.request(method, "/a", body=body).body == b"1"
    counted(gateway, 0, 0)


def test_hedge_of_a_request_that_is_a_repetition_is_the_first_tiers_business(lab):
    def slow(_, connection, name):
        time.sleep(0.2)
        connection.answer(200, name)

    pair = Pair(lab, slow)
    client, gateway = hedged(lab, pair, trusted_proxies=["127.0.0.0/8"])
    assert client.get("/a", headers={"X-Weir-Attempt": "2"}).body == b"1"
    counted(gateway, 0, 0)


def test_hedge_is_not_made_while_the_breaker_refuses_some(lab):
    def answer(found, connection):
        if found.target == "/bad":
            return connection.answer(500, b"no")
        time.sleep(0.15)
        connection.answer(200, b"ok")

    gateway = lab.relay(lab.serving(answer), lab.serving(answer), route={**SOON, **NO_RETRY},
                        cluster={"circuit_breaker": {
                            "failure_rate_threshold": "90%", "throttle_threshold": "10%",
                            "minimum_requests": 10, "per": ["cluster"]}})
    client = lab.client(gateway)
    for number in range(30):
        client.get("/bad" if number % 3 else "/good")
    before = gateway.metric("weir_cluster_hedges_total", cluster="app")
    while client.get("/good").status != 200:
        pass
    assert gateway.metric("weir_cluster_hedges_total", cluster="app") == before
    assert gateway.metric("weir_cluster_hedges_refused_total", cluster="app",
                          reason="breaker") >= 1


def test_hedge_by_percentile_knows_what_is_late(lab):
    pair = Pair(lab, at_once)
    client, gateway = hedged(lab, pair, route={"hedge": {"after": "p95"}})
    for number in range(150):
        assert client.get(f"/{number}").status == 200
    before = gateway.metric("weir_cluster_hedges_total", cluster="app")
    pair.script = (late, at_once)
    assert client.get("/late").body == b"2"
    gateway.expect_metric(before + 1, "weir_cluster_hedges_total", cluster="app")
    pair.release.set()


# ---- Failures of one and of both.
def test_hedge_that_is_refused_leaves_the_first_alone(lab):
    def second(pair, connection, name):
        connection.answer(503, name)
        pair.release.set()

    pair = Pair(lab, late, second)
    client, gateway = hedged(lab, pair)
    answer = client.get("/a")
    assert (answer.status, answer.body) == (200, b"1")
    counted(gateway, 1, 0)
    assert gateway.log(1)[0]["tries"].count("=503") == 1


def test_hedge_goes_on_when_the_first_dies(lab):
    def first(pair, connection, _):
        pair.release.wait(PATIENCE)
        connection.close()

    def second(pair, connection, name):
        pair.release.set()
        time.sleep(0.1)
        connection.answer(200, name)

    pair = Pair(lab, first, second)
    client, gateway = hedged(lab, pair, route=NO_RETRY)
    answer = client.get("/a")
    assert (answer.status, answer.body) == (200, b"2")
    assert gateway.log(1)[0]["attempts"] == 2
    gateway.expect_metric(0, "weir_cluster_retries", cluster="app")


def test_hedge_after_which_both_die_is_one_failure(lab):
    def dies(pair, connection, _):
        if len(pair.seen["/a"]) < 2:
            pair.release.wait(PATIENCE)
        pair.release.set()
        connection.close()

    pair = Pair(lab, dies)
    client, gateway = hedged(lab, pair, route=NO_RETRY)
    assert client.get("/a").status == 502
    assert gateway.log(1)[0]["reason"] == "upstream_reset"
    counted(gateway, 1, 0)


def test_hedge_of_a_connection_that_does_not_come(lab):
    hole = lab.blackhole()
    good = lab.serving()
    gateway = lab.relay(hole, good, route=SOON, cluster={"connect_timeout": "20s"})
    client = lab.client(gateway)
    begun = time.monotonic()
    for _ in range(6):
        assert client.get("/").status == 200
    assert time.monotonic() - begun < 5 * SLOWNESS
    gateway.expect_metric(0, "weir_cluster_requests", cluster="app")


def test_hedge_and_the_deadline_of_the_route_end_both(lab):
    pair = Pair(lab, late)
    client, gateway = hedged(lab, pair, route={"timeout": "300ms"})
    assert client.get("/a").status == 504
    for _, connection, _ in pair.of("/a", 2):
        connection.expect_end()
    counted(gateway, 1, 0)
    pair.release.set()


def test_hedge_and_the_client_that_leaves_end_both(lab):
    pair = Pair(lab, late)
    client, gateway = hedged(lab, pair)
    client.send(request("GET", "/a"))
    both = pair.of("/a", 2)
    client.reset()
    for _, connection, _ in both:
        connection.expect_end()
    counted(gateway, 1, 0)
    pair.release.set()


def test_hedge_says_nothing_of_the_endpoint_that_lost(lab):
    pair = Pair(lab, late, at_once)
    client, gateway = hedged(lab, pair, cluster={
        "outlier_detection": {"consecutive_5xx": 1},
        "circuit_breaker": {"minimum_requests": 5, "failure_rate_threshold": "10%"}})
    for number in range(20):
        assert client.get(f"/{number}").status == 200
    pair.release.set()
    assert gateway.metric("weir_cluster_ejections_total", cluster="app") == 0
    assert gateway.metric("weir_cluster_resets_total", cluster="app") == 0
    assert gateway.metric("weir_cluster_timeouts_total", cluster="app") == 0
    rows = gateway.admin_json("/breakers")["breakers"][0]["breakers"]
    assert rows[0]["state"] == "closed" and rows[0]["window"]["failures"] == 0


# ---- HTTP/2 and groups.
def test_hedge_over_http2_resets_the_stream_and_keeps_the_connection(lab):
    seen = []
    lock = threading.Lock()

    def answer(found, connection):
        with lock:
            seen.append(connection)
            number = len(seen)
        if number == 1:
            return  # Never answered.
        connection.answer(found.stream, 200, b"%d" % number)

    origins = [lab.h2_serving(answer), lab.h2_serving(answer)]
    # Long enough for a connection: the first to begin is the first to arrive.
    gateway = lab.relay(*origins, route={"hedge": {"after": f"{200 * SLOWNESS}ms"}},
                        cluster={"protocol": "http2"})
    client = lab.client(gateway)
    assert client.get("/a").body == b"2"
    counted(gateway, 1, 1)
    connects = gateway.metric("weir_cluster_connects_total", cluster="app")
    assert connects == 2
    for _ in range(10):
        assert client.get("/b").status == 200
    assert gateway.metric("weir_cluster_connects_total", cluster="app") == connects


def test_hedge_in_a_failover_group_stays_in_its_cluster(lab):
    pair = Pair(lab, late, at_once)
    config = config_for(*pair.origins, route=SOON)
    config["failover_groups"] = {"all": {"members": [{"cluster": "app"}]}}
    config["routes"][0]["target"] = {"failover_group": "all"}
    gateway = lab.gateway(config)
    client = lab.client(gateway)
    assert client.get("/a").body == b"2"
    counted(gateway, 1, 1)
    pair.release.set()


# ---- Whatever happens when.
@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_hedge_gives_back_everything_whatever_happens_when(lab, protocol):
    rng = random.Random(11)
    plans = {}

    def act(found, connection):
        kind, delay = plans[found.target].pop() if plans.get(found.target) else ("ok", 0)
        time.sleep(delay)
        try:
            if kind == "cut":
                return connection.close()
            status = 503 if kind == "503" else 200
            if protocol == "http2":
                return connection.answer(found.stream, status, b"x" * 5000)
            connection.answer(status, b"x" * 5000)
        except OSError:
            pass

    make = lab.h2_serving if protocol == "http2" else lab.serving
    gateway = lab.relay(make(act), make(act), make(act),
                        route={"hedge": {"after": "10ms"},
                               "retry": {"backoff": {"base": "1ms", "max": "2ms"},
                                         "budget": {"percent": "100%", "min": 100}}},
                        cluster={"protocol": protocol})

    def walk(worker):
        own = random.Random(worker)
        for number in range(40):
            target = f"/{worker}/{number}"
            plans[target] = [(own.choice(("ok", "ok", "503", "cut")),
                              own.choice((0, 0.005, 0.01, 0.012, 0.03))) for _ in range(4)]
            client = gateway.client()
            try:
                client.send(request("GET", target))
                if own.random() < 0.3:
                    time.sleep(own.choice((0, 0.009, 0.0105, 0.015)))
                else:
                    assert client.read_response().status in (200, 502, 503)
            except (ConnectionEnded, OSError):
                pass
            finally:
                client.close()

    threads = [threading.Thread(target=walk, args=(rng.random(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gateway.metric("weir_cluster_hedges_total", cluster="app") > 20
    for name in ("weir_cluster_requests", "weir_cluster_retries", "weir_endpoint_requests",
                 "weir_cluster_requests_pending", "weir_worker_exchanges"):
        gateway.expect_metric(0, name)


class Walk:
    """One hedged exchange in single events, until one side ends at one of them."""

    def __init__(self, client, arrivals, winner):
        self.sides = {"client": client}
        self.arrivals = arrivals
        self.winner = winner
        self.target = ""

    def arrive(self, side):
        self.sides[side] = self.arrivals[self.target].get(timeout=PATIENCE)

    def steps(self, target):
        self.target = target
        client, send = self.sides["client"], lambda text: self.sides[self.winner].send(text)
        yield client.send(f"GET {target} HTTP/1.1\r\nHo")
        yield client.send("st: a\r\n\r\n"), self.arrive("first")
        yield self.arrive("second")
        yield send("HTTP/1.1 200 OK\r\nContent-Len")
        yield send("gth: 6\r\n\r\nabc")
        yield client.read_until(b"abc")
        yield send("def")
        yield client.read_until(b"def")

    def run(self, target, at, who, how):
        for number, _ in enumerate(self.steps(target)):
            if number != at:
                continue
            if who not in self.sides:
                return
            getattr(self.sides[who], how)()
            early = who == "first" and number == 1
            if early or who in ("client", self.winner):
                return


def test_hedge_ends_cleanly_whichever_side_ends_at_whichever_event(lab):
    arrivals, done = {}, {}

    def answer(found, connection):
        arrivals[found.target].put(connection)
        done[found.target].wait(PATIENCE)
        connection.close()  # A client that has sent FIN may still wait for an answer.

    gateway = lab.relay(lab.serving(answer), lab.serving(answer),
                        route={"hedge": {"after": "10ms"},
                               "retry": {"num_retries": 0, "budget": {"min": 1000}}},
                        cluster={"pool": {"max_idle": 0}})
    cases = [(winner, at, who, how) for winner in ("first", "second") for at in range(8)
             for who in ("client", "first", "second") for how in ("close", "reset")]
    for number, (winner, at, who, how) in enumerate(cases):
        target = f"/{number}"
        arrivals[target], done[target] = queue.Queue(), threading.Event()
        client = gateway.client()
        try:
            Walk(client, arrivals, winner).run(target, at, who, how)
        except Exception as fault:
            raise AssertionError(f"{(winner, at, who, how)}: {fault!r}") from fault
        finally:
            done[target].set()
            client.close()
    for name in ("weir_cluster_requests", "weir_cluster_retries", "weir_endpoint_requests",
                 "weir_cluster_requests_pending", "weir_worker_exchanges"):
        gateway.expect_metric(0, name)


def test_hedge_shortens_the_tail_within_its_budget(lab):
    """One endpoint of three is slow for one request in ten: the tail is gone, and what that costs
    stays within the budget."""
    def run(route):
        rng, lock = random.Random(5), threading.Lock()

        def answer(found, connection):
            with lock:
                slow = rng.random() < 0.05
            time.sleep(0.4 if slow else 0.004)
            connection.answer(200, b"ok")

        gateway = lab.relay(lab.serving(answer), lab.serving(answer), lab.serving(answer),
                            route=route)
        took = []

        def walk():
            client = gateway.client()
            for _ in range(60):
                begun = time.monotonic()
                assert client.get("/").status == 200
                took.append(time.monotonic() - begun)
            client.close()

        threads = [threading.Thread(target=walk) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took.sort()
        attempts = gateway.metric("weir_cluster_attempts_total", cluster="app")
        return took[int(len(took) * 0.97)], attempts / len(took)

    plain, without = run({})
    tail, amplification = run({"hedge": {"after": "40ms"}})
    print(f"p97 {plain * 1000:.0f} ms -> {tail * 1000:.0f} ms, amplification {amplification:.3f}")
    assert without == 1
    assert plain > 0.3 and tail < 0.25, (plain, tail)
    assert amplification <= 1.2
