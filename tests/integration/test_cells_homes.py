# SPDX-License-Identifier: Apache-2.0
"""Who has which home behind a proxy, and who may stay there: part of it dead, or a guest's place."""
import pytest
from support.lab import endpoints
from support.message import request
from support.origin import echo_name
from support.waiting import eventually

LOCAL = ["127.0.0.0/8"]
DEAD = "127.0.0.1:1"


def town(lab, clusters, **cells):
    """A gateway before clusters named app-CELL; each value is a list of endpoints, or a cluster."""
    return lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "trusted_proxies": LOCAL,
        "cells": {"members": {name: {} for name in clusters}, **cells},
        "clusters": {"app-" + name: each if isinstance(each, dict) else endpoints(*each)
                     for name, each in clusters.items()},
        "routes": [{"name": "all", "target": {"cluster": "app-{cell}"},
                    "retry": {"num_retries": 0}}],
    })


@pytest.mark.parametrize("rule", ["client_ip", "header:x-forwarded-for"])
def test_cells_home_is_of_the_client_that_a_trusted_proxy_names(lab, rule):
    names = (b"c1", b"c2", b"c3")
    gateway = town(lab, {n.decode(): [lab.serving(echo_name(n))] for n in names},
                   assign=[{"hash": rule}])
    client = lab.client(gateway)

    def served(address):
        return client.request("GET", "/", headers=[("X-Forwarded-For", address)]).body
    first = {f"203.0.113.{i}": served(f"203.0.113.{i}") for i in range(60)}
    assert set(first.values()) == set(names)
    assert {a: served(a) for a in first} == first


def test_cells_who_finds_one_endpoint_dead_stays_at_home(lab):
    alive = [lab.serving(echo_name(b"c1")) for _ in range(2)]
    gateway = town(lab, {"c1": [*alive, DEAD, "127.0.0.1:2"],
                         "c2": [lab.serving(echo_name(b"c2"))]},
                   assign=[{"match": {"headers": {"x-home": "1"}}, "cell": "c1"}])
    client = lab.client(gateway)
    assert {client.get(headers={"X-Home": "1"}).body for _ in range(60)} == {b"c1"}


def test_cells_guest_that_goes_on_leaves_its_place(lab):
    host = lab.origin()
    gateway = town(lab, {"c1": [DEAD], "c2": {**endpoints(DEAD), "state": "maint"}, "c3": [host]},
                   self="c1", max_hops=2, tag={"trust": "any"},
                   members={"c1": {"capacity": 1000, "guest_capacity": 1}, "c2": {},
                            "c3": {"capacity": 10}})
    client = lab.client(gateway)
    client.send(request("GET", "/", headers={"X-Weir-Cell": "c2"}))
    connection = host.accept()
    connection.read_request()
    eventually(lambda: gateway.admin_json("/cells")["cells"][0]["guests"] == 0, "the place is back")
    connection.answer(200, b"c3")
    answer = client.read_response()
    assert answer.status == 200 and answer.header("x-weir-cell-served") == "c3"
