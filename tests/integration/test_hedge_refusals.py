# SPDX-License-Identifier: Apache-2.0
"""Where no second attempt is made beside the first, or comes to nothing: why, and what that costs the
request, which may still need its retry."""
import threading
import time

import pytest
from support.hedging import NO_RETRY, SOON, counted
from support.lab import endpoints
from support.waiting import PATIENCE, SLOWNESS


def slow_one(lab, *origins, **rest):
    """One request that would be hedged, and why it was not."""
    gateway = lab.relay(*origins, **rest)
    client = lab.client(gateway)
    assert client.get("/a").status == 200
    counted(gateway, 0, 0)
    return [reason for reason in ("samples", "memory", "breaker", "queueing", "endpoint", "budget")
            if gateway.metric("weir_cluster_hedges_refused_total", cluster="app", reason=reason)]


def slowly(found, connection):
    time.sleep(0.15)
    connection.answer(200, b"ok")


def test_hedge_needs_another_endpoint(lab):
    assert slow_one(lab, lab.serving(slowly), route=SOON) == ["endpoint"]


def test_hedge_is_paid_from_the_retry_budget(lab):
    budget = {"retry": {"budget": {"percent": "0%", "min": 0}}}
    assert slow_one(lab, lab.serving(slowly), lab.serving(slowly),
                    route={**SOON, **budget}) == ["budget"]


def test_hedge_by_percentile_waits_for_samples(lab):
    assert slow_one(lab, lab.serving(slowly), lab.serving(slowly),
                    route={"hedge": {}}) == ["samples"]


def test_hedge_does_not_wait_for_a_connection(lab):
    origins = [lab.serving(slowly), lab.serving(slowly)]
    assert slow_one(lab, *origins, route=SOON,
                    cluster={"resource_limits": {"max_connections": 1}}) == ["queueing"]


def test_hedge_that_was_refused_leaves_the_retry(lab):
    """The first one dies late; the one retry that there is has not been used up before."""
    died = threading.Event()

    def die_once(found, connection):
        if died.is_set():
            return connection.answer(200, b"ok")
        died.set()
        time.sleep(0.4)
        connection.close()
        return None

    gateway = lab.relay(lab.serving(die_once), lab.serving(die_once), cluster={
        "resource_limits": {"max_connections": 1}}, route={**SOON, "retry": {"num_retries": 1}})
    assert lab.client(gateway).get("/a").body == b"ok"
    counted(gateway, 0, 0)
    assert gateway.log(1)[0]["attempts"] == 2


@pytest.mark.parametrize("pending", [{}, {"max_pending": 0}])
@pytest.mark.parametrize("grouped", [False, True])
def test_hedges_that_were_refused_leave_the_budget(lab, pending, grouped):
    """Ten of them, where ten seconds have ten retries; and the one who had no room is still to be
    tried, before any other cluster."""
    calls = []

    def die_last(found, connection):
        calls.append(found.target)
        time.sleep(0.15 * SLOWNESS)
        if calls.count("/last") == 1:
            return connection.close()
        return connection.answer(200, b"ok")

    spare = lab.serving()
    cluster = {**endpoints(lab.serving(die_last), lab.serving(die_last)),
               "resource_limits": {"max_connections": 1, **pending}}
    retry = {"num_retries": 1, "budget": {"percent": "0%", "min": 1}}
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"app": cluster, "spare": endpoints(spare)},
        "failover_groups": {"all": {"members": [{"cluster": "app", "priority": 0, "capacity": 9},
                                                {"cluster": "spare", "priority": 1, "capacity": 9}]}},
        "routes": [{"name": "all", **SOON, "retry": retry,
                    "target": {"failover_group": "all"} if grouped else {"cluster": "app"}}]})
    client = lab.client(gateway)
    for _ in range(10):
        assert client.get().body == b"ok"
    assert gateway.metric("weir_cluster_hedges_refused_total", cluster="app", reason="queueing") == 10
    assert client.get("/last").body == b"ok"
    assert gateway.log(11)[10]["attempts"] == 2 and spare.count() == 0


def test_hedge_leaves_a_silence_to_who_kept_it(lab):
    """The first is frozen, the second has had too little time: the first alone is a failure."""
    frozen = threading.Event()

    def freeze(found, connection):
        frozen.wait(PATIENCE)
        connection.close()

    def slow(found, connection):
        time.sleep(0.6)
        connection.answer(200, b"ok")

    origins = [lab.serving(freeze), lab.serving(slow)]
    gateway = lab.relay(*origins, route={"timeout": "1s", "hedge": {"after": "700ms"}, **NO_RETRY},
                        cluster={"circuit_breaker": {"per": ["cluster"]},
                                 "load_balancing": {"policy": "round_robin"}})
    try:
        client = lab.client(gateway)
        ends = [client.get(f"/{i}").status for i in range(2)]
        assert 504 in ends
        assert gateway.metric("weir_cluster_hedges_total", cluster="app") >= 1
        late = [line for line in gateway.log(2) if line["status"] == 504]
        assert {line["endpoint"] for line in late} == {origins[0].address}
    finally:
        frozen.set()
