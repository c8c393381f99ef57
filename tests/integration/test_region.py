# SPDX-License-Identifier: Apache-2.0
"""Region health: what weir tells those who balance by DNS, how slowly it changes its mind, and that
it serves on after it has said no."""
import json
import signal
import time

import pytest
from support.gateway import run_cli
from support.lab import config_for, endpoints
from support.waiting import SLOWNESS, eventually

HEALTH = {"http": {"path": "/health"}, "interval": "100ms", "timeout": "90ms",
          "unhealthy_threshold": 1, "healthy_threshold": 1}
QUICK = {"name": "eu", "unhealthy_after": 0, "healthy_after": 0, "ramp": 0, "ttl": 0}


class Server:
    def __init__(self, lab):
        self.status = 200
        self.address = lab.serving(
            lambda found, connection: connection.answer(
                self.status if found.target == "/health" else 200, b"ok")).address


def checked(*servers):
    return {**endpoints(*servers), "health_check": HEALTH}


def region_of(gateway):
    answer = gateway.admin("/region/health", tcp=True)
    page = json.loads(answer.body)
    assert answer.status == (200 if page["in_answer"] else 503), page
    assert (page["weight"] > 0) == page["in_answer"]
    return page


def wait_for(gateway, phase):
    return eventually(lambda: region_of(gateway)["phase"] == phase and region_of(gateway),
                      f"the region is {phase}")


def test_region_is_in_the_answer_while_it_serves(lab):
    gateway = lab.relay(lab.serving(), region={"name": "eu", "ttl": 0})
    page = region_of(gateway)
    assert (page["region"], page["in_answer"], page["weight"]) == ("eu", True, 100)
    assert (page["phase"], page["reason"], page["targets"]) == ("in", "all is well", 1)
    assert gateway.metric("weir_region_in_answer", region="eu") == 1
    assert gateway.metric("weir_region_weight", region="eu") == 100


def test_region_is_no_page_without_one(lab):
    gateway = lab.relay(lab.serving())
    assert gateway.admin("/region/health").status == 404
    assert gateway.metric("weir_region_in_answer") == 0


def test_region_leaves_with_a_cluster_it_cannot_do_without_and_says_why(lab):
    server = Server(lab)
    config = config_for(server, cluster={"health_check": HEALTH},
                        region={**QUICK, "clusters": ["app"]})
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    server.status = 500
    page = wait_for(gateway, "out")
    assert page["reason"] == "cluster app: no_healthy_endpoint"
    assert page["clusters"] == [{"name": "app", "kind": "cluster", "required": True,
                                 "served": False, "healthy_percent": 0,
                                 "why": "no_healthy_endpoint"}]
    assert gateway.metric("weir_region_in_answer", region="eu") == 0
    gateway.wait_for_line(lambda line: "region leaves the answer" in line
                          and "no_healthy_endpoint" in line, "that the region leaves")
    server.status = 200
    wait_for(gateway, "in")
    gateway.wait_for_line(lambda line: "region enters the answer" in line, "that it is back")


def test_region_out_of_the_answer_refuses_nobody(lab):
    good, bad = Server(lab), Server(lab)
    config = config_for(good, cluster={"health_check": HEALTH},
                        region={**QUICK, "clusters": ["other"]})
    config["clusters"]["other"] = checked(bad)
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    bad.status = 500
    wait_for(gateway, "out")
    assert lab.client(gateway).get().status == 200
    assert gateway.admin("/readyz").status == 200


def test_region_of_many_clusters_needs_a_share_of_them(lab):
    servers = [Server(lab) for _ in range(4)]
    config = config_for(region={**QUICK, "min_served": "75%"})
    config["clusters"] = {f"c{i}": checked(s) for i, s in enumerate(servers)}
    config["routes"] = [{"name": f"r{i}", "match": {"path": {"prefix": f"/{i}/"}},
                         "target": {"cluster": f"c{i}"}} for i in range(4)]
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    servers[0].status = 500
    page = eventually(lambda: region_of(gateway)["served"] == 3 and region_of(gateway), "3 of 4")
    assert page["in_answer"], page
    servers[1].status = 500
    page = wait_for(gateway, "out")
    assert page["reason"] == "2 of 4 clusters and groups are served, less than 75%"


def test_region_stays_while_new_endpoints_warm_up(lab):
    servers = [Server(lab) for _ in range(6)]
    config = config_for(*servers[:2], cluster={"slow_start": {"window": "60s"}},
                        region={**QUICK, "clusters": ["app"]})
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    more = config_for(*servers, cluster={"slow_start": {"window": "60s"}},
                      region={**QUICK, "clusters": ["app"]})
    gateway.reload({**config, "clusters": more["clusters"]})
    time.sleep(1.2)
    page = region_of(gateway)
    assert (page["phase"], page["clusters"][0]["healthy_percent"]) == ("in", 100), page


def test_region_does_not_miss_what_gets_no_requests(lab):
    good, bad = Server(lab), Server(lab)
    bad.status = 500
    config = config_for(region={**QUICK, "min_served": "100%"})
    config["clusters"] = {"old": checked(good), "new": checked(bad), "next": checked(bad)}
    config["releases"] = {"r": {"default": "old", "rules": [
        {"weight": "0%", "to": "next", "sticky": "none"}]}}
    config["routes"] = [
        {"name": "split", "match": {"path": {"prefix": "/split"}},
         "target": {"weighted": [{"cluster": "old", "weight": 1},
                                 {"cluster": "new", "weight": 0}]}},
        {"name": "rest", "target": {"release": "r"}}]
    gateway = lab.gateway(config)
    page = wait_for(gateway, "in")
    assert (page["targets"], page["served"]) == (1, 1)


def test_region_counts_its_own_members_of_a_group_only(lab):
    here, far = Server(lab), Server(lab)
    config = config_for(region={**QUICK, "failover_groups": ["all"]})
    config["clusters"] = {"here": checked(here), "far": checked(far)}
    config["failover_groups"] = {"all": {"members": [
        {"cluster": "here", "priority": 0, "capacity": 10, "region": "eu"},
        {"cluster": "far", "priority": 1, "capacity": 10, "region": "us"}]}}
    config["routes"] = [{"name": "all", "target": {"failover_group": "all"}}]
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    far.status = 500
    time.sleep(1)
    assert region_of(gateway)["in_answer"], "what is far away is not this region"
    far.status = 200
    here.status = 500
    page = wait_for(gateway, "out")
    assert page["reason"].startswith("failover group all: "), page
    eventually(lambda: lab.client(gateway).get().status == 200, "the far member serves meanwhile")


def test_region_does_not_move_for_a_flap(lab):
    server = Server(lab)
    gateway = lab.gateway(config_for(
        server, cluster={"health_check": HEALTH},
        region={"name": "eu", "clusters": ["app"], "unhealthy_after": "30s", "ttl": 0}))
    wait_for(gateway, "in")
    since = region_of(gateway)["since"]
    for _ in range(2):
        server.status = 500
        assert wait_for(gateway, "failing")["weight"] == 100
        server.status = 200
        wait_for(gateway, "in")
    assert region_of(gateway)["since"] == since


def test_region_comes_back_by_a_ramp(lab):
    server = Server(lab)
    gateway = lab.gateway(config_for(
        server, cluster={"health_check": HEALTH},
        region={**QUICK, "clusters": ["app"], "healthy_after": "700ms", "ramp": "60s"}))
    wait_for(gateway, "in")
    server.status = 500
    wait_for(gateway, "out")
    server.status = 200
    wait_for(gateway, "returning")
    page = wait_for(gateway, "ramping")
    assert 10 <= page["weight"] < 100, page


def test_region_keeps_its_state_over_a_reload(lab):
    server = Server(lab)
    config = config_for(server, cluster={"health_check": HEALTH},
                        region={**QUICK, "clusters": ["app"], "healthy_after": "60s"})
    gateway = lab.gateway(config)
    wait_for(gateway, "in")
    server.status = 500
    wait_for(gateway, "out")
    server.status = 200
    wait_for(gateway, "returning")
    assert gateway.reload({**config, "region": {**config["region"], "ttl": "1s"}})[0] == 0
    # On a busy machine a check may be late. One that knew nothing of before would be in.
    assert region_of(gateway)["phase"] in ("returning", "out")
    del config["region"]
    assert gateway.reload(config)[0] == 0
    assert gateway.admin("/region/health").status == 404


def test_region_is_not_ready_before_its_clusters_are(lab):
    server = Server(lab)
    server.status = 500
    gateway = lab.gateway(config_for(server, cluster={"health_check": HEALTH},
                                     region={**QUICK, "clusters": ["app"]}))
    assert region_of(gateway)["phase"] == "starting"
    server.status = 200
    wait_for(gateway, "in")


def test_region_status_line(lab):
    gateway = lab.relay(lab.serving(), region={"name": "eu", "ttl": 0})
    code, out, _ = run_cli("status", "--admin", "unix:" + gateway.admin_path)
    assert code == 0 and "region eu  in the answers of DNS, weight 100" in out, out


# ---- The end.
def test_region_says_no_first_and_serves_on_for_two_ttls(lab):
    gateway = lab.relay(lab.serving(), region={"name": "eu", "ttl": "1s"})
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    page = wait_for(gateway, "leaving")
    assert (page["reason"], page["weight"]) == ("draining", 0)
    assert 0 < page["ttl_left_ms"] <= 2000
    assert gateway.admin("/readyz").status == 503
    served = 0
    while time.monotonic() - begun < 1.5:
        client = lab.client(gateway)
        assert client.get().status == 200
        client.close()
        served += 1
    assert served > 0
    gateway.check_end()
    assert 2 <= time.monotonic() - begun < 2 + 4 * SLOWNESS


def test_region_told_twice_drains_at_once(lab):
    gateway = lab.relay(lab.serving(), region={"name": "eu", "ttl": "300s"})
    gateway.signal(signal.SIGTERM)
    wait_for(gateway, "leaving")
    gateway.signal(signal.SIGTERM)
    gateway.check_end()


def test_region_that_was_out_for_long_enough_drains_at_once(lab):
    server = Server(lab)
    gateway = lab.gateway(config_for(server, cluster={"health_check": HEALTH},
                                     region={**QUICK, "clusters": ["app"], "ttl": "200ms"}))
    wait_for(gateway, "in")
    server.status = 500
    wait_for(gateway, "out")
    time.sleep(0.5)
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    gateway.check_end()
    assert time.monotonic() - begun < 2 * SLOWNESS


@pytest.mark.parametrize("ttl", ["300s"])
def test_region_drain_verb_says_how_long_it_serves_on(lab, ttl):
    gateway = lab.relay(lab.serving(), region={"name": "eu", "ttl": ttl})
    answer = gateway.admin("/drain", method="POST")
    assert answer.status == 202 and b"600 s more" in answer.body, answer
    assert lab.client(gateway).get().status == 200
    gateway.signal(signal.SIGTERM)
    gateway.check_end()
