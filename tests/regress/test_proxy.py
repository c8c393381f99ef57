# SPDX-License-Identifier: Apache-2.0
"""Bugs of the data path that the black-box tests found, each in its smallest form."""
import threading

import pytest
from support.lab import config_for
from support.message import request


def test_status_above_599_of_an_origin_is_counted_as_5xx(lab):
    """The counter of its class was one of an array of six."""
    client, origin, gateway = lab.pair()
    client.send(request())
    origin.serve_one(999, b"x")
    answer = client.read_response()
    assert (answer.status, answer.body) == (999, b"x")
    gateway.expect_metric(1, "weir_listener_responses_total", listener="main", **{"class": "5xx"})


@pytest.mark.parametrize("size", [100, 1000, 7777])
def test_upload_in_many_small_chunks_arrives(lab, size):
    """More pieces than the output's cork holds looked like a congested origin, and no event told
    that it was none."""
    client, origin, _ = lab.pair()
    raw = request("POST", chunks=["x" * size] * (300_000 // size))
    sender = threading.Thread(target=client.send, args=(raw,))
    sender.start()
    _, found = origin.serve_one()
    sender.join()
    assert len(found.body) == 300_000 // size * size
    assert client.read_response().status == 200


def test_connection_is_reused_after_a_large_answer(lab):
    """A body that was spliced to its last byte left the readiness of the socket set."""
    client, origin, _ = lab.pair()
    client.send(request())
    connection, _ = origin.serve_one(200, b"x" * 1_000_000)
    client.read_response()
    for _ in range(3):
        client.send(request())
        connection.expect()
        connection.answer(200, b"x" * 1_000_000)
        client.read_response()


def test_access_log_without_sample_logs_everything(lab):
    """A section that was there but had no `sample` began from 0%."""
    gateway = lab.gateway(config_for(lab.serving(), access_log={"path": "@DIR@/access.log"}))
    client = lab.client(gateway)
    for _ in range(20):
        client.get()
    assert len(gateway.log(20)) == 20
