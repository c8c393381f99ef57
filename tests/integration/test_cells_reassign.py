# SPDX-License-Identifier: Apache-2.0
"""Applications that give their clients a new home, by the tag in their answer."""
import pytest
from support.lab import endpoints

LOCAL = ["127.0.0.0/8"]
KEYS = "k1 " + "11" * 32 + "\n"


class Town:
    """Two cells whose applications say in the tag's header what the request has asked for."""

    def __init__(self, lab, may=("app-{cell}",), tag=None, members=None, **cells):
        def application(found, connection):
            said = [("X-Weir-Cell", value) for value in
                    (found.headers.get("x-say") or "").split(";") if value]
            connection.answer(int(found.headers.get("x-status") or 200), connection.name,
                              headers=said)

        def named(name):
            def handler(found, connection):
                connection.name = name.encode()
                application(found, connection)
            return handler
        self.lab = lab
        names = ("c1", "c2", "c3")
        self.gateway = lab.gateway({
            "listeners": {"main": {"address": "127.0.0.1:0"}}, "trusted_proxies": LOCAL,
            "identity": {"tenant": [{"header": "x-tenant"}]},
            "cells": {"tag": tag or {"trust": "any"}, "upstream_may_assign": list(may),
                      "assign": [{"pins": {"acme": "c1", "initech": "c1"}}],
                      "members": {name: (members or {}).get(name, {}) for name in names}, **cells},
            "clusters": {"app-" + name: endpoints(lab.serving(named(name))) for name in names},
            "routes": [{"name": "all", "target": {"cluster": "app-{cell}"},
                        "retry": {"num_retries": 0}}]})
        self.client = lab.client(self.gateway)

    def ask(self, say="", tenant="acme", **headers):
        sent = [("X-Tenant", tenant), ("X-Say", say)]
        sent += [(name.replace("_", "-"), value) for name, value in headers.items()]
        return self.client.request("GET", "/", headers=sent)

    def count(self, outcome):
        return self.gateway.metric("weir_cell_reassignments_total", outcome=outcome)


def test_cells_application_moves_its_client(lab):
    town = Town(lab, tag={"trust": "any", "cookie": "cell"})
    answer = town.ask("c2")
    assert answer.body == b"c1", "this request stays where it was"
    assert answer.header("x-weir-cell") == "c2"
    assert answer.header("set-cookie").startswith("cell=c2;")
    assert town.ask(X_Weir_Cell="c2").body == b"c2"
    assert town.count("taken") == 1


def test_cells_application_that_names_the_home_changes_nothing(lab):
    town = Town(lab, tag={"trust": "any", "cookie": "cell"})
    answer = town.ask("c1", X_Weir_Cell="c1")
    assert answer.header("x-weir-cell") == "c1" and "set-cookie" not in answer.headers
    assert town.count("taken") == 0


def test_cells_application_that_says_where_it_is_keeps_nobody(lab):
    town = Town(lab, members={"c1": {"state": "drained"}})
    answer = town.ask("c2;c2", X_Weir_Cell="c1")
    while answer.body == b"c3":
        answer = town.ask("c2", X_Weir_Cell="c1")
    assert answer.body == b"c2" and answer.header("x-weir-cell") == "c1"
    assert answer.header("x-weir-cell-served") == "c2"
    assert town.count("guest") == 1


def test_cells_answer_that_was_kept_speaks_for_its_own_cluster(lab):
    """Who may not assign does not do it by being asked before one who may."""
    def moves(_, connection):
        connection.answer(429, b"busy", headers=[("X-Weir-Cell", "c3"),
                                                 ("X-Weir-Cell-Served", "c3")])

    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}}, "trusted_proxies": LOCAL,
        "cells": {"tag": {"trust": "any"}, "upstream_may_assign": ["b"],
                  "members": {"c1": {}, "c3": {}}},
        "clusters": {"a": endpoints(lab.serving(moves)),
                     "b": {**endpoints("127.0.0.1:1"), "peer": "weir"}},
        "failover_groups": {"all": {"members": [{"cluster": "a", "priority": 0, "capacity": 9},
                                                {"cluster": "b", "priority": 1, "capacity": 9}]}},
        "routes": [{"name": "all", "target": {"failover_group": "all"}, "retry": {
            "on": ["429"], "backoff": {"base": "1ms", "max": "1ms"}}}]})
    answer = lab.client(gateway).get(headers=[("X-Weir-Cell", "c1")])
    assert (answer.status, answer.body) == (429, b"busy")
    assert answer.header("x-weir-cell") == "c1" and answer.header("x-weir-cell-served") is None
    assert gateway.metric("weir_cell_reassignments_total", outcome="taken") == 0


def test_cells_new_home_is_signed_for_the_tenant(lab):
    path = lab.path("cell.keys")
    with open(path, "w", encoding="ascii") as file:
        file.write(KEYS)
    town = Town(lab, tag={"trust": "signed", "keys_file": path})
    tag = town.ask("c2").header("x-weir-cell")
    assert tag.startswith("c2:0:") and tag.count(":") == 4
    assert town.ask(X_Weir_Cell=tag).body == b"c2"
    assert town.ask(tenant="initech", X_Weir_Cell=tag).body == b"c1", "another tenant's"
    forged = tag.replace("c2", "c3")
    assert town.ask(forged).header("x-weir-cell").startswith("c1:")
    assert town.count("not_believed") == 1
    assert town.ask(tag).header("x-weir-cell").startswith("c2:"), "as another weir would say it"


def test_cells_of_clusters_that_are_not_named_the_tag_is_stripped(lab):
    town = Town(lab, may=["app-c3"])
    answer = town.ask("c2")
    assert answer.headers.all("x-weir-cell") == ["c1"]
    assert town.count("taken") == 0
    town = Town(lab, may=())
    assert town.ask("c2").header("x-weir-cell") == "c1"


@pytest.mark.parametrize("say, outcome", [
    ("c9", "unknown_cell"), ("c2:x", "malformed"), ("c2;c3", "malformed"), ("c" * 300, "malformed"),
    ("c3", "closed")])
def test_cells_new_home_that_is_none_is_ignored_and_counted(lab, say, outcome):
    town = Town(lab, members={"c3": {"state": "draining"}})
    answer = town.ask(say)
    assert answer.status == 200 and answer.header("x-weir-cell") == "c1"
    assert town.count(outcome) == 1 and town.count("taken") == 0


def test_cells_failures_name_nobodys_home(lab):
    town = Town(lab)
    answer = town.ask("c2", X_Status="500")
    assert answer.status == 500 and answer.header("x-weir-cell") == "c1"
    assert town.ask("c2", X_Status="404").header("x-weir-cell") == "c2"
