# SPDX-License-Identifier: Apache-2.0
"""The verbs against a running weir, and the demo origin."""
import json
import re
import signal
import subprocess

import pytest
from support.client import Client
from support.gateway import binary, run_cli
from support.message import request
from support.waiting import PATIENCE


# ---- status.
def test_status_shows_listeners_and_clusters(lab):
    origin = lab.serving()
    gateway = lab.relay(origin)
    lab.client(gateway).get()
    code, out, _ = run_cli("status", "-c", gateway.file)
    assert code == 0
    for word in ("main", "app"):
        assert word in out


def test_status_json_is_json(lab):
    gateway = lab.relay(lab.serving())
    code, out, _ = run_cli("status", "--json", "-c", gateway.file)
    assert code == 0 and json.loads(out)


def test_status_finds_the_socket_by_the_environment(lab):
    gateway = lab.relay(lab.serving())
    code, _, err = run_cli("status", env={"WEIR_ADMIN": "unix:" + gateway.admin_path})
    assert code == 0, err


# ---- reload.
def test_reload_says_which_version_is_in_force_and_logs_how_much_changed(lab):
    gateway = lab.relay(lab.serving())
    code, out, _ = gateway.reload({**gateway.config, "shutdown": {"drain": "7s"}})
    assert code == 0 and "version 2" in out
    gateway.wait_for_line(lambda line: "version=2" in line and "changes=1" in line, "the change")


# ---- drain.
def test_drain_finishes_what_is_in_flight_and_ends(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    assert run_cli("drain", "-c", gateway.file)[0] == 0
    assert gateway.admin("/readyz").status == 503
    connection.answer(200, b"done")
    assert client.read_response().body == b"done"
    gateway.check_end()


# ---- origin.
@pytest.fixture
def demo():
    process = subprocess.Popen([binary(), "origin", "--name", "blue", "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())):
            assert process.poll() is None
        yield Client(("127.0.0.1", int(found[1])))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_origin_says_its_name_and_the_request_it_saw(demo):
    answer = demo.get("/some/path?x=1", headers={"X-A": "b"})
    text = answer.body.decode()
    assert answer.status == 200
    for word in ("blue", "GET", "/some/path", "b"):
        assert word in text


@pytest.mark.parametrize("query, status, length", [
    ("status=503", 503, None), ("size=100KiB", 200, 102400), ("size=0", 200, 0)])
def test_origin_answers_as_it_is_asked(demo, query, status, length):
    answer = demo.get("/?" + query)
    assert answer.status == status
    assert length is None or len(answer.body) == length


def test_origin_chunks_with_trailers(demo):
    answer = demo.get("/?chunked=1&trailers=1&size=10000")
    assert answer.chunked and len(answer.body) == 10000 and answer.trailers.pairs


def test_origin_closes(demo):
    demo.get("/?close=1")
    demo.expect_end()


def test_origin_resets(demo):
    demo.send(request("GET", "/?reset=1"))
    demo.expect_reset()


def test_origin_keeps_connections_and_health(demo):
    for _ in range(3):
        assert demo.get("/health").status == 200
