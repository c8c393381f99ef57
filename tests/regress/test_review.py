# SPDX-License-Identifier: Apache-2.0
"""What origins and clients that are slow, silent or hostile could do to the proxy: each bug that a
review found, in its smallest form. A pause is waited out on a socket on which nothing may happen."""
import os
import signal
import socket
import threading
import time

import pytest
from support.message import chunk, last_chunk, request, response
from support.refusal import assert_refused
from support.waiting import PATIENCE, SLOWNESS, Deadline, eventually

MIB = 1 << 20
# Far more than the proxy and the kernel take for a client that does not read (tcp_wmem ends at
# 4 MiB): the proxy cannot be done with it.
DOWNLOAD = 24 * MIB


def in_background(lab, peer, *pieces):
    """Sends while the test goes on. What ends the connection is for the other side to judge."""
    def run():
        try:
            peer.send(*pieces)
        except OSError:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    lab.keep(Sending(peer, thread))


class Sending:
    def __init__(self, peer, thread):
        self.peer = peer
        self.thread = thread

    def close(self):
        try:
            self.peer.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


# ---- Origins.
def test_interim_responses_without_end_are_refused(lab):
    """Each was queued for a client that did not read, and nothing counted them."""
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    before = gateway.rss()
    flood = b"HTTP/1.1 103 Early Hints\r\nLink: %s\r\n\r\n" % (b"y" * 400) * 100
    with pytest.raises(OSError):
        for _ in range(64 * MIB // len(flood)):
            connection.send(flood)
    assert gateway.rss() - before < 16 * MIB
    answer = client.read_response()
    assert_refused(answer, "upstream_bad_head")
    assert b"too many interim responses" in answer.body
    assert 1 <= len(answer.interim) <= 16
    assert gateway.log(1)[0]["reason"] == "upstream_bad_head"


def test_origin_may_leave_an_upload_unread_for_a_while(lab):
    """A full receive window counted as an unacknowledged byte, after 2 s."""
    client, origin, _ = lab.pair()
    in_background(lab, client, request("POST", body=bytes(8_000_000)))
    connection = origin.accept()
    assert not client.has_input(3.0)
    assert len(connection.read_request().body) == 8_000_000
    connection.answer(200, b"late")
    assert client.read_response().body == b"late"


@pytest.mark.parametrize("sent", [3, 8_000_000])
def test_per_try_timeout_does_not_wait_for_the_end_of_the_upload(lab, sent):
    """It began with the last byte of the request: here the client, or the origin, stalls before."""
    retry = {"num_retries": 0, "per_try_timeout": "500ms"}
    client, origin, gateway = lab.pair(route={"retry": retry})
    deadline = Deadline(0.45)
    client.send(request("POST", headers={"Content-Length": "9000000"}))
    connection = origin.accept()
    client.send_until_blocked(sent, quiet=0.1)
    assert_refused(client.read_response(), "upstream_timeout")
    assert deadline.passed()
    assert gateway.log(1)[0]["reason"] == "upstream_timeout"
    connection.expect_ended()


# ---- Clients.
def download(lab, **changes):
    """(client, connection, gateway): a large answer that the client has not begun to read and that
    fills every buffer on the way."""
    origin = lab.origin()
    gateway = lab.relay(origin, **changes)
    client = lab.client(gateway, receive_buffer=8192)
    client.send(request())
    connection = origin.accept()
    connection.expect()
    in_background(lab, connection, response(200, bytes(DOWNLOAD)))
    return client, connection, gateway


def finish(client, gateway, taken=0):
    client.drain(DOWNLOAD - taken)
    line = gateway.log(1)[0]
    assert (line["status"], line["bytes_sent"]) == (200, DOWNLOAD)
    assert not line.get("reason")


def test_client_that_reads_slowly_but_steadily_is_not_cut(lab):
    """The kernel tells of room when a third of its buffer is free. That came too late for a client
    which took far more than min_send_rate all the time."""
    client, connection, gateway = download(lab, listener={"http1": {"body_idle_timeout": "1s"}})
    client.read_head()
    taken = 0
    deadline = Deadline(2.2)
    while not deadline.passed():
        client.drain(2000)
        taken += 2000
        assert not connection.has_input(0.05)
    finish(client, gateway, taken)


def test_cluster_idle_timeout_is_not_about_a_client_that_pauses_a_download(lab):
    client, connection, gateway = download(lab, cluster={"idle_timeout": "1s"})
    assert not connection.has_input(2.0)
    client.read_head()
    finish(client, gateway)


def test_cluster_idle_timeout_is_not_about_a_client_that_pauses_an_upload(lab):
    client, origin, _ = lab.pair(cluster={"idle_timeout": "1s"})
    client.send(request("POST", headers={"Content-Length": "9"}), "abc")
    connection = origin.accept()
    connection.read_head()
    assert connection.read_exact(3) == b"abc"
    client.send("def")
    assert connection.read_exact(3) == b"def"
    assert not client.has_input(2.0)
    client.send("end")
    assert connection.read_exact(3) == b"end"
    connection.answer(200, b"whole")
    assert client.read_response().body == b"whole"


def cpu_seconds(gateway):
    with open(f"/proc/{gateway.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_upload_after_an_early_answer_that_nobody_reads_costs_no_time(lab):
    """The upload was ready, had nowhere to go, and was asked again and again. That took an answer
    which fills the client's socket and no more, hence the sizes."""
    origin = lab.origin()
    gateway = lab.relay(origin, route={"limits": {"max_request_bytes": "0B"}},
                        listener={"address": "unix:" + lab.path("main.sock")})
    for size in range(220_000, 261_000, 10_000):
        client = lab.client(gateway)
        client.send(request("POST", headers={"Content-Length": "100000000"}))
        connection = origin.accept()
        connection.read_head()
        in_background(lab, client, bytes(2 * MIB))
        connection.drain(MIB)
        connection.send(response(200, chunks=["y" * 4000] * (size // 4000)))
    before = cpu_seconds(gateway)
    time.sleep(1.0)
    assert cpu_seconds(gateway) - before < 0.3 * SLOWNESS


def test_retry_budget_counts_an_exchange_once(lab):
    """Each of its retries kept its place, so that a budget of one never granted a second."""
    origin = lab.serving(lambda found, connection: connection.answer(503, b"no"))
    retry = {"num_retries": 2, "budget": {"percent": "0%", "min": 1},
             "backoff": {"base": "1ms", "max": "1ms"}}
    gateway = lab.relay(origin, route={"retry": retry})
    client = lab.client(gateway)
    for n in range(1, 4):
        assert client.get().status == 503
        assert origin.count() == 3 * n
    assert [line["attempts"] for line in gateway.log(3)] == [3, 3, 3]


# ---- Early answers.
@pytest.mark.parametrize("size", [30, 24_000])
def test_rest_of_a_body_after_an_early_answer_is_counted_once(lab, size):
    """Every chunk counted as all that had been read with it, and the connection was given up."""
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Transfer-Encoding": "chunked"}), chunk("x" * 300))
    connection = origin.accept()
    connection.read_head()
    connection.answer(200, b"early")
    assert client.read_response().body == b"early"
    client.send(chunk("x" * size) * (24_000 // size), last_chunk(), request("GET", "/next"))
    connection = origin.accept()
    connection.expect("GET", "/next")
    connection.answer(200, b"next")
    assert client.read_response().body == b"next"


def test_body_that_comes_after_a_refusal_meets_no_reset(lab):
    """The connection was closed at once when nothing more had come yet. What came then was answered
    with a reset, which can destroy an answer on its way."""
    client, _, _ = lab.pair()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\nbad header\r\n\r\n")
    assert client.has_input(PATIENCE)
    client.send("x" * 1000)
    assert_refused(client.read_response(), "bad_header")
    client.expect_end()
    for _ in range(8):
        client.send("x" * 1000)
        assert client.sock.recv(1) == b""


# ---- Memory.
def frozen(gateway):
    """Stops it until SIGCONT: what is sent meanwhile is read in one turn."""
    gateway.signal(signal.SIGSTOP)

    def stopped():
        with open(f"/proc/{gateway.process.pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"

    eventually(stopped, "it is stopped")


def test_answer_that_is_cut_off_carries_no_bytes_of_others(lab):
    """What was queued for it borrowed from the worker's read buffer, and was sent after the next
    connection had been read into that."""
    origin = lab.origin()
    gateway = lab.relay(origin)
    for _ in range(3):
        attacker, victim = lab.client(gateway), lab.client(gateway)
        attacker.send(request())
        connection = origin.accept()
        connection.expect()
        gateway.expect_metric(2, "weir_listener_connections", listener="main")
        frozen(gateway)
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk("a"),
                        chunk("b"), chunk("x" * 3000), "ZZ\r\n")
        victim.send(request("GET", "/victim", headers={"Cookie": "SECRET-" * 500}))
        gateway.signal(signal.SIGCONT)
        served, found = origin.serve_one()
        assert found.target == "/victim"
        victim.read_response()
        assert b"SECRET" not in attacker.read_to_end_or_reset()
        served.close()
        victim.close()
