# SPDX-License-Identifier: Apache-2.0
"""Deadlines of clients: believed from trusted peers, told upstream as what is left, and work that
is too late is not begun: its origin sees nothing."""
import time

import pytest
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused
from support.waiting import eventually

TRUSTED = {"trusted_proxies": ["127.0.0.0/8"], "client_deadline": {}}
LATE = {"X-Request-Timeout": "300ms"}


def milliseconds(text):
    assert text.endswith("ms"), text
    return int(text[:-2])


@pytest.mark.parametrize("headers, most", [
    ({"X-Request-Timeout": "5000ms"}, 5000),
    ({"X-Request-Timeout": "5s"}, 5000),
    ({"X-Request-Timeout": "5"}, 5000),
    ({"Prefer": "respond-async, wait=5"}, 5000),
    ({"X-Request-Timeout": "9s", "Prefer": "wait=4"}, 4000),
])
def test_deadline_of_the_client_is_told_as_what_is_left(lab, headers, most):
    client, origin, _ = lab.pair(**TRUSTED)
    client.send(request("GET", "/", headers=headers))
    connection = origin.accept()
    found = connection.expect()
    assert most - 3000 < milliseconds(found.headers.get("x-request-timeout")) <= most
    if "Prefer" in headers:
        assert found.headers.get("prefer").endswith(f"wait={most // 1000}")
    connection.answer()
    assert client.read_response().status == 200


def test_deadline_is_the_shortest_of_route_and_client(lab):
    client, origin, _ = lab.pair(route={"timeout": "2s"}, **TRUSTED)
    for asked in ({}, {"X-Request-Timeout": "60s"}):
        client.send(request("GET", "/", headers=asked))
        connection = origin.accept() if not asked else connection
        assert milliseconds(connection.expect().headers.get("x-request-timeout")) <= 2000
        connection.answer()
        assert client.read_response().status == 200


def test_deadline_of_a_stranger_is_neither_believed_nor_passed_on(lab):
    client, origin, _ = lab.pair(client_deadline={})
    client.send(request("GET", "/", headers={"X-Request-Timeout": "1ms", "Prefer": "wait=0"}))
    connection = origin.accept()
    found = connection.expect()
    assert "x-request-timeout" not in found.headers and found.headers.get("prefer") == "wait=0"
    time.sleep(0.05)
    connection.answer()
    assert client.read_response().status == 200


def test_deadline_header_is_no_news_without_the_key(lab):
    client, origin, _ = lab.pair(trusted_proxies=["127.0.0.0/8"])
    client.send(request("GET", "/", headers={"X-Request-Timeout": "1ms"}))
    connection = origin.accept()
    assert connection.expect().headers.get("x-request-timeout") == "1ms"
    time.sleep(0.05)
    connection.answer()
    assert client.read_response().status == 200


def test_deadline_of_a_sidecars_peer_is_believed(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, listener={"profile": "sidecar"}, client_deadline={}))
    answer = lab.client(gateway).get("/", headers={"X-Request-Timeout": "0"})
    assert_refused(answer, "deadline_exceeded")
    assert origin.count() == 0


def test_deadline_header_of_another_name(lab):
    client, origin, _ = lab.pair(trusted_proxies=["127.0.0.0/8"], client_deadline={
        "header": "x-time", "prefer_wait": False})
    client.send(request("GET", "/", headers={"X-Time": "3s", "Prefer": "wait=1"}))
    connection = origin.accept()
    found = connection.expect()
    assert 1000 < milliseconds(found.headers.get("x-time")) <= 3000
    assert found.headers.get("prefer") == "wait=1"
    connection.answer()
    assert client.read_response().status == 200


@pytest.mark.parametrize("asked", ["0", "0ms", "0s"])
def test_what_is_late_on_arrival_is_not_begun(lab, asked):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, **TRUSTED))
    client = lab.client(gateway)
    assert_refused(client.get("/", headers={"X-Request-Timeout": asked}), "deadline_exceeded")
    assert client.get("/").status == 200
    assert origin.count() == 1
    assert gateway.log(2)[0]["reason"] == "deadline_exceeded"


def test_a_slow_origin_is_given_up_at_the_clients_deadline(lab):
    client, origin, gateway = lab.pair(**TRUSTED)
    client.send(request("GET", "/", headers=LATE))
    origin.accept().expect()
    assert_refused(client.read_response(), "deadline_exceeded")
    assert gateway.log(1)[0]["detail"] == "by the client's own time"


def test_what_waited_too_long_in_the_queue_of_a_limit_is_not_begun(lab):
    client, origin, gateway = lab.pair(limits=[
        {"name": "one", "key": [], "concurrency": {
            "max": 1, "queue": {"max_requests": 4, "max_wait": "9s"}}}], **TRUSTED)
    client.send(request("GET", "/first"))
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = lab.client(gateway)
    second.send(request("GET", "/second", headers=LATE))
    assert_refused(second.read_response(), "deadline_exceeded")
    assert gateway.log(1)[0]["detail"] == "in the queue of a limit"
    connection.answer()
    assert client.read_response().status == 200
    client.send(request("GET", "/third"))
    connection.expect("GET", "/third")
    connection.answer()
    assert client.read_response().status == 200


def test_what_waited_too_long_for_a_connection_is_not_begun(lab):
    client, origin, gateway = lab.pair(cluster={
        "resource_limits": {"max_connections": 1}, "connect_timeout": "9s"}, **TRUSTED)
    client.send(request("GET", "/first"))
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = lab.client(gateway)
    second.send(request("GET", "/second", headers=LATE))
    assert_refused(second.read_response(), "deadline_exceeded")
    connection.answer()
    assert client.read_response().status == 200
    client.send(request("GET", "/third"))
    connection.expect("GET", "/third")
    connection.answer()
    assert client.read_response().status == 200


def test_a_retry_that_would_be_late_is_not_begun(lab):
    client, origin, gateway = lab.pair(route={"retry": {
        "on": [503], "num_retries": 3, "backoff": {"base": "9s", "max": "9s"}}}, **TRUSTED)
    client.send(request("GET", "/", headers=LATE))
    connection = origin.accept()
    connection.expect()
    connection.answer(503)
    # The last answer of an origin is better than none.
    assert client.read_response().status in (503, 504)
    assert gateway.log(1)[0]["total_us"] < 5_000_000


def test_deadline_over_http2(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, **TRUSTED))
    client = lab.h2_client(gateway)
    answer = client.get("/", headers=[("x-request-timeout", "0")])
    assert_refused(answer, "deadline_exceeded")
    assert client.get("/", headers=[("x-request-timeout", "5s")]).status == 200
    assert milliseconds(origin.next_request().headers.get("x-request-timeout")) <= 5000
    assert origin.count() == 1


@pytest.mark.parametrize("late", [("grpc-timeout", "0m"), ("x-request-timeout", "0")])
def test_deadline_of_a_grpc_call_is_said_in_grpc(lab, late):
    origin = lab.h2_serving()
    gateway = lab.gateway(config_for(origin, cluster={"protocol": "http2"}, **TRUSTED))
    answer = lab.h2_client(gateway).request(
        "POST", "/s/M", headers=[("content-type", "application/grpc"), ("te", "trailers"), late],
        body=b"\0\0\0\0\0")
    assert answer.status == 200 and answer.header("grpc-status") == "4"
    assert origin.count() == 0


def test_a_reload_does_not_give_a_waiting_request_more_time(lab):
    client, origin, gateway = lab.pair(limits=[
        {"name": "one", "key": [], "concurrency": {
            "max": 1, "queue": {"max_requests": 4, "max_wait": "9s"}}}], **TRUSTED)
    client.send(request("GET", "/first"))
    connection = origin.accept()
    connection.expect("GET", "/first")
    second = lab.client(gateway)
    begun = time.monotonic()
    second.send(request("GET", "/second", headers={"X-Request-Timeout": "2s"}))
    eventually(lambda: gateway.metric("weir_limit_decisions_total", result="waited") == 1, "it waits")
    assert gateway.reload()[0] == 0
    time.sleep(max(0.0, begun + 1.0 - time.monotonic()))
    connection.answer(headers={"Connection": "close"})
    assert client.read_response().status == 200
    again = origin.accept()
    assert milliseconds(again.expect("GET", "/second").headers.get("x-request-timeout")) < 1500
    again.answer()
    assert second.read_response().status == 200
