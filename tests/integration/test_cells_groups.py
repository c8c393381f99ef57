# SPDX-License-Identifier: Apache-2.0
"""Failover groups whose members are named by cell: each cell has a group of its own, and is left
when that has nobody."""
import threading
import time

import pytest
from support.gateway import run_cli
from support.lab import endpoints, merge
from support.origin import echo_name
from support.refusal import assert_refused
from support.waiting import eventually

DEAD = "127.0.0.1:1"
QUICK = {"min_healthy_time": "0", "ramp": "0"}
MEMBERS = [{"cluster": "app-{cell}", "priority": 0, "capacity": 1000},
           {"cluster": "far", "priority": 1, "capacity": 1000}]


def config(lab, route=None, group=None, states=None, **origins):
    """Cells c1 and c2, and a cluster that stands in for both; an origin each, or DEAD."""
    named = {"app-c1": "c1", "app-c2": "c2", "far": "far"}
    clusters = {cluster: endpoints(origins.get(name) or lab.serving(echo_name(name.encode())))
                for cluster, name in named.items()}
    return {
        "listeners": {"main": {"address": "127.0.0.1:0"}}, "trusted_proxies": ["127.0.0.0/8"],
        "cells": {"tag": {"trust": "any"}, "failback": QUICK,
                  "members": {name: {"state": (states or {}).get(name, "active")}
                              for name in ("c1", "c2")}},
        "clusters": clusters,
        "failover_groups": {"all": {"members": MEMBERS, "failback": QUICK, **(group or {})}},
        "routes": [merge({"name": "all", "target": {"failover_group": "all"},
                          "retry": {"backoff": {"base": "1ms", "max": "1ms"}}}, route or {})]}


class Town:
    def __init__(self, lab, **how):
        self.config = how.get("config") or config(lab, **how)
        self.gateway = lab.gateway(self.config)
        self.client = lab.client(self.gateway)

    def ask(self, cell, method="GET"):
        return self.client.request(method, "/", headers=[("X-Weir-Cell", cell)],
                                   body=b"x" if method == "POST" else None)


def test_cells_group_serves_each_at_home(lab):
    town = Town(lab)
    for cell in ("c1", "c2"):
        assert {town.ask(cell).body for _ in range(20)} == {cell.encode()}
    groups = town.gateway.admin_json("/failover_groups")["failover_groups"]
    assert [group["name"] for group in groups] == ["all@c1", "all@c2"]
    assert [m["cluster"] for m in groups[1]["members"]] == ["app-c2", "far"]


@pytest.mark.parametrize("workers", [1, 2])
def test_cells_group_stands_in_before_another_cell_does(lab, workers):
    town = Town(lab, c1=DEAD)
    for _ in range(20):
        answer = town.ask("c1")
        assert answer.status == 200 and answer.body == b"far"
        assert answer.header("x-weir-cell") == "c1"
    assert town.ask("c1", "POST").body == b"far", "nothing was sent"
    assert town.ask("c2").body == b"c2"
    town.gateway.expect_metric(0, "weir_cell_hops_total")


def test_cells_group_stands_in_while_its_own_is_out_and_comes_back(lab):
    """The group's own way back is enough: the cell was never out, and nobody hops."""
    sick = threading.Event()

    def answer(found, connection):
        connection.answer(503 if sick.is_set() and found.target == "/health" else 200, b"c1")

    own = config(lab, c1=lab.serving(answer))
    own["cells"]["failback"] = {"min_healthy_time": "10m", "ramp": "10m"}
    own["clusters"]["app-c1"]["health_check"] = {
        "http": {"path": "/health"}, "interval": "100ms", "timeout": "90ms",
        "unhealthy_threshold": 1, "healthy_threshold": 1}
    town = Town(lab, config=own)
    eventually(lambda: town.ask("c1").body == b"c1", "it serves")
    time.sleep(0.3)
    sick.set()
    eventually(lambda: town.ask("c1").body != b"c1", "it is out")
    time.sleep(0.3)
    assert {town.ask("c1").body for _ in range(20)} == {b"far"}
    sick.clear()
    eventually(lambda: town.ask("c1").body == b"c1", "it serves again")
    assert {town.ask("c1").body for _ in range(20)} == {b"c1"}
    town.gateway.expect_metric(0, "weir_cell_hops_total")


def test_cells_group_with_nobody_left_hops_to_another_cell(lab):
    town = Town(lab, c1=DEAD, far=DEAD)
    for _ in range(20):
        answer = town.ask("c1")
        assert answer.status == 200 and answer.body == b"c2"
        assert answer.header("x-weir-cell") == "c1"
        assert answer.header("x-weir-cell-served") == "c2"
    assert town.gateway.metric("weir_cell_hops_total") == 20
    assert_refused(town.ask("c1", "POST"), "connect_refused")


def test_cells_group_that_hops_and_finds_nobody_either_is_refused(lab):
    town = Town(lab, c1=DEAD, c2=DEAD, far=DEAD)
    for _ in range(20):
        assert_refused(town.ask("c1"), "connect_refused")


def test_cells_group_of_a_drained_cell_hops(lab):
    town = Town(lab, states={"c1": "drained"})
    assert {town.ask("c1").body for _ in range(5)} == {b"c2"}
    code, _, stderr = town.gateway.reload({**town.config, "cells": {
        **town.config["cells"], "members": {"c1": {}, "c2": {"state": "drained"}}}})
    assert code == 0, stderr
    assert town.ask("c1").body == b"c1" and town.ask("c2").body == b"c1"


def test_cells_group_answers_that_are_retried_go_to_the_stand_in(lab):
    def failing(found, connection):
        connection.answer(503, b"c1")
    town = Town(lab, c1=lab.serving(failing), route={"retry": {"num_retries": 0}})
    assert {town.ask("c1").body for _ in range(20)} == {b"far"}


def test_cells_group_without_an_endpoint_is_passed_by(lab):
    changed = config(lab)
    changed["clusters"]["app-c1"]["state"] = changed["clusters"]["far"]["state"] = "maint"
    gateway = lab.gateway(changed)
    answer = lab.client(gateway).get(headers={"X-Weir-Cell": "c1"})
    assert answer.body == b"c2" and answer.header("x-weir-cell-served") == "c2"


def test_cells_group_goes_on_over_a_reload(lab):
    slow = lab.origin()
    town = Town(lab, c1=slow)
    town.client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Weir-Cell: c1\r\n\r\n")
    connection = slow.accept()
    connection.read_request()
    code, _, stderr = town.gateway.reload(merge(town.config, {"zone": "az1"}))
    assert code == 0, stderr
    slow.stop_listening()
    connection.close()
    answer = town.client.read_response()
    assert answer.status == 200 and answer.body == b"far"


def test_cells_group_is_the_place_of_a_release_and_of_a_split(lab):
    released = config(lab, route={"target": {"release": "app"}})
    released["routes"][0]["target"] = {"release": "app"}
    released["releases"] = {"app": {"default": "all"}}
    split = config(lab)
    split["routes"][0]["target"] = {"weighted": [{"failover_group": "all", "weight": 1}]}
    for each in (released, split):
        client = lab.client(lab.gateway(each))
        for cell in ("c1", "c2"):
            assert client.get(headers={"X-Weir-Cell": cell}).body == cell.encode()


def test_cells_group_is_explained_and_watched_for_the_region(lab):
    town = Town(lab)
    code, out, err = run_cli("explain", "-c", town.gateway.file, "GET", "http://a.test/",
                             "-H", "X-Weir-Cell: c1")
    assert code == 0, err
    assert "app-{cell} (priority 0" in out and "cluster app-c1" in out and "cluster app-c2" in out
    region = {**town.config, "region": {"name": "eu", "ttl": "0", "failover_groups": ["all"]}}
    code, _, stderr = town.gateway.reload(region)
    assert code == 0, stderr
    code, out, _ = run_cli("explain", "-c", town.gateway.file, "GET", "http://a.test/")
    assert "failover group all@c1" in out and "failover group all@c2" in out
    assert out.count("without it the region leaves the answer") == 2
