# SPDX-License-Identifier: Apache-2.0
"""Who is counted as client_ip, and bytes that are charged while they flow."""
import pytest
from support.lab import config_for
from support.message import request
from support.proxy_header import v1, v2

PER_ADDRESS = {"name": "per-address", "key": ["client_ip"],
               "requests": {"rate": "1/h", "burst": 1}}


def ask(lab, gateway, forwarded=None):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return lab.client(gateway).get("/", headers=headers).status


def test_client_ip_behind_a_trusted_proxy_is_the_client(lab):
    gateway = lab.gateway(config_for(lab.serving(), limits=[PER_ADDRESS],
                                     trusted_proxies=["127.0.0.0/8"]))
    assert ask(lab, gateway, "192.0.2.1") == 200
    assert ask(lab, gateway, "192.0.2.2") == 200
    assert ask(lab, gateway, "192.0.2.1") == 429
    assert ask(lab, gateway, "192.0.2.9, 192.0.2.1, 127.0.0.3") == 429
    assert ask(lab, gateway) == 200


def test_client_ip_of_a_stranger_is_his_own_whatever_he_says(lab):
    gateway = lab.gateway(config_for(lab.serving(), limits=[PER_ADDRESS]))
    assert ask(lab, gateway, "192.0.2.1") == 200
    assert ask(lab, gateway, "192.0.2.2") == 429


@pytest.mark.parametrize("header", [v1, v2], ids=["v1", "v2"])
def test_client_ip_behind_a_proxy_header_is_the_headers(lab, header):
    gateway = lab.gateway(config_for(
        lab.serving(), limits=[PER_ADDRESS], listener={"proxy_protocol": "require"},
        trusted_proxies=["127.0.0.0/8"]))

    def ask_from(address):
        client = lab.client(gateway)
        client.send(header(address), request())
        return client.read_response().status
    assert ask_from("203.0.113.7") == 200
    assert ask_from("203.0.113.8") == 200
    assert ask_from("203.0.113.7") == 429
    assert ask_from("203.0.113.8") == 429


@pytest.mark.parametrize("framing", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
def test_bandwidth_of_a_download_is_charged_while_it_flows(lab, framing):
    origin = lab.origin()
    limit = {"name": "bytes", "bandwidth": {"rate": "1MiB/h", "burst": "256KiB"}}
    gateway = lab.gateway(config_for(origin, limits=[limit]))
    first = lab.client(gateway)
    first.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    connection = origin.accept()
    connection.expect()
    size = 600_000
    chunk = f"{size:x}\r\n" if "chunked" in framing else ""
    connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{chunk}" + "x" * size)
    got = 0
    while got < size:
        got += len(first.sock.recv(65536))
    answer = lab.client(gateway).get("/")
    assert answer.status == 503 and b"limit bytes by node" in answer.body
