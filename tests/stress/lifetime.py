# SPDX-License-Identifier: Apache-2.0
"""The lifetime stress: either side ends at the k-th event, for every k, over the whole suite of
exchanges, many at a time against one gateway. It enumerates the bugs of ownership that no single
test thinks of; under ASan every use after free and every leak is a failure.

With hops in between, HTTP/2 is walked over too: the client's HTTP/1 becomes HTTP/2 in the first
gateway, stays it in the second and becomes HTTP/1 again in the last, so that all four pairings end
at every event.

WEIR_STRESS=full, and any run under ASan, walks it once more with every sending cut in two."""
import os
import threading

import pytest
from exchanges import EXCHANGES, split_in_two
from lane import WAYS, Case, Lane
from support.waiting import eventually

pytestmark = [pytest.mark.stress, pytest.mark.tsan]
LANES = 8
SESSION = 20 * 1024  # what an HTTP/2 connection at rest may hold
FULL = os.environ.get("WEIR_STRESS") == "full" or os.environ.get("WEIR_PRESET") == "asan"


def all_cases():
    for name, events in EXCHANGES.items():
        forms = {name: events}
        if FULL:
            forms[name + "_split"] = list(split_in_two(events))
        for form, steps in forms.items():
            yield Case(form, steps, len(steps))
            for at in range(len(steps)):
                for side, how in WAYS:
                    yield Case(form, steps, at, side, how)


def config(lanes, pool):
    clusters = {f"c{lane.number}": {"endpoints": [{"address": lane.address}], "pool": pool}
                for lane in lanes}
    # Requests whose client has sent FIN may be in flight still: no budget for retries.
    retry = {"num_retries": 1, "on": [503], "backoff": {"base": "1ms", "max": "1ms"},
             "budget": {"min": 1000}}
    routes = [{"name": f"r{lane.number}",
               "match": {"path": {"regex": f"/lane{lane.number}case.*"}},
               "target": {"cluster": f"c{lane.number}"}, "retry": retry} for lane in lanes]
    direct = {"name": "direct", "match": {"path": {"prefix": "/direct"}},
              "target": {"direct": {"status": 200, "body": "direct answer"}}}
    return {"listeners": {"main": {"address": "127.0.0.1:0"}}, "clusters": clusters,
            "routes": [direct, *routes], "workers": 2}


def run_lane(lane, address, cases, faults):
    for case in cases:
        try:
            lane.run(address, case)
        except Exception as fault:  # collected: the first of them is shown
            faults.append(fault)
            return


class Reloads(threading.Thread):
    """Renames all routes again and again, so that no exchange ends under the config it began."""

    def __init__(self, gateway, config_of_turn):
        super().__init__(daemon=True)
        self._gateway, self._config_of_turn = gateway, config_of_turn
        self._over = threading.Event()
        self.codes = []

    def run(self):
        while not self._over.is_set():
            self.codes.append(self._gateway.reload(self._config_of_turn(len(self.codes)))[0])

    def end(self):
        self._over.set()
        self.join()
        assert self.codes and not any(self.codes), self.codes


def held(gateway):
    return gateway.metric("weir_memory_accounted_bytes")


def kept(gateway):
    """HTTP/2 connections between two gateways, which outlive what they carried."""
    clusters = gateway.admin_json("/clusters")["clusters"]
    return gateway.metric("weir_listener_connections", listener="main") + sum(
        cluster["connections"] for cluster in clusters)


def hop(lab, after):
    """A gateway in front of `after` that speaks HTTP/2 to it."""
    host, port = after.address()
    return lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}}, "workers": 2,
        "clusters": {"next": {"endpoints": [{"address": f"{host}:{port}"}], "protocol": "http2"}},
        "routes": [{"name": "all", "target": {"cluster": "next"}, "retry": {"num_retries": 0}}]})


def renamed(config, turn):
    routes = [{**route, "name": f"{route['name']}-{turn}"} for route in config["routes"]]
    return {**config, "routes": routes}


def mirrored(lab, base):
    """The same, with all requests copied to an origin whose connections end in all ways as well."""
    def whatever(_, connection):
        turn = shadow.count() % 5
        if turn == 0:
            return connection.close()
        if turn == 1:
            return connection.reset()
        if turn == 2:
            return None
        if turn == 3:
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
            return connection.close()
        return connection.answer(200, b"nobody reads this")

    shadow = lab.serving(whatever)
    copies = {"mirror": {"cluster": "shadow", "timeout": "50ms"}}
    return {**base, "clusters": {**base["clusters"], "shadow": {
        "endpoints": [{"address": shadow.address}], "pool": {"max_idle": 64}}},
            "routes": [base["routes"][0], *({**route, **copies} for route in base["routes"][1:])],
            "mirroring": {"max_concurrent": 6}}


@pytest.mark.parametrize("pool, reloading, hops, copied", [
    ({"max_idle": 64}, False, 0, False), ({"max_idle": 0}, False, 0, False),
    ({"max_idle": 64}, True, 0, False), ({"max_idle": 0}, False, 2, False),
    ({"max_idle": 64}, True, 0, True)],
    ids=["pooled", "unpooled", "reloading", "http2", "mirrored"])
def test_lifetime_whatever_ends_whenever_nothing_is_left(lab, pool, reloading, hops, copied):
    lanes = [lab.keep(Lane(number)) for number in range(LANES)]
    base = config(lanes, pool)
    if copied:
        base = mirrored(lab, base)
    gateway = lab.gateway(base)
    gateways = [gateway]
    for _ in range(hops):
        gateways.append(hop(lab, gateways[-1]))
    address = gateways[-1].address()
    cases = list(all_cases())
    faults = []
    threads = [threading.Thread(target=run_lane, args=(lane, address, cases[n::LANES], faults))
               for n, lane in enumerate(lanes)]
    reloads = Reloads(gateway, lambda turn: renamed(base, turn))
    if reloading:
        reloads.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if reloading:
        reloads.end()
    assert not faults, faults
    for lane in lanes:
        lane.run(address, Case("afterwards", EXCHANGES["keep_alive"],
                               len(EXCHANGES["keep_alive"])))
    # A request whose client sent FIN waits for its answer, maybe on a connection not yet accepted.
    for lane in lanes:
        lane.close()
    for each in gateways:
        eventually(lambda: each.metric("weir_worker_exchanges") == 0, "no exchange is alive")
        eventually(lambda: held(each) <= SESSION * kept(each), "no block is held")
    if copied:
        assert gateway.metric("weir_mirror_requests_total") > 20
        gateway.expect_metric(0, "weir_mirror_copies")
    print(f"{len(cases)} cases")
