# SPDX-License-Identifier: Apache-2.0
"""The HTTP/2 and TLS half of the harness against itself and against curl, as test_harness.py is for
HTTP/1."""
import subprocess

import pytest
from support import certs
from support.client import Client, connect, connect_tls
from support.h2frames import CANCEL, StreamReset, frame_bytes, literal
from support.h2peer import H2Client
from support.tls import client_context, names_asked, s_client, server_context
from support.waiting import PATIENCE


def direct(lab, origin, **rest):
    return lab.keep(H2Client(connect(("127.0.0.1", origin.port)), **rest))


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "-m", str(PATIENCE), *arguments], capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_h2_client_and_origin_exchange(lab):
    origin = lab.h2_origin()
    client = direct(lab, origin)
    stream = client.send_request("POST", "/a", [("x-a", "1")], b"hello", [("x-t", "2")])
    connection = origin.accept()
    found = connection.expect("POST", "/a")
    assert (found.header("x-a"), found.body, found.trailers.get("x-t")) == ("1", b"hello", "2")
    connection.send_head(stream, 103, [("link", "</a>")])
    connection.answer(stream, 201, b"world", [("x-b", "3")], [("x-u", "4")])
    answer = client.read_response(stream)
    assert (answer.status, answer.body, answer.header("x-b")) == (201, b"world", "3")
    assert (answer.interim[0].status, answer.trailers.get("x-u")) == (103, "4")


def test_h2_large_bodies_wait_for_windows_both_ways(lab):
    body = bytes(range(256)) * 4000
    origin = lab.h2_serving(lambda found, connection: connection.answer(found, 200, found.body))
    client = direct(lab, origin)
    assert client.request("POST", body=body).body == body


def test_h2_closed_window_holds_its_sender(lab):
    origin = lab.h2_serving(lambda found, connection: connection.answer(found, 200, b"x" * 70000))
    client = direct(lab, origin)
    client.opens_windows = False
    stream = client.send_request()
    client.settle()
    assert client.message(stream).received == 65535
    client.send_window(0, 1 << 20)
    client.send_window(stream, 1 << 20)
    assert len(client.read_response(stream).body) == 70000


def test_h2_reset_is_told_from_an_answer(lab):
    origin = lab.h2_origin()
    client = direct(lab, origin)
    stream = client.send_request()
    connection = origin.accept()
    connection.send_reset(connection.expect().stream)
    with pytest.raises(StreamReset):
        client.read_response(stream)
    assert client.message(stream).reset == CANCEL


def test_h2_long_heads_go_in_continuations(lab):
    origin = lab.h2_serving(
        lambda found, connection: connection.answer(found, 200, found.header("x-long")))
    client = direct(lab, origin)
    stream = client.new_stream()
    client.send_headers(stream, client.pseudo() + [("x-long", "v" * 5000)], True, split=100)
    assert client.read_response(stream).body == b"v" * 5000


def test_h2_frames_by_the_octet_are_what_hyperframe_makes(lab):
    origin = lab.h2_origin()
    client = direct(lab, origin)
    block = b"".join(literal(n, v) for n, v in client.pseudo() + [("x-a", "y" * 300)])
    client.send(frame_bytes(1, 0x5, 1, block))
    assert origin.accept().expect().header("x-a") == "y" * 300


def test_curl_reads_the_h2_origin(lab):
    origin = lab.h2_serving()
    assert curl("--http2-prior-knowledge", f"http://{origin.address}/") == b"ok"
    context = server_context(alpn=["h2"])
    origin = lab.h2_serving(tls=context)
    assert curl("--http2", "--cacert", certs.authority().cert, "--resolve",
                f"origin.test:{origin.port}:127.0.0.1", "-w", " %{http_version}",
                f"https://origin.test:{origin.port}/") == b"ok 2"
    assert names_asked(context) == ["origin.test"]


def test_tls_client_verifies_the_origin(lab):
    origin = lab.serving(tls=server_context())
    client = lab.keep(Client(("127.0.0.1", origin.port), tls=client_context(),
                             name="origin.test"))
    assert client.get().body == b"ok"
    for context, name in ((client_context("other"), "origin.test"), (client_context(), "b.test")):
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            connect_tls(("127.0.0.1", origin.port), context, name)


def test_tls_certificates_may_be_expired_or_rsa(lab):
    for made, reason in ((certs.leaf("a.test", days=-3), "certificate has expired"),
                         (certs.leaf("a.test", kind="rsa"), None)):
        origin = lab.serving(tls=server_context(made))
        connect_it = lambda: connect_tls(  # noqa: E731
            ("127.0.0.1", origin.port), client_context()).close()
        if reason is None:
            connect_it()
            continue
        with pytest.raises(OSError, match=reason):
            connect_it()


def test_s_client_is_read(lab):
    origin = lab.serving(tls=server_context(alpn=["http/1.1"]))
    seen = s_client(("127.0.0.1", origin.port), "-alpn", "http/1.1", name="origin.test")
    assert seen.ok and not seen.reused and seen.alert is None, seen.text
    assert (seen.version, seen.alpn, seen.subject) == ("TLSv1.3", "http/1.1", "origin.test")
    assert seen.signature == "ECDSA"
