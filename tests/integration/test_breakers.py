# SPDX-License-Identifier: Apache-2.0
"""Circuit breakers: what trips them, what they answer meanwhile, and how they close again."""
import pytest
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused, proxy_status
from support.waiting import eventually

QUICK = {"minimum_requests": 10, "open_duration": "500ms", "half_open_requests": 3,
         "throttle_threshold": "0%"}
NO_RETRY = {"retry": {"num_retries": 0}}


class Fickle:
    """Answers with a status that a test may change."""

    def __init__(self, status=503):
        self.status = status
        self.headers = {}

    def __call__(self, found, connection):
        connection.answer(self.status, b"by the origin", headers=self.headers)


def config(origin, breaker, route=None, **top):
    return config_for(origin, cluster={"circuit_breaker": {**QUICK, **breaker}},
                      route={**NO_RETRY, **(route or {})}, **top)


def breaking(lab, handler, breaker=None, **rest):
    origin = lab.serving(handler)
    gateway = lab.gateway(config(origin, breaker or {}, **rest))
    return origin, gateway, lab.client(gateway)


def state(gateway):
    return gateway.admin_json("/breakers")["breakers"][0]["breakers"][0]["state"]


def trip(client, n=10, status=503, **rest):
    for _ in range(n):
        assert client.get(**rest).status == status


def test_breaker_opens_and_then_the_origin_is_left_alone(lab):
    fickle = Fickle()
    origin, gateway, client = breaking(lab, fickle)
    trip(client)
    for _ in range(5):
        answer = client.get()
        assert_refused(answer, "circuit_open")
        assert answer.headers.get("retry-after") == "1"
        assert b"cluster app" in answer.body
    assert origin.count() == 10
    assert state(gateway) == "open"
    assert gateway.metric("weir_breaker_state", cluster="app", state="open") == 1
    eventually(lambda: 'circuit breaker' in gateway.stderr_text(), "the log tells")
    assert "failures=10" in gateway.stderr_text()


def test_breaker_closes_by_itself_when_probes_succeed(lab):
    fickle = Fickle()
    _, gateway, client = breaking(lab, fickle)
    trip(client)
    fickle.status = 200
    eventually(lambda: client.get().status == 200, "a probe gets through")
    eventually(lambda: client.get() is not None and state(gateway) == "closed", "it closes")
    assert all(client.get().status == 200 for _ in range(20))


def test_breaker_stays_open_while_probes_fail(lab):
    fickle = Fickle()
    origin, gateway, client = breaking(lab, fickle)
    trip(client)
    eventually(lambda: client.get() is not None and origin.count() > 10 and state(gateway) == "open",
               "probes get through, and it opens again")
    assert origin.count() <= 13


@pytest.mark.parametrize("status", [200, 400, 404, 429, 501])
def test_breaker_does_not_count_what_is_not_the_origins_failure(lab, status):
    _, gateway, client = breaking(lab, Fickle(status))
    trip(client, 40, status)
    assert state(gateway) == "closed"


def test_breaker_does_not_count_refusals_of_another_weir(lab):
    fickle = Fickle(503)
    fickle.headers = {"Proxy-Status": 'weir; error=http_request_denied; details="rate_limited"'}
    _, gateway, client = breaking(lab, fickle)
    trip(client, 40)
    assert state(gateway) == "closed"


def test_breaker_counts_connections_that_fail(lab):
    origin = lab.origin()
    address = origin.address
    origin.close()
    gateway = lab.gateway(config_for(address, cluster={"circuit_breaker": QUICK}, route=NO_RETRY))
    client = lab.client(gateway)
    trip(client, 10, 502)
    assert_refused(client.get(), "circuit_open")


def cut_short(found, connection):
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    connection.close()


def test_breaker_counts_an_answer_that_breaks_off_once(lab):
    origin = lab.serving(cut_short)
    gateway = lab.gateway(config(origin, {"failure_rate_threshold": "90%",
                                          "minimum_requests": 10}))
    for _ in range(9):
        lab.client(gateway).send(request())
    origin.wait_for(9)
    assert state(gateway) == "closed"
    lab.client(gateway).send(request())
    eventually(lambda: state(gateway) == "open", "ten of ten failed")
    eventually(lambda: "failures=10" in gateway.stderr_text(), "the log tells on what")


def test_breaker_counts_a_failure_that_breaks_off_once(lab):
    def handler(found, connection):
        if found.target == "/well":
            return connection.answer(200, b"")
        connection.send(b"HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\nhalf")
        connection.close()
    origin = lab.serving(handler)
    gateway = lab.gateway(config(origin, {"failure_rate_threshold": "60%",
                                          "minimum_requests": 12}))
    client = lab.client(gateway)
    trip(client, 6, 200, target="/well")
    for _ in range(6):
        lab.client(gateway).send(request())
    origin.wait_for(12)
    trip(client, 6, 200, target="/well")
    assert state(gateway) == "closed"


def test_breaker_does_not_count_answers_over_the_routes_own_limit(lab):
    def handler(found, connection):
        connection.answer(200, b"x" * (5000 if found.target == "/big" else 5))
    _, gateway, client = breaking(lab, handler, {"minimum_requests": 10},
                                  route={"limits": {"max_response_bytes": 1000}})
    assert {client.get("/big").status for _ in range(20)} == {502}
    assert {client.get("/small").status for _ in range(5)} == {200}
    assert state(gateway) == "closed"


def test_breaker_of_one_function_leaves_the_others_alone(lab):
    def handler(found, connection):
        connection.answer(503 if found.target.startswith("/bad") else 200)
    origin = lab.serving(handler)
    gateway = lab.gateway(config(origin, {}, identity={
        "function": [{"path_regex": "^/([^/]+)"}]}))
    client = lab.client(gateway)
    for _ in range(10):
        client.get("/bad/x")
    refused = client.get("/bad/x")
    assert_refused(refused, "circuit_open")
    assert b"function in cluster app" in refused.body
    for _ in range(20):
        assert client.get("/good/x").status == 200
    rows = gateway.admin_json("/breakers")["breakers"][0]["breakers"]
    assert [(r.get("function"), r["state"]) for r in rows] == [(None, "closed"), ("bad", "open")]


def test_breaker_fallback_to_an_answer(lab):
    _, _, client = breaking(lab, Fickle(), {
        "fallback": {"direct": {"status": 200, "body": "later"}}})
    trip(client)
    answer = client.get()
    assert answer.status == 200 and answer.body == b"later"
    assert "circuit_open" in proxy_status(answer)[1]["details"]


def test_breaker_fallback_that_refuses_says_when_to_come_again_and_is_logged(lab):
    _, gateway, client = breaking(lab, Fickle(), {
        "fallback": {"direct": {"status": 503, "body": "later"}}})
    trip(client)
    answer = client.get()
    assert (answer.status, answer.body) == (503, b"later")
    assert int(answer.header("retry-after")) >= 1
    assert gateway.log(11)[-1]["reason"] == "circuit_open"


def test_breaker_fallback_to_a_cluster(lab):
    spare = lab.serving()
    whole = config(lab.serving(Fickle()), {"fallback": {"cluster": "spare"}})
    whole["clusters"]["spare"] = {"endpoints": [{"address": spare.address}]}
    client = lab.client(lab.gateway(whole))
    trip(client)
    assert client.get().status == 200
    assert spare.count() == 1


def test_breaker_keeps_its_state_through_a_reload(lab):
    origin, gateway, client = breaking(lab, Fickle(), {"open_duration": "1m"})
    trip(client)
    changed = config(origin, {"open_duration": "1m"}, route={"timeout": "30s"})
    gateway.reload(changed)
    assert_refused(client.get(), "circuit_open")
    del changed["clusters"]["app"]["circuit_breaker"]
    gateway.reload(changed)
    assert client.get().status == 503
    assert client.get().body == b"by the origin"


def test_breaker_goes_by_a_reload_while_a_request_is_in_flight(lab):
    origin = lab.origin()
    gateway = lab.gateway(config(origin, {}))
    client = lab.client(gateway)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    gateway.reload(config_for(origin, route=NO_RETRY))
    connection.answer(503)
    assert client.read_response().status == 503


def test_breaker_throttles_at_random_before_it_opens(lab):
    turn = iter(range(100_000))

    def handler(_, connection):
        connection.answer(503 if next(turn) % 5 < 2 else 200)
    origin = lab.serving(handler)
    gateway = lab.gateway(config(origin, {"throttle_threshold": "20%", "minimum_requests": 50,
                                          "failure_rate_threshold": "90%"}))
    client = lab.client(gateway)
    for _ in range(400):
        client.get()
    assert 100 < origin.count() < 390
    assert state(gateway) == "closed"
    row = gateway.admin_json("/breakers")["breakers"][0]["breakers"][0]
    assert row["window"]["refused"] == 400 - origin.count()


def test_breaker_is_one_for_all_workers(lab):
    origin = lab.serving(Fickle())
    gateway = lab.gateway(config(origin, {"open_duration": "1m"}, workers=2))
    for _ in range(10):
        lab.client(gateway).get()
    for _ in range(10):
        assert_refused(lab.client(gateway).get(), "circuit_open")
    assert origin.count() == 10
