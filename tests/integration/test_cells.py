# SPDX-License-Identifier: Apache-2.0
"""Cells and the tag: who lives where, whose tags are believed, who may be served away from home, and
what two weirs in a row tell each other."""
import hmac
import time

import pytest
from support import refusal
from support.gateway import run_cli
from support.lab import endpoints
from support.origin import echo_name
from support.waiting import eventually

LOCAL = ["127.0.0.0/8"]
KEY_1 = "k1 " + "11" * 32
KEY_2 = "k2 " + "22" * 32
TENANT = {"tenant": [{"header": "x-tenant"}]}


class Town:
    """Cells with an origin each, and a gateway before them."""

    def __init__(self, lab, names=("c1", "c2", "c3"), tag=None, keys=None, route=None, cells=None,
                 clusters=None, **top):
        self.lab = lab
        self.origins = {name: lab.serving(echo_name(name.encode())) for name in names}
        self.keys_path = lab.path("cell.keys")
        if keys is not None:
            self.write_keys(*keys)
            tag = {"trust": "signed", "keys_file": self.keys_path, **(tag or {})}
        members = (cells or {}).pop("members", {})
        self.config = {
            "listeners": {"main": {"address": "127.0.0.1:0"}},
            "trusted_proxies": LOCAL,
            "identity": TENANT,
            "cells": {"members": {name: members.get(name, {}) for name in names},
                      **({"tag": tag} if tag else {}), **(cells or {})},
            "clusters": {"app-" + name: {**endpoints(origin), **(clusters or {})}
                         for name, origin in self.origins.items()},
            "routes": [{"name": "all", "target": {"cluster": "app-{cell}"}, **(route or {})}],
            **top,
        }
        self.gateway = lab.gateway(self.config)
        self.client = lab.client(self.gateway)

    def write_keys(self, *lines):
        with open(self.keys_path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def reload(self, **changes):
        self.config = {**self.config, **changes}
        code, _, stderr = self.gateway.reload(self.config)
        assert code == 0, stderr

    def ask(self, tenant="acme", method="GET", **headers):
        sent = {"X-Tenant": tenant, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.request(method, "/", headers=list(sent.items()),
                                   body=b"x" if method == "POST" else None)

    def home(self, tenant="acme", **headers):
        answer = self.ask(tenant, **headers)
        assert answer.status == 200, answer
        return answer.body.decode()

    def tag_of(self, tenant="acme"):
        return self.ask(tenant).header("x-weir-cell")

    def rejected(self, reason, count=1):
        self.gateway.expect_metric(count, "weir_cell_tags_rejected_total", reason=reason)


# ---- Assignment.

def test_cells_assign_by_hash_and_tell_everybody(lab):
    town = Town(lab)
    homes = {}
    for i in range(30):
        answer = town.ask(f"t{i}")
        cell = answer.body.decode()
        homes[f"t{i}"] = cell
        assert answer.header("x-weir-cell") == cell and "x-weir-cell-served" not in answer.headers
        assert town.origins[cell].next_request().headers.get("x-weir-cell") == cell
    assert set(homes.values()) == {"c1", "c2", "c3"}
    assert {tenant: town.home(tenant) for tenant in homes} == homes
    other = Town(lab)
    assert {tenant: other.home(tenant) for tenant in homes} == homes, "two nodes disagree"
    line = town.gateway.log(1)[0]
    assert line["cell"] == line["cell_served"] == homes["t0"]


def test_cells_assign_by_pins_and_rules_in_order(lab):
    town = Town(lab, cells={"assign": [
        {"pins": {"acme": "c2"}}, {"match": {"headers": {"x-canary": "1"}}, "cell": "c3"},
        {"hash": "tenant"}], "members": {"c2": {"weight": 0}, "c3": {"weight": 0}}})
    assert town.home("acme") == "c2"
    assert town.home("acme", X_Canary="1") == "c2"
    assert town.home("initech", X_Canary="1") == "c3"
    assert {town.home(f"t{i}") for i in range(20)} == {"c1"}
    town.gateway.expect_metric(2, "weir_cell_requests_total", home="c2", served="c2",
                               reason="pins")


def test_cells_pins_come_from_a_file_that_is_read_at_every_reload(lab):
    path = lab.path("pins.yaml")

    def write(cell):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"acme: {cell}\n")

    write("c2")
    town = Town(lab, cells={"assign": [{"pins_file": path}, {"hash": "tenant"}]})
    assert town.home() == "c2"
    write("c3")
    town.reload()
    assert town.home() == "c3"


def test_cells_nearest_stays_in_the_region(lab):
    town = Town(lab, cells={"region": "eu", "assign": [{"nearest": "region"}], "members": {
        "c1": {"region": "us"}, "c2": {"region": "eu"}, "c3": {"region": "eu"}}})
    assert {town.home(f"t{i}") for i in range(20)} == {"c2", "c3"}


def test_cells_without_a_tenant_hash_the_address(lab):
    town = Town(lab)
    homes = {town.client.get("/").body for _ in range(5)}
    assert len(homes) == 1


# ---- The tag.

def test_cells_tag_is_stripped_where_nobody_is_trusted(lab):
    town = Town(lab)
    home = town.home()
    other = next(name for name in town.origins if name != home)
    assert town.home(X_Weir_Cell=other) == home
    town.rejected("untrusted")


def test_cells_any_tag_of_a_trusted_peer_goes_home(lab):
    town = Town(lab, tag={"trust": "any"})
    for name in town.origins:
        assert town.home(X_Weir_Cell=name) == name
    assert town.home(X_Weir_Cell="nowhere") == town.home()
    town.rejected("unknown_cell")
    town.rejected("too_long", 0)
    town.home(X_Weir_Cell="c" * 257)
    town.rejected("too_long")


def test_cells_any_tag_of_a_stranger_is_not_believed(lab):
    town = Town(lab, tag={"trust": "any"}, trusted_proxies=["10.0.0.0/8"],
                identity={"tenant": [{"value": "acme"}]})
    home = town.home()
    other = next(name for name in town.origins if name != home)
    assert town.home(X_Weir_Cell=other) == home
    town.rejected("untrusted")


def test_cells_signed_tag_round_trips_and_survives_new_weights(lab):
    town = Town(lab, keys=[KEY_1])
    answer = town.ask()
    home, tag = answer.body.decode(), answer.header("x-weir-cell")
    assert tag.startswith(home + ":0:") and ":k1:" in tag
    assert town.ask(X_Weir_Cell=tag).header("x-weir-cell") == tag
    members = {name: {"weight": 0 if name == home else 100} for name in town.origins}
    town.reload(cells={**town.config["cells"], "members": members})
    assert town.home() != home
    assert town.home(X_Weir_Cell=tag) == home, "who has a tag stays"
    town.gateway.expect_metric(2, "weir_cell_requests_total", home=home, reason="tag")


@pytest.mark.parametrize("change, reason", [
    (lambda tag: tag[:-1] + ("0" if tag[-1] != "0" else "1"), "forged"),
    (lambda tag: ("c2" if tag.startswith("c1") else "c1") + tag[2:], "forged"),
    (lambda tag: tag.replace(":0:", ":7:", 1), "forged"),
    (lambda tag: tag.replace(":k1:", ":k9:"), "unknown_key"),
    (lambda tag: tag.split(":")[0], "malformed"),
    (lambda tag: tag + ":x", "malformed"),
    (lambda tag: "a" * 300, "too_long"),
])
def test_cells_signed_tag_that_was_touched_is_as_good_as_none(lab, change, reason):
    town = Town(lab, keys=[KEY_1])
    tag = town.tag_of()
    answer = town.ask(X_Weir_Cell=change(tag))
    assert answer.status == 200
    assert answer.header("x-weir-cell").split(":")[0] == tag.split(":")[0]
    town.rejected(reason)


def test_cells_another_tenants_tag_is_refused(lab):
    town = Town(lab, keys=[KEY_1], cells={"assign": [{"pins": {"a": "c1", "b": "c2"}}]})
    tag = town.tag_of("a")
    assert town.home("a", X_Weir_Cell=tag) == "c1"
    assert town.home("b", X_Weir_Cell=tag) == "c2"
    town.rejected("forged")


def test_cells_keys_rotate(lab):
    town = Town(lab, keys=[KEY_1])
    old = town.tag_of()
    town.write_keys(KEY_2, KEY_1)
    town.reload()
    assert town.ask(X_Weir_Cell=old).header("x-weir-cell") == old
    new = town.tag_of()
    assert ":k2:" in new
    town.write_keys(KEY_2)
    town.reload()
    assert town.ask(X_Weir_Cell=new).header("x-weir-cell") == new
    assert town.ask(X_Weir_Cell=old).header("x-weir-cell") != old
    town.rejected("unknown_key")


def test_cells_newer_epoch_of_a_pin_moves_who_holds_an_old_tag(lab):
    def cells(cell, epoch):
        return {"assign": [{"pins": {"acme": cell}, "epoch": epoch}, {"hash": "tenant"}]}

    town = Town(lab, keys=[KEY_1], cells=cells("c1", 1))
    tag = town.tag_of()
    assert tag.startswith("c1:1:")
    town.reload(cells={**town.config["cells"], **cells("c2", 1)})
    assert town.home(X_Weir_Cell=tag) == "c1"
    town.reload(cells={**town.config["cells"], **cells("c2", 2)})
    answer = town.ask(X_Weir_Cell=tag)
    assert answer.body == b"c2" and answer.header("x-weir-cell").startswith("c2:2:")
    town.rejected("stale")


def test_cells_told_twice_in_different_words_is_malformed(lab):
    town = Town(lab, tag={"trust": "any"})
    town.client.request("GET", "/", headers=[("X-Tenant", "acme"), ("X-Weir-Cell", "c1"),
                                             ("X-Weir-Cell", "c2")])
    town.rejected("malformed")


def test_cells_cookie_keeps_the_tag(lab):
    town = Town(lab, keys=[KEY_1], tag={"cookie": "cell", "response_header": False, "ttl": "2h"})
    answer = town.ask()
    assert "x-weir-cell" not in answer.headers
    cookie = answer.header("set-cookie")
    assert cookie.startswith("cell=c") and "Max-Age=7200" in cookie and "HttpOnly" in cookie
    pair = cookie.split(";")[0]
    again = town.ask(Cookie="a=b; " + pair)
    assert again.body == answer.body and "set-cookie" not in again.headers
    town.gateway.expect_metric(1, "weir_cell_requests_total", reason="tag")


def test_cells_tag_over_http2(lab):
    town = Town(lab, keys=[KEY_1])
    client = lab.h2_client(town.gateway)
    answer = client.request(headers=[("x-tenant", "acme")])
    tag = answer.headers.get("x-weir-cell")
    assert answer.status == 200 and ":k1:" in tag
    again = client.request(headers=[("x-tenant", "acme"), ("x-weir-cell", tag)])
    assert again.headers.get("x-weir-cell") == tag


# ---- Hops.

def tenant_of(town, cell):
    return next(f"t{i}" for i in range(1000) if town.home(f"t{i}") == cell)


def test_cells_hop_when_home_is_dead_and_return_when_it_lives(lab):
    town = Town(lab, clusters={"pool": {"max_idle": 0}})
    tenant = tenant_of(town, "c1")
    port = town.origins["c1"].port
    town.origins["c1"].close()
    answer = town.ask(tenant)
    assert answer.status == 200 and answer.body in (b"c2", b"c3")
    assert answer.header("x-weir-cell") == "c1"
    assert answer.header("x-weir-cell-served") == answer.body.decode()
    town.gateway.expect_metric(1, "weir_cell_hops_total")
    town.gateway.expect_metric(1, "weir_cell_requests_total", home="c1",
                               served=answer.body.decode(), reason="connect_failure")
    served = f'"cell":"c1","cell_served":"{answer.body.decode()}"'
    eventually(lambda: any(served in line for line in town.gateway.log_lines()), "the log line")
    lab.serving(echo_name(b"c1"), port=port)
    assert town.home(tenant) == "c1"


def test_cells_hop_when_the_breaker_at_home_is_open(lab):
    breaker = {"minimum_requests": 5, "failure_rate_threshold": "50%", "open_duration": "1m"}
    town = Town(lab, clusters={"circuit_breaker": breaker},
                route={"retry": {"num_retries": 0}})
    tenant = tenant_of(town, "c1")
    bad = lab.serving(lambda _, connection: connection.answer(500))
    town.reload(clusters={**town.config["clusters"],
                          "app-c1": {**endpoints(bad), "circuit_breaker": breaker}})
    eventually(lambda: town.ask(tenant).status == 200, "the breaker opens")
    answer = town.ask(tenant)
    assert answer.body in (b"c2", b"c3") and answer.header("x-weir-cell") == "c1"
    assert town.gateway.metric("weir_cell_requests_total", home="c1", served=answer.body.decode(),
                               reason="circuit_open") >= 1
    refusal.assert_refused(town.ask(tenant, method="POST"), "circuit_open")


def test_cells_unsafe_methods_do_not_hop(lab):
    town = Town(lab, route={"retry": {"num_retries": 0}})
    tenant = tenant_of(town, "c1")
    town.origins["c1"].close()
    answer = town.ask(tenant, method="POST")
    assert answer.status == 502
    assert answer.header("x-weir-cell") == "c1"


@pytest.mark.parametrize("settings, method, status", [
    ({"hop": "always"}, "POST", 200), ({"hop": "never"}, "GET", 503),
    ({"fallback": "strict"}, "GET", 503), ({"hop": "safe_methods"}, "POST", 503)])
def test_cells_route_says_whether_it_hops(lab, settings, method, status):
    town = Town(lab, route={"cells": settings})
    tenant = tenant_of(town, "c1")
    town.reload(clusters={**town.config["clusters"],
                          "app-c1": {**town.config["clusters"]["app-c1"], "state": "drain"}})
    answer = town.ask(tenant, method=method)
    assert answer.status == status
    if status == 503:
        refusal.assert_refused(answer, "cell_unavailable")


def test_cells_hop_goes_to_the_region_first_then_to_the_roomiest(lab):
    town = Town(lab, cells={"members": {
        "c1": {"region": "eu", "state": "drained"}, "c2": {"region": "us", "capacity": 1000},
        "c3": {"region": "eu", "capacity": 10}}, "assign": [{"hash": "tenant"}]},
        tag={"trust": "any"})
    assert town.home(X_Weir_Cell="c1") == "c3"
    town.reload(cells={**town.config["cells"], "members": {
        "c1": {"state": "drained"}, "c2": {"capacity": 1000}, "c3": {"capacity": 10}}})
    assert town.home(X_Weir_Cell="c1") == "c2"
    town.reload(cells={**town.config["cells"], "members": {
        "c1": {"state": "drained"}, "c2": {"capacity": 1000, "weight": 0}, "c3": {"capacity": 10}}})
    assert town.home(X_Weir_Cell="c1") == "c3", "a weight of 0 takes no guests"


def test_cells_overload_sheds_and_does_not_spread(lab):
    town = Town(lab, tag={"trust": "any"}, clusters={"resource_limits": {"max_requests": 1}})
    slow = lab.origin()
    clusters = dict(town.config["clusters"])
    clusters["app-c1"] = {**endpoints(slow), "resource_limits": {"max_requests": 1}}
    town.reload(clusters=clusters)
    first = lab.client(town.gateway)
    first.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Weir-Cell: c1\r\n\r\n")
    held = slow.accept()
    held.read_request()
    answer = town.ask(X_Weir_Cell="c1")
    refusal.assert_refused(answer, "cluster_requests_full")
    held.answer(200, b"late")
    assert first.read_response().body == b"late"


# ---- States.

@pytest.mark.parametrize("state, tagged, fresh", [
    ("draining", "c1", False), ("drained", None, False), ("fenced", "c1", True),
    ("isolated", "c1", True)])
def test_cells_states(lab, state, tagged, fresh):
    town = Town(lab, tag={"trust": "any"}, cells={"members": {"c1": {"state": state}}})
    served = town.home(X_Weir_Cell="c1")
    assert served == tagged if tagged else served in ("c2", "c3")
    homes = {town.home(f"t{i}") for i in range(30)}
    assert ("c1" in homes) == fresh
    cells = town.gateway.admin_json("/cells")["cells"]
    assert next(cell for cell in cells if cell["name"] == "c1")["state"] == state


@pytest.mark.parametrize("state", ["draining", "drained", "fenced", "isolated"])
def test_cells_that_are_not_active_take_no_hops(lab, state):
    town = Town(lab, tag={"trust": "any"}, cells={"members": {
        "c1": {"state": "drained"}, "c2": {"state": state}}})
    assert {town.home(X_Weir_Cell="c1") for _ in range(5)} == {"c3"}


def test_cells_isolated_does_not_hop_out(lab):
    town = Town(lab, tag={"trust": "any"}, cells={"members": {"c1": {"state": "isolated"}}})
    clusters = dict(town.config["clusters"])
    clusters["app-c1"] = {**clusters["app-c1"], "state": "maint"}
    town.reload(clusters=clusters)
    refusal.assert_refused(town.ask(X_Weir_Cell="c1"), "cell_unavailable")


# ---- Two weirs.

def inner_weir(lab, self_name, origin, members=("c1", "c2"), cells=None, **top):
    return lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}}, "trusted_proxies": LOCAL,
        "identity": TENANT,
        "cells": {"self": self_name, "tag": {"trust": "any"},
                  "members": {name: {} for name in members}, **(cells or {})},
        "clusters": {"app": endpoints(origin)},
        "routes": [{"name": "all", "target": {"cluster": "app"}}], **top})


def door(lab, inner, **cells):
    members = {name: {} for name in inner}
    return lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}}, "trusted_proxies": LOCAL,
        "identity": TENANT,
        "cells": {"tag": {"trust": "any"}, "members": members, **cells},
        "clusters": {"app-" + name: {"peer": "weir", **endpoints("%s:%d" % gateway.address())}
                     for name, gateway in inner.items()},
        "routes": [{"name": "all", "target": {"cluster": "app-{cell}"}}]})


def test_cells_tag_and_hop_through_two_weirs(lab):
    origins = {name: lab.serving(echo_name(name.encode())) for name in ("c1", "c2")}
    inner = {name: inner_weir(lab, name, origin) for name, origin in origins.items()}
    front = door(lab, inner)
    client = lab.client(front)
    for name in origins:
        answer = client.get("/", headers={"X-Weir-Cell": name})
        assert answer.body == name.encode() and answer.header("x-weir-cell") == name
        assert "x-weir-cell-served" not in answer.headers
        found = origins[name].next_request()
        assert found.headers.get("x-weir-cell") == name
        for hidden in ("x-weir-cell-path", "x-weir-cell-hops"):
            assert hidden not in found.headers, "stripped before applications"
    code, _, stderr = front.reload({**front.config, "cells": {
        **front.config["cells"], "members": {"c1": {"state": "drained"}, "c2": {}}}})
    assert code == 0, stderr
    answer = client.get("/", headers={"X-Weir-Cell": "c1"})
    assert answer.body == b"c2" and answer.header("x-weir-cell") == "c1"
    assert answer.header("x-weir-cell-served") == "c2"
    assert origins["c2"].next_request().headers.get("x-weir-cell") == "c1", "home is home"
    inner["c2"].expect_metric(1, "weir_cell_requests_total", home="c1", served="c2",
                              reason="guest")


def test_cells_guests_over_capacity_are_refused_and_not_retried(lab):
    origins = {name: lab.serving(echo_name(name.encode())) for name in ("c1", "c2")}
    inner = {name: inner_weir(lab, name, origin,
                              cells={"members": {"c1": {}, "c2": {"guest_capacity": 0}}})
             for name, origin in origins.items()}
    front = door(lab, inner)
    client = lab.client(front)
    code, _, stderr = front.reload({**front.config, "cells": {
        **front.config["cells"], "members": {"c1": {"state": "drained"}, "c2": {}}}})
    assert code == 0, stderr
    answer = client.get("/", headers={"X-Weir-Cell": "c1"})
    refusal.assert_refused(answer, "guest_capacity_exceeded")
    assert answer.header("retry-after") == "1"
    inner["c2"].expect_metric(1, "weir_cell_guests_refused_total")
    front.expect_metric(0, "weir_cluster_retries_total", cluster="app-c2")
    assert client.get("/", headers={"X-Weir-Cell": "c2"}).body == b"c2", "its own are served"


@pytest.mark.parametrize("workers", [1, 2])
def test_cells_guest_capacity_is_exact(lab, workers):
    origin = lab.origin()
    weir = inner_weir(lab, "c1", origin, workers=workers,
                      cells={"members": {"c1": {"capacity": 20, "guest_capacity": "15%"},
                                         "c2": {}}})
    held = []
    for _ in range(3):
        client = lab.client(weir)
        client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Weir-Cell: c2\r\n\r\n")
        connection = origin.accept()
        connection.read_request()
        held.append((client, connection))
    for _ in range(4):
        answer = lab.client(weir).get("/", headers={"X-Weir-Cell": "c2"})
        refusal.assert_refused(answer, "guest_capacity_exceeded")
    weir.expect_metric(3, "weir_cell_guests")
    for client, connection in held:
        connection.answer(200, b"guest")
        assert client.read_response().body == b"guest"
    weir.expect_metric(0, "weir_cell_guests")


def test_cells_loop_is_508_with_the_path(lab):
    origin = lab.serving()
    weir = inner_weir(lab, "c1", origin)
    answer = lab.client(weir).get("/", headers={"X-Weir-Cell-Path": "c2,c1",
                                                "X-Weir-Cell-Hops": "1"})
    refusal.assert_refused(answer, "cell_loop")
    assert b"by c2,c1,c1" in answer.body
    assert origin.count() == 0


def test_cells_loop_of_two_weirs_ends(lab):
    """c1 believes that c2's service is at c2, which believes that it is at c1."""
    first = inner_weir(lab, "c1", "127.0.0.1:1")
    second = door(lab, {"c1": first, "c2": first})
    code, _, stderr = second.reload({**second.config, "cells": {**second.config["cells"],
                                                                "self": "c2"}})
    assert code == 0, stderr
    config = {**first.config, "clusters": {"app": {
        "peer": "weir", **endpoints("%s:%d" % second.address())}}}
    code, _, stderr = first.reload(config)
    assert code == 0, stderr
    answer = lab.client(first).get("/", headers={"X-Weir-Cell": "c1"})
    assert answer.status == 508 and b"cell_loop" in answer.body


def test_cells_hop_headers_of_strangers_are_not_believed(lab):
    origin = lab.serving()
    weir = inner_weir(lab, "c1", origin, trusted_proxies=["10.0.0.0/8"])
    answer = lab.client(weir).get("/", headers={"X-Weir-Cell-Path": "c1", "X-Weir-Cell-Hops": "1"})
    assert answer.status == 200
    found = origin.next_request()
    assert "x-weir-cell-path" not in found.headers and "x-weir-cell-hops" not in found.headers


def test_cells_inside_a_cell_untagged_requests_live_there(lab):
    origin = lab.serving()
    weir = inner_weir(lab, "c2", origin)
    assert lab.client(weir).get("/").header("x-weir-cell") == "c2"
    weir.expect_metric(1, "weir_cell_requests_total", home="c2", served="c2", reason="self")


# ---- The others.

def test_cells_are_a_key_of_limits(lab):
    town = Town(lab, tag={"trust": "any"},
                limits=[{"name": "cell", "key": ["cell"], "requests": {"rate": "1/h", "burst": 1}}])
    assert [town.ask(X_Weir_Cell=cell).status for cell in ("c1", "c2", "c1", "c2", "c3")] == [
        200, 200, 429, 429, 200]


def test_cells_keep_their_tag_through_reloads_under_way(lab):
    origin = lab.origin()
    town = Town(lab, tag={"trust": "any"})
    clusters = {**town.config["clusters"], "app-c1": endpoints(origin)}
    town.reload(clusters=clusters)
    client = lab.client(town.gateway)
    client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Weir-Cell: c1\r\n\r\n")
    connection = origin.accept()
    connection.read_request()
    config = dict(town.config)
    config.pop("cells")
    config["routes"] = [{"name": "all", "target": {"cluster": "app-c2"}}]
    code, _, stderr = town.gateway.reload(config)
    assert code == 0, stderr
    connection.answer(200, b"late")
    answer = client.read_response()
    assert answer.body == b"late" and answer.header("x-weir-cell") == "c1"


def minted(cell, tenant, expires, epoch=0):
    """A tag as another implementation would sign it."""
    text = f"weir-cell-1 {len(cell)}:{cell}{len(tenant)}:{tenant}{epoch}:{expires}"
    mac = hmac.new(bytes.fromhex(KEY_1.split()[1]), text.encode(), "sha256").hexdigest()
    return f"{cell}:{epoch}:{expires}:k1:{mac[:32]}"


def test_cells_signed_tags_expire_and_are_renewed_before(lab):
    town = Town(lab, keys=[KEY_1], tag={"ttl": "2h"}, cells={"assign": [{"pins": {"acme": "c1"}}]})
    now = int(time.time())
    assert town.home(X_Weir_Cell=minted("c2", "acme", now - 10)) == "c1"
    town.rejected("expired")
    young = minted("c2", "acme", now + 7000)
    answer = town.ask(X_Weir_Cell=young)
    assert answer.body == b"c2" and answer.header("x-weir-cell") == young
    answer = town.ask(X_Weir_Cell=minted("c2", "acme", now + 600))
    cell, _, expires, _, _ = answer.header("x-weir-cell").split(":")
    assert answer.body == b"c2" and cell == "c2" and int(expires) >= now + 7200
    assert town.home(X_Weir_Cell=minted("c9", "acme", now + 7000)) == "c1"
    town.rejected("unknown_cell")


def test_cells_are_explained(lab):
    town = Town(lab, cells={"assign": [{"pins": {"acme": "c2"}}, {"hash": "tenant"}],
                            "members": {"c3": {"state": "draining"}}})
    code, out, stderr = run_cli("explain", "-c", town.gateway.file, "GET", "http://a.test/",
                                "-H", "x-tenant: acme")
    assert code == 0, stderr
    assert "cell: c2 by pins (tenant acme)\n  pins: c2\n" in out
    assert "  c3: draining, weight 100, cluster app-c3\n" in out
    _, out, _ = run_cli("explain", "-c", town.gateway.file, "GET", "http://a.test/",
                        "-H", "x-tenant: t0", "-H", "x-weir-cell: c1")
    assert "by hash (tenant t0)\n  the tag does not count: untrusted\n  pins: does not know\n" in out
