# SPDX-License-Identifier: Apache-2.0
"""Listeners: where weir listens, and what it says about it."""
import os
import stat

import pytest
from support.client import Client
from support.gateway import Gateway
from support.lab import config_for
from support.message import request


def test_listener_port_0_is_told(lab):
    gateway = lab.relay(lab.serving())
    assert gateway.address()[1] > 0
    assert lab.client(gateway).get().body == b"ok"


def test_listener_ipv6(lab):
    gateway = lab.relay(lab.serving(), listener={"address": "[::1]:0"})
    assert lab.client(gateway).get().body == b"ok"


def test_listener_unix_socket(lab):
    path = lab.path("in.sock")
    origin = lab.origin()
    gateway = lab.relay(origin, listener={"address": "unix:" + path})
    client = lab.keep(Client(path))
    client.send(request())
    _, found = origin.serve_one(200, b"ok")
    assert client.read_response().body == b"ok"
    assert "127.0.0.1" not in (found.header("x-forwarded-for") or "")
    assert gateway.log(1)[0]["status"] == 200


def test_listener_of_a_stale_unix_socket_takes_it_over(lab):
    path = lab.path("in.sock")
    import socket
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    lab.relay(lab.serving(), listener={"address": "unix:" + path})
    assert lab.keep(Client(path)).get().body == b"ok"


def test_listener_several_serve_the_same_routes(lab):
    config = config_for(lab.serving())
    config["listeners"]["other"] = {"address": "127.0.0.1:0"}
    gateway = lab.gateway(config)
    for name in ("main", "other"):
        assert lab.client(gateway, name).get().body == b"ok"
    assert [line["listener"] for line in gateway.log(2)] == ["main", "other"]


def test_listener_address_in_use_is_a_start_error_that_names_it(lab):
    taken = lab.origin()
    gateway = Gateway(config_for(taken, listener={"address": taken.address}), wait=False)
    try:
        assert gateway.wait_exit() != 0
        assert taken.address in gateway.stderr_text()
    finally:
        gateway.destroy()


def test_admin_socket_is_its_owners_only(lab):
    gateway = lab.relay(lab.serving())
    assert stat.S_IMODE(os.stat(gateway.admin_path).st_mode) == 0o600


@pytest.mark.tsan
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_listener_every_worker_serves(lab, workers):
    gateway = lab.relay(lab.serving(), workers=workers)
    for _ in range(40):
        client = lab.client(gateway)
        assert client.get().body == b"ok"
        client.close()
    assert len(gateway.log(40)) == 40


@pytest.mark.tsan
def test_listener_two_workers_share_the_connections(lab):
    """Descriptors are balanced by the kernel: of 64 connections each worker gets some."""
    gateway = lab.relay(lab.serving(), workers=2)
    clients = [lab.client(gateway) for _ in range(64)]
    for client in clients:
        assert client.get().status == 200
    gateway.expect_metric(64, "weir_listener_connections", listener="main")
