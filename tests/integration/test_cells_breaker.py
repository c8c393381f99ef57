# SPDX-License-Identifier: Apache-2.0
"""The circuit breaker of a cell as a whole: it judges what those of its clusters do not explain."""
from support.lab import endpoints
from support.refusal import assert_refused
from support.waiting import eventually

BREAKER = {"minimum_requests": 10, "failure_rate_threshold": "50%", "open_duration": "1m"}


def two_services(lab, **clusters):
    """Cells c1 and c2 with the services `a` and `b`; whoever of c1 is asked fails when told to."""
    failing = set()

    def answer(service):
        def handle(_, connection):
            connection.answer(500 if service in failing else 200, service.encode())
        return handle
    names = [f"{service}-{cell}" for service in "ab" for cell in ("c1", "c2")]
    origins = {name: endpoints(lab.serving(answer(name))) for name in names}
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "cells": {"assign": [{"match": {"headers": {"x-home": "c1"}}, "cell": "c1"}],
                  "circuit_breaker": BREAKER, "members": {"c1": {}, "c2": {}}},
        "clusters": {name: {**each, **clusters} for name, each in origins.items()},
        "routes": [{"name": s, "match": {"path": {"prefix": "/" + s}},
                    "target": {"cluster": s + "-{cell}"}, "retry": {"num_retries": 0}}
                   for s in "ab"],
    })
    client = lab.client(gateway)
    return failing, gateway, lambda s: client.get("/" + s, headers={"X-Home": "c1"})


def cell_breaker(gateway, cell):
    rows = gateway.admin_json("/breakers")["breakers"]
    return next(row["breakers"][0] for row in rows if row.get("cell") == cell)


def test_cells_breaker_of_the_whole_cell_moves_all_its_services(lab):
    failing, gateway, ask = two_services(lab)
    assert ask("a").body == b"a-c1" and ask("b").body == b"b-c1"
    failing.update({"a-c1", "b-c1"})
    eventually(lambda: ask("a").body == b"a-c2", "the cell's breaker opens")
    assert ask("b").body == b"b-c2", "another service of the cell leaves with it"
    row = cell_breaker(gateway, "c1")
    assert row["level"] == "cell" and row["state"] == "open"
    assert row["last_opened_on"]["failures"] >= 5
    assert cell_breaker(gateway, "c2")["state"] == "closed"
    gateway.expect_metric(1, "weir_breaker_state", cell="c1", state="open")
    eventually(lambda: any('msg="circuit breaker" cell=c1' in line for line in gateway.stderr),
               "the log line")


def test_cells_breaker_that_is_open_gives_nobodys_fallback(lab):
    """A cell has none of its own, and that of another cluster is meant for other requests."""
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "cells": {"self": "c1", "assign": [{"hash": "client_ip"}], "circuit_breaker": BREAKER,
                  "members": {"c1": {}}},
        "clusters": {
            "aaa": {**endpoints(lab.serving()), "circuit_breaker": {
                "fallback": {"direct": {"status": 200, "body": "meant for aaa"}}}},
            "bbb": endpoints(lab.serving(lambda _, connection: connection.answer(500)))},
        "routes": [{"name": name, "match": {"path": {"prefix": "/" + name}},
                    "target": {"cluster": name}, "retry": {"num_retries": 0}}
                   for name in ("aaa", "bbb")]})
    client = lab.client(gateway)
    eventually(lambda: client.get("/bbb").status == 503, "the cell's breaker opens")
    assert_refused(client.get("/bbb"), "circuit_open")


def test_cells_breaker_leaves_to_a_cluster_what_its_own_explains(lab):
    failing, gateway, ask = two_services(lab, circuit_breaker={**BREAKER, "minimum_requests": 5})
    failing.add("a-c1")
    eventually(lambda: ask("a").body == b"a-c2", "the cluster's breaker opens")
    for _ in range(20):
        assert ask("b").body == b"b-c1"
    assert cell_breaker(gateway, "c1")["state"] == "closed"
