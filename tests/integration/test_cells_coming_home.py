# SPDX-License-Identifier: Apache-2.0
"""A cell that was out gets its requests back bit by bit."""
import time

import pytest
from support.lab import endpoints
from support.origin import echo_name
from support.waiting import SLOWNESS, eventually

TENANTS = [f"t{i}" for i in range(60)]
STAY = {"min_healthy_time": "10m", "ramp": "10m"}


class Town:
    """Two cells; everybody lives in c1."""

    def __init__(self, lab, failback, **cells):
        self.lab = lab
        self.cells = {"failback": failback,
                      "assign": [{"match": {"headers": {"x-tenant": {"present": True}}},
                                  "cell": "c1"}], **cells}
        self.origins = {name: lab.serving(echo_name(name.encode())) for name in ("c1", "c2")}
        self.config = {
            "listeners": {"main": {"address": "127.0.0.1:0"}},
            "identity": {"tenant": [{"header": "x-tenant"}]},
            "trusted_proxies": ["127.0.0.0/8"],
            "clusters": {"app-" + name: endpoints(origin) for name, origin in self.origins.items()},
            "routes": [{"name": "all", "target": {"cluster": "app-{cell}"}}]}
        self.gateway = lab.gateway(self.with_states())
        self.client = lab.client(self.gateway)

    def with_states(self, c1="active", c2="active"):
        return {**self.config, "cells": {**self.cells, "members": {"c1": {"state": c1},
                                                                   "c2": {"state": c2}}}}

    def set(self, **states):
        code, _, stderr = self.gateway.reload(self.with_states(**states))
        assert code == 0, stderr

    def served(self, tenant, method="GET"):
        answer = self.client.request(method, "/", headers=[("X-Tenant", tenant)],
                                     body=b"x" if method == "POST" else None)
        assert answer.status == 200, answer
        return answer.body

    def at_home(self):
        return {tenant for tenant in TENANTS if self.served(tenant) == b"c1"}

    def changes(self):
        return [line for line in self.gateway.stderr if 'msg="cell changed"' in line]


def test_cells_come_home_bit_by_bit_and_none_leaves_again(lab):
    town = Town(lab, {"min_healthy_time": "500ms", "ramp": "3s"})
    assert town.at_home() == set(TENANTS)
    town.set(c1="drained")
    assert town.at_home() == set()
    back = time.monotonic()
    town.set(c1="active")
    assert town.at_home() == set() or time.monotonic() - back > 0.4, "it is not trusted yet"
    home, steps = set(), set()
    while home != set(TENANTS):
        now = town.at_home()
        assert home <= now, "who has come home stays there"
        home = now
        steps.add(len(home))
        assert time.monotonic() - back < 15 * SLOWNESS
        time.sleep(0.05)
    assert time.monotonic() - back > 2, "over the ramp"
    assert len(steps) > 4, steps
    town.gateway.metric("weir_cell_requests_total", home="c1", served="c2", reason="returning")
    assert town.gateway.metric("weir_cell_requests_total", home="c1", served="c2",
                               reason="returning") > 0
    eventually(lambda: [next(w for w in ("down", "waiting", "ramping", "up") if f"phase={w}" in line)
                        for line in town.changes()] == ["down", "waiting", "ramping", "up"],
               "the log tells")


def test_cells_send_nobody_home_for_a_moment_and_away_again(lab):
    town = Town(lab, STAY)
    assert town.served("t1") == b"c1"
    # By hand, and so without the look that a reload takes.
    for state in ("drained", "active"):
        answer = town.gateway.admin(f"/set?kind=cell&name=c1&value={state}&keep=1", method="POST")
        assert answer.status == 200
        if state == "drained":
            eventually(lambda: len(town.changes()) == 1, "it is seen")
    assert {town.served("t1") for _ in range(50)} == {b"c2"}


def test_cells_that_may_not_hop_come_home_at_once(lab):
    town = Town(lab, STAY)
    town.set(c1="drained")
    town.set(c1="active")
    assert town.served("t1") == b"c2"
    assert town.served("t1", "POST") == b"c1", "only safe methods hop"
    cell = town.gateway.admin_json("/cells")["cells"][0]
    assert cell["coming_home"] == {"app-c1": 0}


def test_cells_come_home_at_once_where_nobody_is_met_elsewhere(lab):
    """Nobody has noticed yet that the other cell is out as well."""
    town = Town(lab, STAY)
    town.set(c1="drained")
    town.set(c1="active")
    assert town.served("t1") == b"c2"
    town.origins["c2"].close()
    answer = town.client.get(headers=[("X-Tenant", "t1")])
    assert (answer.status, answer.body) == (200, b"c1")
    assert answer.header("x-weir-cell-served") is None
    assert town.at_home() == set(TENANTS)


def test_cells_come_home_at_once_where_nobody_else_has_room(lab):
    town = Town(lab, STAY)
    town.set(c1="drained")
    town.set(c1="active", c2="fenced")
    assert town.at_home() == set(TENANTS)


@pytest.mark.parametrize("fallback, home", [("permissive", b"c2"), ("strict", b"c1")])
def test_cells_coming_home_is_kept_over_reloads_and_routes_may_refuse_it(lab, fallback, home):
    town = Town(lab, STAY)
    town.set(c1="drained")
    town.set(c1="active")
    town.config["routes"][0]["cells"] = {"fallback": fallback}
    town.set()
    assert town.served("t1") == home


def test_cells_that_flap_wait_for_twice_as_long(lab):
    town = Town(lab, {"min_healthy_time": "600ms", "ramp": "0"})

    def time_out():
        town.set(c1="drained")
        town.set(c1="active")
        begin = time.monotonic()
        eventually(lambda: town.served("t1") == b"c1", "it serves again")
        return time.monotonic() - begin
    assert 0.4 < time_out() < 1.1 * SLOWNESS
    assert time_out() > 1.1


def test_cells_serve_at_home_from_the_start(lab):
    town = Town(lab, STAY)
    assert town.at_home() == set(TENANTS)
    assert "coming_home" not in town.gateway.admin_json("/cells")["cells"][0]
