# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1, the response's way: what a client gets of what an origin sent, and what it gets where
an origin misbehaves."""
import pytest
from support.message import request, response
from support.peer import ConnectionEnded
from support.refusal import assert_refused


def answered(lab, raw, method="GET", close=False, version="1.1", **changes):
    """What a client gets where the origin sends the bytes `raw`."""
    client, origin, _ = lab.pair(**changes)
    client.send(request(method, "/", version=version))
    connection = origin.accept()
    connection.expect()
    connection.send(raw)
    if close:
        connection.close()
    answer = client.read_response(method)
    answer.client, answer.connection = client, connection
    return answer


# ---- Head.
@pytest.mark.parametrize("status", [200, 201, 206, 301, 404, 418, 500, 599])
def test_h1_status_is_kept(lab, status):
    assert answered(lab, response(status)).status == status


@pytest.mark.parametrize("reason", ["OK", "Fine By Me", ""])
def test_h1_reason_phrase_may_be_anything(lab, reason):
    assert answered(lab, response(200, reason=reason)).status == 200


def test_h1_response_fields_keep_order_case_and_value(lab):
    fields = [("X-b", "1"), ("x-A", "two words"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    answer = answered(lab, response(200, headers=fields))
    assert [p for p in answer.headers.pairs if p in fields] == fields


def test_h1_response_hop_by_hop_fields_are_removed(lab):
    answer = answered(lab, response(200, headers=[
        ("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "close"), ("Upgrade", "h2c"), ("X-Stays", "1")]))
    for name in ("x-hop", "keep-alive", "proxy-connection", "upgrade"):
        assert name not in answer.headers
    assert answer.header("x-stays") == "1"


def test_h1_response_gets_via(lab):
    assert answered(lab, response()).headers.all("via") == ["1.1 weir"]


def test_h1_origins_close_is_not_the_clients(lab):
    answer = answered(lab, response(200, b"x", headers={"Connection": "close"}), close=True)
    assert "connection" not in answer.headers


def test_h1_relayed_error_of_an_origin_has_no_error_token(lab):
    answer = answered(lab, response(503, b"busy"), route={"retry": {"num_retries": 0}})
    assert answer.body == b"busy"
    assert "error=" not in (answer.header("proxy-status") or "")


# ---- Body framing.
def test_h1_body_with_length(lab):
    answer = answered(lab, response(200, b"hello"))
    assert (answer.length, answer.body) == (5, b"hello")


def test_h1_chunked_answer_stays_chunked(lab):
    answer = answered(lab, response(200, chunks=["ab", "c" * 3000]))
    assert answer.chunked and answer.body == b"ab" + b"c" * 3000


def test_h1_response_trailers_are_passed_on(lab):
    answer = answered(lab, response(200, chunks=["ab"], trailers={"X-Sum": "7"}))
    assert answer.trailers.pairs == [("X-Sum", "7")]


def test_h1_close_delimited_answer_is_whole(lab):
    answer = answered(lab, response(200, b"until close", framed=False), close=True)
    assert answer.body == b"until close"


def test_h1_close_delimited_answer_keeps_the_clients_connection(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    first, _ = origin.serve_one(200, b"until close", framed=False)
    first.close()
    assert client.read_response().chunked
    client.send(request("GET", "/2"))
    origin.serve_one(200, b"second")
    assert client.read_response().body == b"second"


@pytest.mark.parametrize("raw", [response(200, chunks=["ab", "cd"], trailers={"X-T": "1"}),
                                 response(200, b"abcd", framed=False)],
                         ids=["chunked", "close-delimited"])
def test_h1_http_1_0_client_gets_bodies_delimited_by_close(lab, raw):
    answer = answered(lab, raw, version="1.0", close=True)
    assert not answer.chunked and answer.body == b"abcd"


def test_h1_http_1_0_client_gets_length_where_it_is_known(lab):
    answer = answered(lab, response(200, b"abcd"), version="1.0")
    assert answer.length == 4
    answer.client.expect_end()


def test_h1_http_1_0_client_may_keep_its_connection(lab):
    client, origin, _ = lab.pair()
    client.send(request(version="1.0", headers={"Connection": "keep-alive"}))
    connection, _ = origin.serve_one(200, b"a")
    assert client.read_response().header("connection").lower() == "keep-alive"
    client.send(request(version="1.0"))
    connection.expect()
    connection.answer(200, b"b")
    assert client.read_response().body == b"b"
    client.expect_end()


def test_h1_http_1_0_origin_is_understood(lab):
    answer = answered(lab, b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\nold body", close=True)
    assert (answer.version, answer.header("x-old"), answer.body) == ("1.1", "1", b"old body")


def test_h1_http_1_0_origin_is_not_reused_without_keep_alive(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    first, _ = origin.serve_one(200, b"a", version="1.0")
    client.read_response()
    first.expect_ended()
    client.send(request())
    origin.serve_one(200, b"b")
    assert client.read_response().body == b"b"


# ---- Answers without a body.
def test_h1_head_keeps_the_length_and_has_no_body(lab):
    client, origin, _ = lab.pair()
    client.send(request("HEAD"), request("GET", "/2"))
    connection = origin.accept()
    connection.expect("HEAD")
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    assert client.read_response("HEAD").length == 1234
    connection.expect("GET", "/2")
    connection.answer(200, b"b")
    assert client.read_response().body == b"b"


def test_h1_head_of_a_chunked_resource_has_no_body(lab):
    client, origin, _ = lab.pair()
    client.send(request("HEAD"), request("GET", "/2"))
    connection = origin.accept()
    connection.expect("HEAD")
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.read_response("HEAD")
    connection.expect("GET", "/2")
    connection.answer(200, b"b")
    assert client.read_response().body == b"b"


@pytest.mark.parametrize("status, fields", [
    (204, ""), (304, ""), (304, "Content-Length: 99\r\n"), (304, "Transfer-Encoding: chunked\r\n"),
])
def test_h1_204_and_304_end_with_their_head(lab, status, fields):
    client, origin, _ = lab.pair()
    client.send(request(), request("GET", "/2"))
    connection = origin.accept()
    connection.expect()
    connection.send(f"HTTP/1.1 {status} Fine\r\n{fields}\r\n")
    answer = client.read_response()
    assert answer.status == status
    assert status != 204 or answer.length is None
    connection.expect("GET", "/2")
    connection.answer(200, b"b")
    assert client.read_response().body == b"b"


# ---- Interim answers.
def test_h1_103_reaches_the_client_before_the_answer(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    hint = client.read_head()
    assert (hint.status, hint.header("link")) == (103, "</a.css>")
    connection.answer(200, b"done")
    assert client.read_response().body == b"done"


def test_h1_several_interim_answers_pass(lab):
    hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    answer = answered(lab, hint.encode() * 3 + response(200, b"x"))
    assert [i.status for i in answer.interim] == [103, 103, 103]


def test_h1_http_1_0_client_gets_no_interim_answers(lab):
    answer = answered(lab, b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(200, b"x"), version="1.0")
    assert answer.interim == [] and answer.body == b"x"


def test_h1_100_that_nobody_expects_does_no_harm(lab):
    answer = answered(lab, b"HTTP/1.1 100 Continue\r\n\r\n" + response(200, b"x"))
    assert answer.body == b"x"


def test_h1_101_that_nobody_asked_for_is_a_bad_gateway(lab):
    answer = answered(lab, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                           b"Connection: upgrade\r\n\r\n")
    assert_refused(answer, "upstream_upgrade")
    answer.connection.expect_ended()


# ---- Early answers.
def test_h1_early_answer_reaches_a_client_that_still_sends(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Content-Length": "1000000"}), "x" * 1000)
    connection = origin.accept()
    connection.read_head()
    connection.answer(403, b"no", headers={"Connection": "close"})
    connection.shutdown_write()
    assert client.read_response().body == b"no"
    # The client goes on as if it had not seen the answer; it must not be reset for a while.
    client.send("x" * 100_000)
    client.shutdown_write()
    client.expect_end()


def test_h1_early_answer_does_not_end_a_body_that_the_origin_still_takes(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Content-Length": "6"}), "abc")
    connection = origin.accept()
    connection.read_head()
    connection.read_exact(3)
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    head = client.read_head()
    assert client.read_exact(2) == b"ab"
    client.send("def")
    assert connection.read_exact(3) == b"def"
    connection.send("cd")
    assert client.read_exact(2) == b"cd"
    assert head.status == 200


def test_h1_early_answer_of_an_origin_that_closes_without_reading_is_seen(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Content-Length": "9000000"}))
    connection = origin.accept()
    connection.read_head()
    connection.answer(413, b"too much", headers={"Connection": "close"})
    connection.close()
    assert client.read_response().status == 413


# ---- Half-close.
def test_h1_client_may_shut_down_writing_after_its_request(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    client.shutdown_write()
    origin.serve_one(200, b"late")
    assert client.read_response().body == b"late"
    client.expect_end()


def test_h1_pipelined_requests_before_a_half_close_are_all_answered(lab):
    client, origin, _ = lab.pair()
    client.send(request("GET", "/1"), request("GET", "/2"))
    client.shutdown_write()
    connection = origin.accept()
    for target in ("/1", "/2"):
        connection.expect("GET", target)
        connection.answer(200, target)
        assert client.read_response().body == target.encode()
    client.expect_end()


def test_h1_half_close_within_a_body_ends_the_exchange(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Content-Length": "10"}), "abc")
    connection = origin.accept()
    connection.read_head()
    assert connection.read_exact(3) == b"abc"
    client.shutdown_write()
    connection.expect_ended()


# ---- Keep-alive and pipelining.
def test_h1_connections_are_kept_on_both_sides(lab):
    client, origin, _ = lab.pair()
    connection = None
    for n in range(5):
        client.send(request("GET", f"/{n}"))
        connection = connection or origin.accept()
        connection.expect("GET", f"/{n}")
        connection.answer(200, str(n))
        assert client.read_response().body == str(n).encode()
    assert len(origin.connections) == 1


def test_h1_pipelined_requests_are_answered_in_order(lab):
    client, origin, _ = lab.pair()
    client.send(*(request("GET", f"/{n}") for n in range(10)))
    connection = origin.accept()
    for n in range(10):
        connection.expect("GET", f"/{n}")
        connection.answer(200, f"answer {n}")
    assert [client.read_response().body for _ in range(10)] == [
        f"answer {n}".encode() for n in range(10)]


def test_h1_request_pipelined_behind_a_body_is_found(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", "/1", body="a" * 70_000) + request("POST", "/2", chunks=["b"])
                + request("GET", "/3"))
    connection = origin.accept()
    for target, body in (("/1", b"a" * 70_000), ("/2", b"b"), ("/3", b"")):
        assert connection.expect(target=target).body == body
        connection.answer(200, target)
        assert client.read_response().body == target.encode()


def test_h1_pipelined_request_behind_a_refused_one_is_not_served(lab):
    client, origin, _ = lab.pair()
    client.send("GET / HTTP/1.1\r\n\r\n", request("GET", "/smuggled"))
    assert_refused(client.read_response(), "bad_host")
    client.expect_ended()
    assert not origin.connections


# ---- Origins that misbehave.
@pytest.mark.parametrize("raw, reason", [
    (b"", "upstream_reset"),
    (b"HTTP/1.1 200 OK\r\nContent-", "upstream_reset"),
    (b"garbage\r\n\r\n", "upstream_bad_head"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "upstream_bad_framing"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "upstream_head_too_large"),
], ids=["nothing", "half a head", "no head", "two lengths", "large head"])
def test_h1_bad_answer_is_a_bad_gateway_that_says_why(lab, raw, reason):
    client, origin, _ = lab.pair(route={"retry": {"num_retries": 0}})
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(raw)
    connection.shutdown_write()
    assert_refused(client.read_response(), reason)


@pytest.mark.parametrize("framing, half, rest", [
    ("Content-Length: 10", b"half", b""),
    ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n", b""),
    ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n", b"ZZ\r\n"),
], ids=["length", "chunked", "bad chunk"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_h1_truncated_answer_is_not_passed_off_as_whole(lab, framing, half, rest, how):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n", half)
    assert client.read_head().status == 200
    client.read_until("half")
    connection.send(rest)
    getattr(connection, how)()
    assert b"0\r\n\r\n" not in client.read_to_end_or_reset()
    assert gateway.log(1)[0]["reason"] in ("upstream_truncated", "upstream_bad_framing")


def test_h1_reset_of_a_close_delimited_answer_is_not_passed_off_as_its_end(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send(response(200, b"half", framed=False))
    head = client.read_head()
    client.read_until("half")
    connection.reset()
    if head.chunked:
        with pytest.raises((ConnectionEnded, ConnectionResetError)):
            client.read_until("0\r\n\r\n")
    else:
        client.expect_reset()


def test_h1_bytes_behind_an_answer_are_not_the_next_answer(lab):
    client, origin, _ = lab.pair()
    client.send(request("GET", "/1"))
    first = origin.accept()
    first.expect()
    first.send(response(200, b"mine"), response(200, b"poison"))
    assert client.read_response().body == b"mine"
    client.send(request("GET", "/2"))
    second = origin.accept()
    second.expect("GET", "/2")
    second.answer(200, b"clean")
    assert client.read_response().body == b"clean"
    first.expect_ended()


def test_h1_bytes_on_an_idle_upstream_connection_are_not_the_next_answer(lab):
    client, origin, gateway = lab.pair()
    client.send(request("GET", "/1"))
    first, _ = origin.serve_one(200, b"mine")
    assert client.read_response().body == b"mine"
    first.send(response(200, b"poison"))
    first.expect_ended()
    client.send(request("GET", "/2"))
    origin.serve_one(200, b"clean")
    assert client.read_response().body == b"clean"


def test_h1_client_that_leaves_cancels_the_request_upstream(lab):
    client, origin, gateway = lab.pair()
    client.send(request())
    connection = origin.accept()
    connection.expect()
    client.reset()
    connection.expect_ended()
    line = gateway.log(1)[0]
    assert (line["status"], line["reason"]) == (499, "client_closed")
