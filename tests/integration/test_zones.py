# SPDX-License-Identifier: Apache-2.0
"""Zone-aware choice within a cluster: own zone first, as far as it can take its part."""
from support.lab import merge
from support.origin import echo_name
from support.waiting import eventually


def config(lab, zones, **cluster):
    """An endpoint for each letter of `zones`, named by zone and place."""
    servers = [(zone, lab.serving(echo_name((zone + str(i)).encode())))
               for i, zone in enumerate(zones)]
    return {
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "zone": "a",
        "clusters": {"app": merge({
            "endpoints": [{"address": origin.address, "zone": zone} for zone, origin in servers],
            "load_balancing": {"zone_aware": True}}, cluster)},
        "routes": [{"name": "all", "target": {"cluster": "app"}}]}, dict(zip(
            [zone + str(i) for i, zone in enumerate(zones)], [o for _, o in servers]))


def served(client, n=100):
    return [client.get().body.decode() for _ in range(n)]


def share(client, zone, n=400):
    return sum(name.startswith(zone) for name in served(client, n)) / n


def test_zones_own_zone_serves_what_it_can(lab):
    settings, _ = config(lab, "aabbcc")
    gateway = lab.gateway(settings)
    client = lab.client(gateway)
    assert set(served(client)) == {"a0", "a1"}
    assert gateway.metric("weir_cluster_own_zone_attempts_total", cluster="app") == 100
    assert gateway.metric("weir_cluster_other_zone_attempts_total", cluster="app") == 0


def test_zones_what_is_missing_goes_elsewhere(lab):
    settings, _ = config(lab, "abbbcc", load_balancing={"policy": "round_robin"})
    client = lab.client(lab.gateway(settings))
    # A sixth of the weight for a third of the requests: half of them stay.
    assert 0.4 < share(client, "a") < 0.6
    assert share(client, "c") == 0, "it has its own part, and no more"


def test_zones_follow_health_and_reloads(lab):
    settings, origins = config(lab, "aabbcc", outlier_detection={
        "consecutive_connect_failures": 2, "base_ejection_time": "1m", "min_available": "10%"})
    gateway = lab.gateway(settings)
    client = lab.client(gateway)
    assert share(client, "a", 50) == 1
    origins["a0"].close()
    eventually(lambda: share(client, "b", 20) > 0, "b helps")
    assert 0.45 < share(client, "a") < 0.75
    for change in ({"zone": "b"}, {"zone": "nowhere"}):
        code, _, stderr = gateway.reload({**settings, **change})
        assert code == 0, stderr
        of_b = share(client, "b", 200)
        assert of_b == 1 if change["zone"] == "b" else of_b < 0.7


def test_zones_a_retry_may_go_anywhere(lab):
    settings, origins = config(lab, "ab")
    origins["a0"].close()
    client = lab.client(lab.gateway(settings))
    assert set(served(client, 20)) == {"b1"}


def test_zones_are_left_alone_unless_asked_for(lab):
    settings, _ = config(lab, "abc", load_balancing={"zone_aware": False})
    client = lab.client(lab.gateway(settings))
    assert set(served(client)) == {"a0", "b1", "c2"}
