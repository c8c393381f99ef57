# SPDX-License-Identifier: Apache-2.0
"""What operators do, or have done to them: a drain, a bad version, names that do not resolve, a cell
that is gone, a backup that is too small."""
import os
import socket
import struct
import threading
import time

from drills import netns
from drills.failover import HOME, REFUSED, SILENT
from drills.lab import Figure, OriginProcess, at_least, at_most, drill, free_port, shown
from drills.region import CAPACITY, GROUP, ROUTE, Region, cluster_is, cluster_of, strike
from support.gateway import run_cli
from support.lab import merge


@drill("drain", "an operator drains the first cluster (state: drain), and takes that back", short=True)
def drain(lab):
    region = Region(lab)
    run = strike(region, lambda: region.change(clusters={"a": {"state": "drain"}}),
                 lambda: region.change(clusters={"a": {"state": "ready"}}))
    unsafe = run.ledger.failed(repeatable=False)
    return run.figures(cluster_is("a"), REFUSED, HOME) + [
        at_most("failed of any kind", len(unsafe) + len(run.ledger.failed(repeatable=True)), 0,
                "{:.0f}")]


@drill("drain-by-hand", "`weir drain cluster a --keep --wait`, and `weir set cluster a none`")
def drain_by_hand(lab):
    region = Region(lab)
    waited = {}

    def verb(*words):
        begun = time.monotonic()
        code, out, err = run_cli(*words, "-c", lab.gateway.file)
        assert code == 0, (code, out, err)
        waited[words[0]] = time.monotonic() - begun

    run = strike(region, lambda: verb("drain", "cluster", "a", "--keep", "--wait", "--timeout", "5s"),
                 lambda: verb("set", "cluster", "a", "none"))
    emptied = run.fault + waited["drain"]
    late = [r for r in run.ledger.between(emptied, run.healed) if cluster_is("a")(*r.first)]
    failed = [*run.ledger.failed(repeatable=False), *run.ledger.failed(repeatable=True)]
    return run.figures(cluster_is("a"), REFUSED, HOME) + [
        at_most("failed of any kind", len(failed), 0, "{:.0f}"),
        at_most("empty after s", waited["drain"], 2.0),
        at_most("there after it was said to be empty", len(late), 0, "{:.0f}")]


@drill("bad-version", "a version that takes 5 % of the traffic begins to answer 500")
def bad_version(lab):
    region = Region(lab)
    new = lab.origins("next", 3)
    region.config["clusters"]["next"] = cluster_of(new, circuit_breaker={"minimum_requests": 10})
    region.config["failover_groups"]["next"] = {
        **GROUP, "members": [{"cluster": "next", "priority": 0, "capacity": 20},
                             {"cluster": "a", "priority": 1, "capacity": 20}]}
    region.config["routes"] = [merge(ROUTE, {"retry": {
        "on": ["connect_failure", "reset_before_response", "500", "502", "503", "504"]}})]
    region.config["routes"][0]["target"] = {"weighted": [{"failover_group": "all", "weight": 95},
                                                         {"failover_group": "next", "weight": 5}]}

    def tell(mode):
        for origin in new:
            origin.tell(mode)

    run = strike(region, lambda: tell("status 500 1"), lambda: tell("well"))
    return run.figures(cluster_is("next"), SILENT, HOME, backups=("a",))


class NameServer:
    """Has one name, for a second each time. `state`: well, silent, or failing (SERVFAIL)."""

    def __init__(self, addresses):
        self.addresses = addresses
        self.state = "well"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                question, peer = self.sock.recvfrom(512)
            except OSError:
                return
            if not question:
                return
            if self.state != "silent":
                self.sock.sendto(self.answer(question), peer)

    def answer(self, question):
        end = question.index(b"\0", 12) + 5
        if self.state == "failing":
            return question[:2] + b"\x85\x82\0\1" + bytes(6) + question[12:end]
        found = self.addresses if question[end - 4:end - 2] == b"\0\1" else []
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)
                           for address in found)
        return question[:2] + b"\x85\x80\0\1" + struct.pack("!HHH", len(found), 0, 0) + \
            question[12:end] + records

    def become(self, state):
        self.state = state

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", 53))
        self.thread.join(5)
        self.sock.close()


@drill("dns-gone", "the name server of the first cluster fails (SERVFAIL) for 3 s, then says nothing")
def dns_gone(lab):
    if not netns.inside():
        return [shown("not run", "it needs a namespace of its own, and this machine gives none")]
    port = free_port()
    hosts = ["127.0.0.11", "127.0.0.12", "127.0.0.13"]
    server = lab.keep(NameServer(hosts))
    netns.name_servers("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    named = [lab.keep(OriginProcess(f"a-{n}", port=port, host=host))
             for n, host in enumerate(hosts)]
    for origin in named:
        origin.listens()
    region = Region(lab, a=named)
    cluster = region.config["clusters"]["a"]
    del cluster["endpoints"]
    cluster["dns"] = {"name": "orders.drill.test", "port": port}
    region.start()
    failures = lab.watch(lambda: lab.gateway.metric("weir_cluster_dns_failures"), 0.5)
    lab.gateway.expect_metric(3, "weir_cluster_endpoints", cluster="a")
    run = strike(region, lambda: server.become("failing"), lambda: server.become("well"),
                 steps=[(3.0, lambda: server.become("silent"))])
    failures.close()
    return [*run.failures(), run.struck(cluster_is("a")),
            at_least("its part meanwhile",
                     run.ledger.share(cluster_is("a"), run.fault, run.healed), 0.99),
            at_least("look-ups that failed in a row", max(failures.values()), 1, "{:.0f}"),
            at_most("in the end", lab.gateway.metric("weir_cluster_dns_failures"), 0, "{:.0f}"),
            run.amplification(), *run.others()]


@drill("cell-killed", "one of three cells is killed; its requests are served by the others")
def cell_killed(lab):
    region = Region(lab)
    cells = {"c1": "a", "c2": "b", "c3": "c"}
    config = region.config
    del config["failover_groups"]
    keys = lab.path("cell.keys")
    with open(keys, "w", encoding="ascii") as file:
        file.write("k1 " + os.urandom(32).hex() + "\n")
    config["clusters"] = {"shop-" + cell: config["clusters"][name] for cell, name in cells.items()}
    config["cells"] = {
        "tag": {"trust": "signed", "keys_file": keys, "cookie": "weir-cell"},
        "assign": [{"pins": {"acme": "c2"}, "epoch": 1}, {"hash": "tenant"}],
        "failback": GROUP["failback"],
        "members": {cell: {"region": "eu", "capacity": CAPACITY[name]}
                    for cell, name in cells.items()}}
    config["routes"] = [merge(ROUTE, {"cells": {"hop": "always"}})]
    config["routes"][0]["target"] = {"cluster": "shop-{cell}"}
    run = strike(region, lambda: region.each("a", lambda origin: origin.kill()),
                 lambda: region.each("a", lambda origin: origin.start()))
    hops = lab.gateway.metric("weir_cell_hops_total")
    capacity = {"shop-" + cell: CAPACITY[name] for cell, name in cells.items()}
    return run.figures(cluster_is("shop-c1"), REFUSED, HOME, ("shop-c2", "shop-c3"), capacity) + [
        at_least("hops", hops, 1, "{:.0f}")]


@drill("backup-small", "the first cluster is killed, and the others can take half of the load")
def backup_small(lab):
    region = Region(lab)
    small = {"b": 2, "c": 1}
    for name in small:  # one origin each, which sees itself how much it has at once
        region.config["clusters"][name] = cluster_of(region.origins[name][:1])
    region.config["failover_groups"] = {"all": {**GROUP, "members": [
        {**member, "capacity": small.get(member["cluster"], member["capacity"])}
        for member in GROUP["members"]]}}
    run = strike(region, lambda: region.each("a", lambda origin: origin.kill()),
                 lambda: region.each("a", lambda origin: origin.start()))
    everything = run.ledger.requests
    refused = [r for r in everything if r.reason == "failover_capacity_exceeded"]
    other = [r for r in run.ledger.between(run.fault + 1.0, run.end)
             if not r.good and r not in refused and r.repeatable]
    served = [r for r in run.ledger.between(run.fault + 1.0, run.healed) if r.good]
    slow = max((r.took for r in served), default=0.0)
    return [Figure("refused for capacity", str(len(refused)), ">= 1", len(refused) > 0),
            at_most("idempotent for another reason after 1 s", len(other), 0, "{:.0f}"),
            at_least("served meanwhile", len(served), 1, "{:.0f}"), at_most("slowest of them s", slow, 0.5),
            run.shift(cluster_is("a"), REFUSED), run.amplification(),
            at_most("backup", max(region.origins[name][0].peak() / most
                                  for name, most in small.items()), 1.0),
            *run.home(cluster_is("a"), HOME), *run.others()]
