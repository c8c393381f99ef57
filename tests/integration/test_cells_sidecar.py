# SPDX-License-Identifier: Apache-2.0
"""A weir beside an application puts the tag that came in on the calls that go out with its trace."""
from support.lab import endpoints
from support.message import request
from support.origin import echo_name

LOCAL = ["127.0.0.0/8"]
TRACE = "00-{:032x}-00f067aa0ba902b7-01"


class Sidecar:
    """A weir beside an application: requests come in by `main`, its calls go out by `out`."""

    def __init__(self, lab, **reattach):
        self.application = lab.origin()
        self.town = [lab.serving(echo_name(name)) for name in (b"c1", b"c2")]
        self.config = {
            "listeners": {name: {"address": "127.0.0.1:0", "profile": "sidecar"}
                          for name in ("main", "out")},
            "trusted_proxies": LOCAL,
            "cells": {"tag": {"trust": "any"}, "members": {"c1": {}, "c2": {}},
                      "assign": [{"match": {"headers": {"x-home": "c2"}}, "cell": "c2"},
                                 {"match": {"headers": {"x-home": "c1"}}, "cell": "c1"},
                                 {"random": True}],
                      "reattach": {"listeners": ["out"], **reattach}},
            "clusters": {"app": endpoints(self.application), "app-c1": endpoints(self.town[0]),
                         "app-c2": endpoints(self.town[1])},
            "routes": [{"name": "in", "match": {"path": {"prefix": "/in"}},
                        "target": {"cluster": "app"}},
                       {"name": "out", "match": {"path": {"prefix": "/out"}},
                        "target": {"cluster": "app-{cell}"}}],
        }
        self.lab = lab
        self.gateway = lab.gateway(self.config)
        self.calls = lab.client(self.gateway, "out")

    def come_in(self, trace, tag):
        """A request that the application is now at work on, and its side of it."""
        client = self.lab.client(self.gateway)
        client.send(request("GET", "/in", headers={"traceparent": TRACE.format(trace), "x-weir-cell": tag}))
        connection = self.application.accept()
        found = connection.read_request()
        assert found.header("x-weir-cell") == tag
        return client, connection

    def call(self, trace, **headers):
        return self.calls.request("GET", "/out", headers=[
            ("traceparent", TRACE.format(trace)),
            *((k.replace("_", "-"), v) for k, v in headers.items())])

    def outcomes(self, outcome):
        return self.gateway.metric("weir_cell_tags_reattached_total", outcome=outcome)


def test_cells_sidecar_puts_the_tag_on_calls_of_the_same_trace(lab):
    sidecar = Sidecar(lab)
    inside = [sidecar.come_in(1, "c1"), sidecar.come_in(2, "c2")]
    for _ in range(10):
        assert sidecar.call(1).body == b"c1"
        assert sidecar.call(2).body == b"c2"
    assert sidecar.outcomes("attached") == 20
    assert sidecar.gateway.metric("weir_cell_requests_total", reason="trace", home="c1",
                                  served="c1") == 10
    # A tag that the application has carried itself wins.
    assert sidecar.call(1, x_weir_cell="c2").body == b"c2"
    for client, connection in inside:
        connection.answer(200)
        assert client.read_response().status == 200
    assert sidecar.call(1).body == b"c1", "known for a while, for what it does in the background"


def test_cells_sidecar_attaches_nothing_to_a_trace_that_came_with_two_tags(lab):
    sidecar = Sidecar(lab)
    inside = [sidecar.come_in(3, "c1"), sidecar.come_in(3, "c2")]
    assert sidecar.call(3, x_home="c2").body == b"c2"
    assert sidecar.call(3, x_home="c1").body == b"c1"
    assert sidecar.outcomes("ambiguous") == 2 and sidecar.outcomes("attached") == 0
    for _, connection in inside:
        connection.answer(200)


def test_cells_sidecar_knows_nothing_of_other_traces(lab):
    sidecar = Sidecar(lab)
    assert sidecar.call(4, x_home="c2").body == b"c2"
    assert sidecar.outcomes("unknown") == 1


def test_cells_sidecar_keeps_what_is_in_flight_over_a_reload(lab):
    sidecar = Sidecar(lab)
    client, connection = sidecar.come_in(5, "c2")
    config = {**sidecar.config, "workers": 1, "zone": "z9"}
    code, _, stderr = sidecar.gateway.reload(config)
    assert code == 0, stderr
    assert sidecar.call(5).body == b"c2"
    # Another size begins anew; what came in before is let go without harm.
    config["cells"] = {**config["cells"], "reattach": {"listeners": ["out"], "entries": 8}}
    assert sidecar.gateway.reload(config)[0] == 0
    assert sidecar.call(5, x_home="c1").body == b"c1"
    connection.answer(200)
    assert client.read_response().status == 200


def test_cells_sidecar_has_room_for_so_many(lab):
    sidecar = Sidecar(lab, entries=8)
    inside = [sidecar.come_in(trace, "c1") for trace in range(10, 19)]
    assert sidecar.outcomes("no_room") == 1
    assert sidecar.call(10).body == b"c1"
    assert sidecar.call(18, x_home="c2").body == b"c2"
    for client, connection in inside:
        connection.answer(200)
        assert client.read_response().status == 200
