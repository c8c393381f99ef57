# SPDX-License-Identifier: Apache-2.0
"""Releases: which version of a service a request gets, in stages, and that a reload that changes it
loses nothing."""
import threading

import pytest
from support.gateway import run_cli
from support.lab import endpoints
from support.origin import echo_name

LOCAL = ["127.0.0.0/8"]
TENANT = {"tenant": [{"header": "x-tenant"}]}
ROUTE = {"name": "all", "target": {"release": "orders"}}


class Rollout:
    """Two versions of a service, and a gateway before them."""

    def __init__(self, lab, rules=(), default="v1", **top):
        self.lab = lab
        self.origins = {name: lab.serving(echo_name(name.encode())) for name in ("v1", "v2")}
        self.config = {
            "listeners": {"main": {"address": "127.0.0.1:0"}},
            "trusted_proxies": LOCAL,
            "identity": TENANT,
            "clusters": {name: endpoints(origin) for name, origin in self.origins.items()},
            "releases": {"orders": {"default": default, "rules": list(rules)}},
            "routes": [ROUTE],
            **top,
        }
        self.gateway = lab.gateway(self.config)
        self.client = lab.client(self.gateway)

    def change(self, *rules, default="v1"):
        self.config["releases"] = {"orders": {"default": default, "rules": list(rules)}}
        code, _, stderr = self.gateway.reload(self.config)
        assert code == 0, stderr

    def version(self, tenant=None, **headers):
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        if tenant:
            sent["x-tenant"] = tenant
        answer = self.client.get("/", headers=list(sent.items()))
        assert answer.status == 200, answer
        return answer.body.decode()

    def on_v2(self, count=200):
        return {f"t{i}" for i in range(count) if self.version(f"t{i}") == "v2"}


def test_release_stages_are_asked_in_order(lab):
    early = lab.path("early.yaml")
    with open(early, "w", encoding="ascii") as file:
        file.write("[acme, initech]\n")
    rollout = Rollout(lab, [
        {"name": "probes", "tenants": ["probe"], "to": "v2"},
        {"match": {"headers": {"x-canary": "1"}, "query": {}}, "to": "v2"},
        {"tenants_file": early, "to": "v2"}])
    assert rollout.version("probe") == "v2"
    assert rollout.version("hooli") == rollout.version() == "v1"
    assert rollout.version("hooli", x_canary="1") == rollout.version(x_canary="1") == "v2"
    assert rollout.version("hooli", x_canary="2") == "v1"
    assert rollout.version("acme") == rollout.version("initech") == "v2"
    expect = rollout.gateway.expect_metric
    name = "weir_release_requests_total"
    expect(1, name, release="orders", to="v2", rule="probes")
    expect(2, name, release="orders", to="v2", rule="match")
    expect(2, name, release="orders", to="v2", rule="tenants")
    expect(3, name, release="orders", to="v1", rule="default")
    lines = rollout.gateway.log(8)
    assert [line["release_rule"] for line in lines] == [
        "probes", "default", "default", "match", "match", "default", "tenants", "tenants"]
    assert {line["release"] for line in lines} == {"orders"}
    assert lines[0]["release_to"] == lines[0]["cluster"] == "v2"


def test_release_file_of_tenants_is_read_at_every_reload(lab):
    early = lab.path("early.yaml")

    def write(*tenants):
        with open(early, "w", encoding="ascii") as file:
            file.write("".join(f"- {tenant}\n" for tenant in tenants) or "[]\n")

    write("acme")
    rule = {"tenants_file": early, "to": "v2"}
    rollout = Rollout(lab, [rule])
    assert (rollout.version("acme"), rollout.version("initech")) == ("v2", "v1")
    write("initech")
    rollout.change(rule)
    assert (rollout.version("acme"), rollout.version("initech")) == ("v1", "v2")
    write()
    rollout.change(rule)
    assert (rollout.version("acme"), rollout.version("initech")) == ("v1", "v1")


def test_release_weight_is_sticky_and_raising_it_keeps_all_whom_it_had(lab):
    rollout = Rollout(lab, [{"weight": "5%", "to": "v2"}])
    before = rollout.on_v2()
    assert 1 <= len(before) <= 30
    assert rollout.on_v2() == before
    for weight in ("10%", "50%", "100%"):
        rollout.change({"weight": weight, "to": "v2"})
        now = rollout.on_v2()
        assert before <= now
        before = now
    assert len(before) == 200
    rollout.change({"weight": "0%", "to": "v2"})
    assert rollout.on_v2() == set()


def test_release_weight_sticks_to_the_client_that_a_trusted_peer_names(lab):
    rollout = Rollout(lab, [{"weight": "50%", "sticky": "client_ip", "to": "v2"}])

    def versions(address):
        return {rollout.version(x_forwarded_for=address) for _ in range(5)}

    seen = [versions(f"203.0.113.{i}") for i in range(24)]
    assert all(len(each) == 1 for each in seen)
    assert set.union(*seen) == {"v1", "v2"}


def test_release_blue_green_loses_nothing(lab):
    rollout = Rollout(lab)
    stop = threading.Event()
    statuses, versions = [], []

    def load(client):
        while not stop.is_set():
            answer = client.get("/")
            statuses.append(answer.status)
            versions.append(answer.body.decode())

    threads = [threading.Thread(target=load, args=(lab.client(rollout.gateway),))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for default in ("v2", "v1", "v2"):
            rollout.change(default=default)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert set(statuses) == {200}
    assert rollout.version() == "v2" and set(versions) == {"v1", "v2"}
    rollout.gateway.expect_metric(versions.count("v2") + 1, "weir_release_requests_total",
                                  release="orders", to="v2", rule="default")


def test_release_leads_to_failover_groups(lab):
    rollout = Rollout(
        lab, [{"tenants": ["acme"], "to": "anywhere"}],
        failover_groups={"anywhere": {"members": [{"cluster": "v2"}]}})
    assert (rollout.version("acme"), rollout.version("initech")) == ("v2", "v1")
    assert rollout.gateway.log(1)[0]["release_to"] == "anywhere"


def cells_of(lab):
    names = ("v1-c1", "v1-c2", "v2-c1", "v2-c2")
    origins = {name: lab.serving(echo_name(name.encode())) for name in names}
    return {
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "trusted_proxies": LOCAL,
        "identity": TENANT,
        "cells": {"assign": [{"pins": {"a1": "c1", "b1": "c1", "a2": "c2", "b2": "c2"}}],
                  "members": {"c1": {}, "c2": {}}},
        "clusters": {name: endpoints(origin) for name, origin in origins.items()},
    }


def test_release_keeps_the_cell(lab):
    gateway = lab.gateway({
        **cells_of(lab),
        "releases": {"orders": {"default": "v1-{cell}",
                                "rules": [{"tenants": ["b1", "b2"], "to": "v2-{cell}"}]}},
        "routes": [ROUTE]})
    client = lab.client(gateway)
    for tenant, version in (("a1", "v1-c1"), ("a2", "v1-c2"), ("b1", "v2-c1"), ("b2", "v2-c2")):
        answer = client.get("/", headers=[("x-tenant", tenant)])
        assert answer.body.decode() == version
        assert answer.header("x-weir-cell") == version[-2:]
    line = gateway.log(4)[3]
    assert (line["release_to"], line["cluster"], line["cell"]) == ("v2-{cell}", "v2-c2", "c2")


def test_weighted_clusters_keep_the_cell(lab):
    gateway = lab.gateway({
        **cells_of(lab),
        "routes": [{"name": "all", "target": {"weighted": [
            {"cluster": "v1-{cell}", "weight": 1}, {"cluster": "v2-{cell}", "weight": 1}]}}]})
    client = lab.client(gateway)
    seen = {client.get("/", headers=[("x-tenant", "a2")]).body for _ in range(60)}
    assert seen == {b"v1-c2", b"v2-c2"}


def test_release_explain_says_which_rule_and_why(lab):
    config = lab.path("explain.yaml")
    with open(config, "w", encoding="ascii") as file:
        file.write("""
trusted_proxies: [127.0.0.0/8]
identity: {tenant: [{header: x-tenant}]}
listeners: {main: {address: 127.0.0.1:8080}}
clusters:
  v1: {endpoints: [{address: 127.0.0.1:1}]}
  v2: {endpoints: [{address: 127.0.0.1:2}]}
failover_groups: {anywhere: {members: [{cluster: v2}]}}
releases:
  orders:
    default: v1
    rules:
      - {name: probes, tenants: [acme, initech], to: anywhere}
      - {match: {headers: {x-canary: "1"}}, to: v2}
      - {weight: 0.5%, to: v2}
routes: [{name: all, target: {release: orders}}]
""")

    def explain(*headers):
        code, out, err = run_cli("explain", "-c", config, "GET", "http://h/", "--from", "127.0.0.1",
                                 *[part for header in headers for part in ("-H", header)])
        assert code == 0, out + err
        return out

    named = explain("x-tenant: acme")
    assert "target: release orders\n" in named
    assert "release: orders sends it to anywhere, by rule probes\n  probes: 2 tenants: yes\n" in named
    assert "failover group anywhere, in this order:\n" in named
    canary = explain("x-tenant: hooli", "x-canary: 1")
    assert "by rule match\n  probes: 2 tenants: no\n  match: match: yes\n" in canary
    other = explain("x-tenant: hooli")
    assert "release: orders sends it to v1, its default\n" in other
    assert "  weight: weight 0.5%, at " in other and "% of the tenant: no\n" in other


def test_release_diff_says_in_words_what_moves(lab):
    before, after = lab.path("before.yaml"), lab.path("after.yaml")
    frame = """
identity: {tenant: [{value: a}]}
listeners: {main: {address: 127.0.0.1:8080}}
clusters: {v1: {endpoints: [{address: 127.0.0.1:1}]}, v2: {endpoints: [{address: 127.0.0.1:2}]}}
routes: [{name: all, target: {release: orders}}]
"""
    for path, release in (
            (before, "{default: v1, rules: [{tenants: [acme], to: v2}, {weight: 5%, to: v2}]}"),
            (after, "{default: v2, rules: [{weight: 10%, to: v2}, {tenants: [acme, b], to: v2}]}")):
        with open(path, "w", encoding="ascii") as file:
            file.write(frame + "releases: {orders: " + release + "}\n")
    code, out, _ = run_cli("diff", before, after)
    assert code == 1
    for words in ("releases.orders.default", "for all whom no rule takes",
                  "releases.orders.rules.weight.weight", "5%", "10%", "raised, it keeps all",
                  "releases.orders.rules.tenants.tenants.b", "he moves with his next request",
                  "[tenants, weight]", "[weight, tenants]"):
        assert words in out, out


@pytest.mark.parametrize("rules, finding", [
    ([{"weight": "60%", "to": "v2"}, {"weight": "50%", "to": "v2"}], "more than 100%"),
    ([{"weight": "100%", "to": "v2"}, {"tenants": ["a"], "to": "v2"}], "takes nobody"),
    ([{"weight": "5%", "to": "v3"}], "there is no cluster `v3`"),
])
def test_release_that_makes_no_sense_is_refused_and_the_old_one_stays(lab, rules, finding):
    rollout = Rollout(lab, [{"tenants": ["acme"], "to": "v2"}])
    rollout.config["releases"]["orders"]["rules"] = rules
    code, _, stderr = rollout.gateway.reload(rollout.config)
    assert code != 0 and finding in stderr
    assert rollout.version("acme") == "v2"
