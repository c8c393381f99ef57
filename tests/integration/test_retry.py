# SPDX-License-Identifier: Apache-2.0
"""Retries: what is sent twice, what never is, and which answer the client gets in the end."""
import pytest
from support.lab import config_for
from support.message import request, response
from support.refusal import assert_refused
from support.waiting import eventually

FAST = {"backoff": {"base": "1ms", "max": "1ms"}}


def retrying(lab, **retry):
    """(client, origin, gateway) with these retry keys and hardly any backoff."""
    return lab.pair(route={"retry": {**FAST, **retry}})


CLOSE = {"Connection": "close"}


def second_try(client, origin, first, method="GET", body=None, **rest):
    """Sends a request, lets the first try end by first(connection), which must close or say so,
    and returns the connection of the second try, with its request in `found`."""
    client.send(request(method, "/x", body=body, **rest))
    connection = origin.accept()
    connection.expect(method, "/x")
    first(connection)
    again = origin.accept()
    again.found = again.expect(method, "/x")
    return again


# ---- What is retried.
def test_retry_connect_failure_goes_to_another_endpoint(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for("127.0.0.1:1", origin, route={"retry": FAST}))
    client = lab.client(gateway)
    for _ in range(20):
        assert client.get().status == 200
    assert gateway.metric("weir_cluster_retries_total", cluster="app") > 0


def test_retry_connect_failure_is_safe_for_every_method(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for("127.0.0.1:1", origin, route={"retry": FAST}))
    client = lab.client(gateway)
    for n in range(20):
        assert client.request("POST", body=str(n)).status == 200
    assert [found.body for found in origin.seen] == [str(n).encode() for n in range(20)]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_retry_reset_before_response_of_idempotent_methods(lab, method, end):
    client, origin, _ = retrying(lab)
    again = second_try(client, origin, lambda c: getattr(c, end)(), method)
    again.answer(204)
    assert client.read_response(method).status == 204


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_retry_never_repeats_other_methods_once_bytes_were_sent(lab, method, end):
    client, origin, gateway = retrying(lab)
    client.send(request(method, body="pay"))
    connection = origin.accept()
    connection.expect(method)
    getattr(connection, end)()
    assert_refused(client.read_response(), "upstream_reset")
    assert gateway.metric("weir_cluster_retries_total", cluster="app") == 0


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_retry_on_a_kept_connection_that_was_closed_repeats_idempotent_methods_only(lab, method):
    client, origin, _ = retrying(lab)
    client.send(request())
    first, _ = origin.serve_one()
    client.read_response()
    client.send(request(method, "/2", body="pay"))
    first.expect(method, "/2")
    first.close()
    if method == "GET":
        origin.serve_one(200, b"again")
        assert client.read_response().body == b"again"
    else:
        assert_refused(client.read_response(), "upstream_reset")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_retry_on_status(lab, status):
    client, origin, gateway = retrying(lab)
    again = second_try(client, origin, lambda c: c.answer(status, b"no", headers=CLOSE))
    again.answer(200, b"yes")
    assert client.read_response().body == b"yes"
    line = gateway.log(1)[0]
    assert (line["attempts"], line["status"], line["upstream_status"]) == (2, 200, 200)


@pytest.mark.parametrize("status", [429, 500, 404])
def test_retry_is_not_done_on_a_status_that_is_not_listed(lab, status):
    client, origin, gateway = retrying(lab)
    client.send(request())
    origin.serve_one(status, b"final")
    assert client.read_response().body == b"final"
    assert gateway.log(1)[0]["attempts"] == 1


@pytest.mark.parametrize("status", [429, 500])
def test_retry_on_further_statuses_that_are_asked_for(lab, status):
    client, origin, _ = retrying(lab, on=[status])
    again = second_try(client, origin, lambda c: c.answer(status, b"no", headers=CLOSE))
    again.answer(200, b"yes")
    assert client.read_response().body == b"yes"


def test_retry_on_a_status_never_repeats_other_methods(lab):
    client, origin, _ = retrying(lab)
    client.send(request("POST", body="x"))
    origin.serve_one(503, b"no")
    answer = client.read_response()
    assert (answer.status, answer.body) == (503, b"no")


def test_retry_only_what_is_listed(lab):
    client, origin, _ = retrying(lab, on=["connect_failure"])
    client.send(request())
    origin.accept().close()
    assert_refused(client.read_response(), "upstream_reset")


def test_retry_num_retries_0_never_retries(lab):
    client, origin, _ = retrying(lab, num_retries=0)
    client.send(request())
    origin.serve_one(503, b"no")
    assert client.read_response().status == 503


def test_retry_ends_after_num_retries(lab):
    origin = lab.serving(lambda found, connection: connection.answer(503, b"no"))
    gateway = lab.relay(origin, route={"retry": {**FAST, "num_retries": 4}})
    assert lab.client(gateway).get().status == 503
    assert origin.count() == 5


def test_retry_does_not_happen_once_the_answer_has_begun(lab):
    client, origin, gateway = retrying(lab)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    client.read_head()
    connection.close()
    client.read_to_end_or_reset()
    assert gateway.log(1)[0]["attempts"] == 1


# ---- Bodies.
def test_retry_sends_the_body_again(lab):
    client, origin, _ = retrying(lab)
    again = second_try(client, origin, lambda c: c.close(), "PUT", body="b" * 60_000)
    assert again.found.body == b"b" * 60_000
    again.answer()
    assert client.read_response().status == 200


def test_retry_sends_a_chunked_body_with_trailers_again(lab):
    client, origin, _ = retrying(lab)
    again = second_try(client, origin, lambda c: c.answer(503, headers=CLOSE), "PUT",
                       chunks=["ab", "cd"], trailers={"X-T": "1"})
    assert (again.found.body, again.found.trailers.get("x-t")) == (b"abcd", "1")
    again.answer()
    assert client.read_response().status == 200


def test_retry_repeats_a_body_that_is_still_coming(lab):
    client, origin, _ = retrying(lab)
    client.send(request("PUT", headers={"Content-Length": "6"}), "abc")
    first = origin.accept()
    first.read_head()
    first.read_exact(3)
    first.close()
    second = origin.accept()
    second.read_head()
    assert second.read_exact(3) == b"abc"
    client.send("def")
    assert second.read_exact(3) == b"def"
    second.answer()
    assert client.read_response().status == 200


def test_retry_is_lost_with_a_body_over_replay_buffer(lab):
    client, origin, _ = retrying(lab, replay_buffer="1KiB")
    client.send(request("PUT", body="b" * 2000))
    connection = origin.accept()
    connection.expect()
    connection.close()
    assert client.read_response().status == 502


def test_retry_survives_a_body_of_replay_buffer(lab):
    client, origin, _ = retrying(lab, replay_buffer="1KiB")
    again = second_try(client, origin, lambda c: c.close(), "PUT", body="b" * 1024)
    again.answer()
    assert client.read_response().status == 200


# ---- Budget and time.
def test_retry_budget_of_nothing_allows_none(lab):
    client, origin, gateway = retrying(lab, budget={"percent": "0%", "min": 0})
    client.send(request())
    origin.serve_one(503, b"no")
    assert client.read_response().status == 503
    gateway.expect_metric(1, "weir_cluster_retries_over_budget_total", cluster="app")


def test_retry_of_what_was_never_sent_is_exempt_from_the_budget(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for("127.0.0.1:1", origin, route={
        "retry": {**FAST, "budget": {"percent": "0%", "min": 0}}}))
    client = lab.client(gateway)
    for _ in range(10):
        assert client.get().status == 200


def test_retry_budget_bounds_the_retries_of_a_storm(lab):
    """30 requests fail at once: with room for 3 retries at a time, 27 are not tried again."""
    origin = lab.origin()
    gateway = lab.relay(origin, route={"retry": {**FAST, "num_retries": 1,
                                                 "budget": {"percent": "0%", "min": 3}}})
    clients = [lab.client(gateway) for _ in range(30)]
    connections = []
    for client in clients:
        client.send(request())
        connections.append(origin.accept())
        connections[-1].expect()
    for connection in connections:
        connection.answer(503, headers={"Connection": "close"})
    again = [origin.accept() for _ in range(3)]
    eventually(lambda: sum(c.has_input() for c in clients) == 27, "27 have their answer")
    for connection in again:
        connection.expect()
        connection.answer()
    assert sorted(c.read_response().status for c in clients) == [200] * 3 + [503] * 27


def test_retry_budget_bounds_what_fails_quickly(lab):
    """One after the other, so that hardly any are in flight: a fifth is tried again, and 30."""
    origin = lab.serving(lambda found, connection: connection.answer(503))
    gateway = lab.gateway(config_for(origin, route={"retry": FAST}))
    client = lab.client(gateway)
    assert {client.get().status for _ in range(1000)} == {503}
    assert 1200 <= origin.count() <= 1250
    assert gateway.metric("weir_cluster_retries_over_budget_total", cluster="app") >= 750


def test_retry_per_try_timeout_begins_another_try(lab):
    client, origin, _ = retrying(lab, per_try_timeout="150ms", on=["504"])
    client.send(request())
    slow = origin.accept()
    slow.expect()
    origin.serve_one(200, b"quick")
    assert client.read_response().body == b"quick"
    slow.expect_ended()


def test_retry_per_try_timeout_of_the_last_try_is_504(lab):
    client, origin, _ = retrying(lab, per_try_timeout="100ms", num_retries=1)
    client.send(request())
    for _ in range(2):
        origin.accept().expect()
    answer = client.read_response()
    assert answer.status == 504


def test_retry_happens_within_the_routes_timeout_only(lab):
    client, origin, gateway = lab.pair(route={"timeout": "300ms", "retry": {
        "num_retries": 10, "per_try_timeout": "200ms", **FAST}})
    client.send(request())
    assert_refused(client.read_response(), "deadline_exceeded")
    assert gateway.log(1)[0]["attempts"] <= 2


# ---- The answer in the end.
def test_retry_gives_the_last_origins_answer_and_not_one_of_its_own(lab):
    client, origin, _ = retrying(lab, num_retries=1)
    again = second_try(client, origin, lambda c: c.answer(503, b"first", headers=CLOSE))
    again.answer(503, b"second", headers={"X-Try": "2"})
    answer = client.read_response()
    assert (answer.status, answer.body, answer.header("x-try")) == (503, b"second", "2")


def test_retry_of_everything_that_fails_tells_the_last_reason(lab):
    client, origin, gateway = retrying(lab)
    client.send(request())
    for _ in range(3):
        origin.accept().close()
    assert_refused(client.read_response(), "upstream_reset")
    assert gateway.log(1)[0]["attempts"] == 3


def test_retry_prefers_an_endpoint_that_has_not_failed(lab):
    bad = lab.serving(lambda found, connection: connection.answer(503, b"bad"))
    good = lab.serving(lambda found, connection: connection.answer(200, b"good"))
    client = lab.client(lab.relay(bad, good, route={"retry": FAST}))
    for _ in range(20):
        assert client.get().body == b"good"


def test_retry_discards_the_first_answers_body(lab):
    client, origin, _ = retrying(lab)
    again = second_try(client, origin, lambda c: c.send(
        response(503, b"x" * 100_000, headers=CLOSE)))
    again.answer(200, b"clean")
    assert client.read_response().body == b"clean"


def test_retry_client_that_leaves_between_tries_ends_them(lab):
    client, origin, gateway = lab.pair(route={"retry": {"backoff": {"base": "10s", "max": "10s"}}})
    client.send(request())
    origin.serve_one(503)
    eventually(lambda: gateway.metric("weir_cluster_requests", cluster="app") == 1,
               "the request waits for its next try")
    client.reset()
    assert gateway.log(1)[0]["status"] == 499
