# SPDX-License-Identifier: Apache-2.0
"""Load balancing: which endpoint takes a request."""
from collections import Counter

import pytest
from support.lab import config_for
from support.message import request
from support.origin import echo_name
from support.waiting import eventually


def spread(lab, requests, weights=(100, 100, 100), headers=lambda n: (), **balancing):
    """How many of `requests` each endpoint took, by its number."""
    client = balanced_client(lab, weights, **balancing)
    return Counter(int(client.get(headers=headers(n)).body) for n in range(requests))


def balanced_client(lab, weights, **balancing):
    origins = [lab.serving(echo_name(str(n))) for n in range(len(weights))]
    config = config_for(*origins, cluster={"load_balancing": balancing})
    for endpoint, weight in zip(config["clusters"]["app"]["endpoints"], weights):
        endpoint["weight"] = weight
    return lab.client(lab.gateway(config))


def test_balance_round_robin_takes_turns(lab):
    assert spread(lab, 30, policy="round_robin") == {0: 10, 1: 10, 2: 10}


def test_balance_round_robin_follows_weights(lab):
    assert spread(lab, 40, (300, 100), policy="round_robin") == {0: 30, 1: 10}


def test_balance_random_reaches_all(lab):
    counts = spread(lab, 300, policy="random")
    assert all(60 < counts[n] < 140 for n in range(3)), counts


def test_balance_random_follows_weights(lab):
    counts = spread(lab, 300, (300, 100), policy="random")
    assert 180 < counts[0] < 270, counts


@pytest.mark.parametrize("policy", ["round_robin", "random", "least_request"])
def test_balance_weight_0_takes_none(lab, policy):
    assert spread(lab, 50, (100, 0), policy=policy) == {0: 50}


def test_balance_least_request_spreads_when_idle(lab):
    counts = spread(lab, 300, policy="least_request")
    assert all(counts[n] > 50 for n in range(3)), counts


def test_balance_least_request_avoids_the_busy_endpoint(lab):
    """With two endpoints, two choices see both: requests in flight stay level."""
    origins = [lab.origin(), lab.origin()]
    gateway = lab.relay(*origins)
    clients = [lab.client(gateway) for _ in range(6)]
    for client in clients[:4]:
        client.send(request("GET", "/stuck"))
    for origin in origins:
        for _ in range(2):
            origin.accept().expect("GET", "/stuck")
    for connection in origins[0].connections:
        connection.answer()
    eventually(lambda: gateway.metric("weir_cluster_requests", cluster="app") == 2, "two are left")
    for client in clients[4:]:
        client.send(request("GET", "/next"))
    for connection in origins[0].connections:
        connection.expect("GET", "/next")


def test_balance_maglev_sticks_to_what_it_hashes(lab):
    client = balanced_client(lab, (100, 100, 100), policy="maglev", hash_on="header:x-user")
    first = {u: client.get(headers={"X-User": u}).body for u in map(str, range(30))}
    assert set(first.values()) == {b"0", b"1", b"2"}
    for user, body in first.items():
        assert client.get(headers={"X-User": user}).body == body


def test_balance_maglev_spreads_evenly(lab):
    counts = spread(lab, 600, policy="maglev", hash_on="header:x-user",
                    headers=lambda n: {"X-User": f"user-{n}"})
    assert all(130 < counts[n] < 270 for n in range(3)), counts


def test_balance_maglev_moves_few_when_an_endpoint_leaves(lab):
    origins = [lab.serving(echo_name(str(n))) for n in range(4)]
    balancing = {"load_balancing": {"policy": "maglev", "hash_on": "header:x-user"}}
    gateway = lab.gateway(config_for(*origins, cluster=balancing))
    client = lab.client(gateway)
    users = [f"user-{n}" for n in range(200)]
    before = {u: client.get(headers={"X-User": u}).body for u in users}
    assert gateway.reload(config_for(*origins[:3], cluster=balancing))[0] == 0
    moved = sum(client.get(headers={"X-User": u}).body != before[u] for u in users)
    left = sum(body == b"3" for body in before.values())
    assert left <= moved < left + 25


@pytest.mark.tsan
def test_balance_round_robin_of_two_workers_reaches_all(lab):
    origins = [lab.serving(echo_name(str(n))) for n in range(3)]
    gateway = lab.gateway(config_for(*origins, workers=2,
                                     cluster={"load_balancing": {"policy": "round_robin"}}))
    counts = Counter()
    for _ in range(60):
        client = lab.client(gateway)
        counts[client.get().body] += 1
        client.close()
    assert all(18 <= counts[b"%d" % n] <= 22 for n in range(3)), counts
