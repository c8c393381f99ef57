# SPDX-License-Identifier: Apache-2.0
"""What an exchange is must not depend on the versions it is spoken in: each test runs over HTTP/1
and HTTP/2 on either side, and some over TLS on both as well."""
import os
import threading

import pytest
from support.message import request
from support.pairing import PAIRINGS, Pairing
from support.waiting import eventually


@pytest.fixture(params=PAIRINGS)
def pairing(lab, request):
    return Pairing(lab, request.param)


def test_pairing_get(pairing):
    caller, answerer = pairing.ends()
    caller.send("GET", "/p?q=1", [("X-A", "1")])
    found = answerer.request()
    assert (found.method, found.target, found.header("x-a")) == ("GET", "/p?q=1", "1")
    host = found.header(":authority") if pairing.up == 2 else found.header("host")
    assert host == "a.test"
    assert found.body == b""
    answerer.answer(200, b"hello", [("X-B", "2")])
    answer = caller.response()
    assert (answer.status, answer.body, answer.header("x-b")) == (200, b"hello", "2")


@pytest.mark.parametrize("which", PAIRINGS)
def test_pairing_over_tls(lab, which):
    caller, answerer = Pairing(lab, which, secure=True).ends()
    caller.send("POST", "/s", body=b"x" * 30000)
    found = answerer.request()
    assert (found.body, found.header("x-forwarded-proto")) == (b"x" * 30000, "https")
    answerer.answer(200, b"y" * 50000)
    assert caller.response().body == b"y" * 50000


@pytest.mark.parametrize("size", [1, 16384, 65536, 300_000])
def test_pairing_bodies_are_equal_both_ways(pairing, size):
    caller, answerer = pairing.ends()
    up, down = os.urandom(size), os.urandom(size)
    sender = threading.Thread(target=caller.send, args=("POST", "/", (), up), daemon=True)
    sender.start()
    assert answerer.request().body == up
    sender.join()
    sender = threading.Thread(target=answerer.answer, args=(200, down), daemon=True)
    sender.start()
    assert caller.response().body == down
    sender.join()


@pytest.mark.parametrize("which", PAIRINGS)
def test_pairing_large_bodies_over_tls(lab, which):
    caller, answerer = Pairing(lab, which, secure=True).ends()
    body = os.urandom(2_000_000)
    sender = threading.Thread(target=caller.send, args=("POST", "/", (), body), daemon=True)
    sender.start()
    assert answerer.request().body == body
    sender.join()
    sender = threading.Thread(target=answerer.answer, args=(200, body), daemon=True)
    sender.start()
    assert caller.response().body == body
    sender.join()


def test_pairing_body_of_unknown_length_streams_up(pairing):
    caller, answerer = pairing.ends()
    caller.send_head("POST")
    found = answerer.head()
    assert found.header("content-length") is None
    caller.send_data(b"first")
    if pairing.up == 2:
        answerer.peer.wait(lambda: found.body == b"first", "the first piece")
    else:
        assert answerer.peer.read_chunk() == b"first"
    caller.send_data(b"second")
    caller.finish()
    if pairing.up == 2:
        answerer.peer.wait(lambda: found.ended, "the end")
        assert found.body == b"firstsecond"
    else:
        answerer.peer.read_chunked(found)
        assert found.body == b"second"
    answerer.answer()
    assert caller.response().status == 200


def test_pairing_content_length_is_kept(pairing):
    caller, answerer = pairing.ends()
    caller.send("POST", body=b"abc")
    assert answerer.request().header("content-length") == "3"
    answerer.answer(200, b"12345", [] if pairing.up == 1 else [("content-length", "5")])
    assert caller.response().header("content-length") == "5"


def test_pairing_get_without_body_has_no_framing(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    found = answerer.request()
    assert "content-length" not in found.headers and "transfer-encoding" not in found.headers
    answerer.answer()
    caller.response()


def test_pairing_empty_post_is_told_from_none(pairing):
    caller, answerer = pairing.ends()
    caller.send("POST", body=b"")
    assert answerer.request().header("content-length") == "0"
    answerer.answer()
    assert caller.response().status == 200


def test_pairing_body_of_unknown_length_streams_down(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.send_head(200)
    head = caller.head()
    answerer.send_data(b"one")
    if pairing.down == 2:
        caller.peer.wait(lambda: head.body == b"one", "the first piece")
    else:
        assert caller.peer.read_chunk() == b"one"
    answerer.send_data(b"two")
    answerer.finish()
    if pairing.down == 2:
        assert caller.response().body == b"onetwo"
    else:
        caller.peer.read_chunked(head)
        assert head.body == b"two"


def test_pairing_trailers_go_both_ways(pairing):
    caller, answerer = pairing.ends()
    caller.send_head("POST", headers=[("TE", "trailers")])
    caller.send_data(b"abc")
    caller.finish([("x-up", "1")])
    found = answerer.request()
    assert (found.body, found.trailers.get("x-up")) == (b"abc", "1")
    answerer.answer(200, b"def", trailers=[("x-down", "2")])
    answer = caller.response()
    assert (answer.body, answer.trailers.get("x-down")) == (b"def", "2")


def test_pairing_trailers_without_a_body(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.answer(200, b"", trailers=[("x-down", "2")])
    answer = caller.response()
    assert (answer.body, answer.trailers.get("x-down")) == (b"", "2")


def test_pairing_early_hints_pass(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.interim(103, [("Link", "</a>; rel=preload")])
    answerer.interim(103, [("Link", "</b>; rel=preload")])
    answerer.answer(200, b"ok")
    answer = caller.response()
    assert [i.status for i in answer.interim] == [103, 103]
    assert [i.headers.get("link") for i in answer.interim] == [
        "</a>; rel=preload", "</b>; rel=preload"]
    assert answer.body == b"ok"


def test_pairing_head_has_no_body_and_keeps_its_length(pairing):
    caller, answerer = pairing.ends()
    caller.send("HEAD")
    assert answerer.request().method == "HEAD"
    if pairing.up == 1:
        answerer.send_head(200, length=1234)
    else:
        answerer.answer(200, headers=[("content-length", "1234")])
    answer = caller.response()
    assert (answer.status, answer.header("content-length"), answer.body) == (200, "1234", b"")
    _exchange_again(pairing, caller, answerer)


@pytest.mark.parametrize("status", [204, 304])
def test_pairing_bodiless_statuses(pairing, status):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.answer(status, headers=[("ETag", '"x"')])
    answer = caller.response()
    assert (answer.status, answer.body, answer.header("etag")) == (status, b"", '"x"')
    _exchange_again(pairing, caller, answerer)


def _exchange_again(pairing, caller, answerer):
    """The connections are as good as before."""
    caller.send("GET", "/again")
    assert answerer.request().target == "/again"
    answerer.answer(200, b"again")
    assert caller.response().body == b"again"


def test_pairing_expect_continue(pairing):
    caller, answerer = pairing.ends()
    caller.send_head("POST", headers=[("Expect", "100-continue")], length=3)
    if pairing.up == 2:
        answerer.accept()  # before whose SETTINGS weir sends no request
    if pairing.down == 1:
        assert caller.peer.read_head().status == 100
    else:
        message = caller.peer.message(caller.stream)
        caller.peer.wait(lambda: message.interim, "100")
        assert message.interim[0].status == 100
    caller.send_data(b"abc")
    caller.finish()
    assert answerer.request().body == b"abc"
    answerer.answer(200, b"got it")
    assert caller.response().body == b"got it"


def test_pairing_early_answer_reaches_a_client_that_still_sends(pairing):
    caller, answerer = pairing.ends()
    caller.send_head("POST", length=1_000_000)
    caller.send_data(b"x" * 1000)
    answerer.head()
    answerer.answer(403, b"no")
    head = caller.head()
    assert head.status == 403
    if pairing.down == 2:
        message = caller.peer.outcome(caller.stream)
        assert message.body == b"no"
        # RFC 9113, 8.1: the rest is not wanted, and that is no error.
        caller.peer.wait(lambda: message.reset is not None, "RST_STREAM")
        assert message.reset == 0


def test_pairing_response_cut_in_the_middle_is_seen(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.send_head(200)
    answerer.send_data(b"half")
    caller.head()
    answerer.abort()
    caller.expect_cut()


def test_pairing_client_that_leaves_ends_the_request(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    caller.abort()
    answerer.expect_cut()
    eventually(lambda: pairing.gateway.log(1), "a log line")
    assert pairing.gateway.log(1)[0]["status"] == 499


def test_pairing_cookie_is_one_field_in_http1_and_whole_in_http2(pairing):
    caller, answerer = pairing.ends()
    crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]
    caller.send(headers=crumbs if pairing.down == 2 else [("Cookie", "a=1; b=2; c=3")])
    found = answerer.request()
    assert "; ".join(found.headers.all("cookie")) == "a=1; b=2; c=3"
    if pairing.up == 1:
        assert len(found.headers.all("cookie")) == 1
    answerer.answer()
    caller.response()


def test_pairing_connection_headers_do_not_cross(pairing):
    caller, answerer = pairing.ends()
    # check_names of the harness refuses any on HTTP/2.
    caller.send(headers=[("Connection", "x-gone"), ("X-Gone", "1"), ("Keep-Alive", "3")]
                if pairing.down == 1 else [])
    found = answerer.request()
    assert "x-gone" not in found.headers and "keep-alive" not in found.headers
    answerer.answer(200, b"ok", [("Connection", "x-back"), ("X-Back", "1"), ("Keep-Alive", "3")]
                    if pairing.up == 1 else [])
    answer = caller.response()
    assert "x-back" not in answer.headers and "keep-alive" not in answer.headers


def test_pairing_via_names_the_version_that_came(pairing):
    caller, answerer = pairing.ends()
    caller.send()
    found = answerer.request()
    assert found.header("via") == ("2 weir" if pairing.down == 2 else "1.1 weir")
    answerer.answer()
    assert caller.response().header("via") == ("2 weir" if pairing.up == 2 else "1.1 weir")


def test_pairing_request_over_max_request_bytes_is_413(lab):
    for which in PAIRINGS:
        pairing = Pairing(lab, which, route={"limits": {"max_request_bytes": 10}})
        caller = pairing.caller()
        caller.send_head("POST", length=11)
        assert caller.head().status == 413


def test_pairing_streams_after_each_other_reuse_the_connection(pairing):
    caller, answerer = pairing.ends()
    for n in range(20):
        caller.send("POST", f"/{n}", body=b"x" * n)
        assert answerer.request().target == f"/{n}"
        answerer.answer(200, str(n).encode())
        assert caller.response().body == str(n).encode()
    assert len(pairing.origin.connections) == 1


def test_pairing_access_log_says_what_was_spoken(pairing):
    caller, answerer = pairing.ends()
    caller.send("GET", "/logged")
    answerer.request()
    answerer.answer(200, b"ok")
    caller.response()
    line = pairing.gateway.log(1)[0]
    assert (line["status"], line["path"]) == (200, "/logged")
    assert line["protocol"] == ("HTTP/2" if pairing.down == 2 else "HTTP/1.1")


def test_pairing_of_versions_on_one_plain_listener(lab):
    pairing = Pairing(lab, "2-1")
    old = lab.client(pairing.gateway)
    caller, answerer = pairing.ends()
    caller.send("GET", "/two")
    assert answerer.request().target == "/two"
    old.send(request("GET", "/one"))
    other = pairing.origin.accept()
    other.expect("GET", "/one")
    other.answer(200, b"one")
    answerer.answer(200, b"two")
    assert (old.read_response().body, caller.response().body) == (b"one", b"two")
