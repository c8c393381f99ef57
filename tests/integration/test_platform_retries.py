# SPDX-License-Identifier: Apache-2.0
"""Retries among many: what tiers tell each other, who is not asked again, which answer is kept, and
what is told of the attempts."""
import pytest
from support.lab import config_for, endpoints, merge
from support.message import request
from support.refusal import assert_refused

FAST = {"backoff": {"base": "1ms", "max": "1ms"}}


def retrying(lab, *origins, **top):
    gateway = lab.gateway(config_for(*origins, route={"retry": FAST}, **top))
    return lab.client(gateway), gateway


def grouped(lab, *clusters, **top):
    """A group of clusters a, b, ... in this order."""
    names = "abcdef"[:len(clusters)]
    config = {
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {name: endpoints(each) for name, each in zip(names, clusters)},
        "failover_groups": {"all": {"members": [
            {"cluster": name, "priority": place, "capacity": 100}
            for place, name in enumerate(names)]}},
        "routes": [{"name": "all", "target": {"failover_group": "all"}, "retry": FAST}],
    }
    gateway = lab.gateway(merge(config, top))
    return lab.client(gateway), gateway


def scripted(lab, *answers, **rest):
    """An origin that gives these (status, body, headers) in turn, and the last one for ever; None
    closes the connection instead."""
    left = list(answers)

    def answer(_, connection):
        now = left.pop(0) if len(left) > 1 else left[0]
        if now is None:
            connection.close()
        else:
            status, body, headers = now
            connection.answer(status, body, headers=headers)
    return lab.serving(answer, **rest)


def attempts_seen(origin):
    return [found.header("x-weir-attempt") for found in origin.seen]


# ---- Attempts between weirs.
def test_retries_tell_the_origin_which_try_it_is(lab):
    origin = scripted(lab, (503, b"no", {}), (503, b"no", {}), (200, b"yes", {}))
    client, _ = retrying(lab, origin)
    assert client.get().status == 200
    assert attempts_seen(origin) == [None, "2", "3"]


def test_retries_of_a_request_that_is_a_retry_are_the_first_tiers_business(lab):
    origin = scripted(lab, (503, b"no", {}))
    client, _ = retrying(lab, origin, trusted_proxies=["127.0.0.0/8"])
    assert client.get(headers={"X-Weir-Attempt": "2"}).status == 503
    assert attempts_seen(origin) == ["2"]


def test_retries_of_what_was_never_sent_are_every_tiers_business(lab):
    origin = scripted(lab, (200, b"yes", {}))
    client, _ = retrying(lab, "127.0.0.1:1", origin, trusted_proxies=["127.0.0.0/8"])
    for _ in range(10):
        assert client.get(headers={"X-Weir-Attempt": "2"}).status == 200


def test_retries_a_strangers_attempt_header_is_dropped(lab):
    origin = scripted(lab, (503, b"no", {}), (200, b"yes", {}))
    client, _ = retrying(lab, origin)
    assert client.get(headers={"X-Weir-Attempt": "7"}).status == 200
    assert attempts_seen(origin) == [None, "2"]


@pytest.mark.parametrize("value", ["", "x", "-1", "1", "99999999999999"])
def test_retries_a_senseless_attempt_header_is_dropped(lab, value):
    origin = scripted(lab, (200, b"yes", {}))
    client, _ = retrying(lab, origin, trusted_proxies=["127.0.0.0/8"])
    assert client.get(headers={"X-Weir-Attempt": value}).status == 200
    assert attempts_seen(origin) == [None]


def test_retries_of_two_tiers_do_not_multiply(lab):
    origin = scripted(lab, (503, b"no", {}))
    inner = lab.gateway(config_for(origin, route={"retry": FAST}, trusted_proxies=["127.0.0.0/8"]))
    client, _ = retrying(lab, "{}:{}".format(*inner.address()[:2]))
    assert client.get().status == 503
    # Inside once with its retries; then each retry of the outer one is tried once.
    assert len(origin.seen) <= 3 + 2


# ---- Who is not asked again.
def test_retries_respect_retry_after(lab):
    origin = scripted(lab, (503, b"busy", {"Retry-After": "5"}))
    client, _ = retrying(lab, origin)
    answer = client.get()
    assert (answer.status, answer.body) == (503, b"busy")
    assert len(origin.seen) == 1


def test_retries_a_retry_after_of_nothing_is_none(lab):
    origin = scripted(lab, (503, b"busy", {"Retry-After": "0"}), (200, b"yes", {}))
    assert retrying(lab, origin)[0].get().status == 200


def test_retries_another_weirs_refusal_is_final(lab):
    inner = lab.gateway(config_for("127.0.0.1:1", cluster={"state": "drain"}))
    client, gateway = retrying(lab, "{}:{}".format(*inner.address()[:2]))
    assert client.get().status == 503
    assert gateway.metric("weir_cluster_attempts_total", cluster="app") == 1


def test_retries_hop_where_the_same_cluster_would_not_be_asked(lab):
    busy = scripted(lab, (503, b"busy", {"Retry-After": "5"}))
    client, _ = grouped(lab, busy, scripted(lab, (200, b"b", {})))
    assert client.get().body == b"b"
    assert len(busy.seen) == 1


# ---- The best answer.
def test_retries_give_the_origins_answer_when_nothing_better_comes(lab):
    headers = {"X-Why": "maintenance", "Content-Type": "text/html"}
    origin = scripted(lab, (503, b"sorry", headers), None)
    client, _ = retrying(lab, origin)
    answer = client.get()
    assert (answer.status, answer.body) == (503, b"sorry")
    assert answer.header("x-why") == "maintenance"
    assert len(origin.seen) == 3
    assert client.get().status == 502  # and the connection goes on


def test_retries_give_it_over_clusters_too(lab):
    client, gateway = grouped(lab, scripted(lab, (503, b"sorry", {})), "127.0.0.1:1")
    assert client.get().body == b"sorry"
    line = gateway.log(1)[0]
    assert (line["status"], line["upstream_status"]) == (503, 503)


def test_retries_a_kept_answer_in_chunks(lab):
    origin = scripted(lab, None)

    def answer(_, connection):
        connection.send(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsorry\r\n0\r\n\r\n")
        origin.stop_listening()
        connection.close()
    origin.handler = answer
    client, _ = retrying(lab, origin)
    answer = client.get()
    assert (answer.status, answer.body) == (503, b"sorry")


def test_retries_do_not_wait_for_a_long_answer(lab):
    long = b"x" * 100_000
    origin = scripted(lab, (503, long, {}), (200, b"yes", {}))
    assert retrying(lab, origin)[0].get().body == b"yes"


def test_retries_do_not_wait_for_a_slow_answer(lab):
    client, origin, _ = lab.pair(route={"retry": FAST})
    client.send(request())
    first = origin.accept()
    first.expect()
    first.send(b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nso")
    origin.serve_one(200, b"yes")
    assert client.read_response().body == b"yes"


def test_retries_that_are_over_budget_give_the_answer_they_have(lab):
    budget = {"retry": {**FAST, "budget": {"percent": "0%", "min": 0}}}
    origin = scripted(lab, (503, b"sorry", {}))
    client = lab.client(lab.gateway(config_for(origin, route=budget)))
    assert client.get().body == b"sorry"
    assert len(origin.seen) == 1


def test_retries_an_answer_that_breaks_off_is_retried(lab):
    client, origin, _ = lab.pair(route={"retry": FAST})
    client.send(request())
    first = origin.accept()
    first.expect()
    first.send(b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nso")
    first.close()
    origin.serve_one(200, b"yes")
    assert client.read_response().body == b"yes"


# ---- What is told.
def test_retries_are_listed_in_the_log(lab):
    bad = scripted(lab, (503, b"no", {}))
    good = scripted(lab, (200, b"yes", {}))
    client, gateway = grouped(lab, "127.0.0.1:1", bad, good)
    assert client.get().status == 200
    line = gateway.log(1)[0]
    assert line["attempts"] == 3
    assert line["tries"] == (f"a/127.0.0.1:1=connect_refused, b/{bad.address}=503, "
                             f"c/{good.address}=200")


def test_retries_are_not_listed_where_there_were_none(lab):
    client, gateway = retrying(lab, scripted(lab, (200, b"yes", {})))
    client.get()
    assert "tries" not in gateway.log(1)[0] or not gateway.log(1)[0]["tries"]


def test_retries_are_listed_in_proxy_status_of_weirs_own_answer(lab):
    client, _ = grouped(lab, "127.0.0.1:1", "127.0.0.1:2")
    answer = client.get()
    assert_refused(answer, "connect_refused")
    assert "a/127.0.0.1:1=connect_refused" in answer.header("proxy-status")


def test_retries_are_listed_in_proxy_status_of_an_origins_refusal(lab):
    bad = scripted(lab, (503, b"no", {}))
    client, _ = grouped(lab, "127.0.0.1:1", bad)
    answer = client.get()
    assert answer.status == 503
    told = answer.header("proxy-status")
    assert told.startswith("weir; received-status=503")
    assert "a/127.0.0.1:1=connect_refused" in told
    assert "error=" not in told
