# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1, the request's way: what an origin is told, and what it is not."""
import re

import pytest
from support.message import request
from support.refusal import assert_refused


def forwarded(lab, raw, **changes):
    """What the origin gets for the bytes `raw`."""
    client, origin, _ = lab.pair(**changes)
    client.send(raw)
    connection, found = origin.serve_one()
    assert client.read_response().status == 200
    found.connection = connection
    return found


# ---- Request line.
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE",
                                    "M-SEARCH"])
def test_h1_method_is_kept(lab, method):
    assert forwarded(lab, request(method, "/x")).method == method


@pytest.mark.parametrize("target", ["/", "/a/b", "/a?b=c&d", "/a?", "/a?x=/../y", "/%E4%BD%A0",
                                    "/a;p=1", "/a/b/"])
def test_h1_normal_target_is_kept(lab, target):
    assert forwarded(lab, request("GET", target)).target == target


@pytest.mark.parametrize("target, normal", [
    ("/a/./b", "/a/b"),
    ("/a/../b", "/b"),
    ("//a", "/a"),
    ("/%61", "/a"),
    ("/%e4", "/%E4"),
])
def test_h1_path_reaches_the_origin_in_its_normal_form(lab, target, normal):
    assert forwarded(lab, request("GET", target)).target == normal


def test_h1_absolute_form_becomes_origin_form_and_its_authority_replaces_host(lab):
    found = forwarded(lab, request("GET", "http://B.test:81/p?q", host="a.test"))
    assert (found.target, found.header("host")) == ("/p?q", "b.test:81")


def test_h1_absolute_form_without_path_asks_for_the_root(lab):
    assert forwarded(lab, request("GET", "http://b.test")).target == "/"


def test_h1_options_asterisk_asks_weir_itself(lab):
    client, origin, _ = lab.pair()
    answer = client.request("OPTIONS", "*")
    assert answer.status == 200 and "OPTIONS" in answer.header("allow")
    assert not origin.connections


def test_h1_version_upstream_is_always_1_1(lab):
    assert forwarded(lab, request(version="1.0")).version == "1.1"


def test_h1_empty_line_before_the_request_line_is_skipped(lab):
    assert forwarded(lab, b"\r\n" + request("GET", "/x")).target == "/x"


def test_h1_head_may_come_byte_by_byte(lab):
    client, origin, _ = lab.pair()
    for byte in request("GET", "/slow", headers={"X-A": "b"}):
        client.send(bytes([byte]))
    _, found = origin.serve_one()
    assert (found.target, found.header("x-a")) == ("/slow", "b")
    assert client.read_response().status == 200


# ---- Refused methods.
@pytest.mark.parametrize("raw", [
    request("TRACE", "/"),
    request("CONNECT", "a.test:443", host="a.test:443"),
], ids=["TRACE", "CONNECT"])
def test_h1_trace_and_connect_are_refused(lab, raw):
    client, _, _ = lab.pair()
    client.send(raw)
    answer = client.read_response()
    assert_refused(answer, "method_refused")
    assert answer.header("allow") is not None


# ---- Host.
def test_h1_host_is_the_first_field_and_in_lower_case(lab):
    found = forwarded(lab, request(host="App.Example.COM:8080"))
    assert found.headers.pairs[0] == ("Host", "app.example.com:8080")


def test_h1_http_1_0_may_come_without_host(lab):
    found = forwarded(lab, "GET /old HTTP/1.0\r\n\r\n")
    assert found.target == "/old"
    assert len(found.headers.all("host")) == 1


# ---- Hop-by-hop.
@pytest.mark.parametrize("name, value", [
    ("Connection", "keep-alive"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "gzip"),
])
def test_h1_hop_by_hop_field_is_removed(lab, name, value):
    found = forwarded(lab, request(headers={name: value, "X-End": "1"}))
    assert name not in found.headers
    assert found.header("x-end") == "1"


def test_h1_fields_that_connection_names_are_removed(lab):
    found = forwarded(lab, request(headers=[("Connection", "x-one, X-TWO"), ("X-One", "1"),
                                            ("x-two", "2"), ("x-two", "3"), ("X-Three", "4")]))
    assert "x-one" not in found.headers and "x-two" not in found.headers
    assert found.header("x-three") == "4"


@pytest.mark.parametrize("name", ["host", "content-length", "x-forwarded-for", "cookie",
                                  "authorization", "x-request-id"])
def test_h1_connection_cannot_strip_a_field_that_others_rely_on(lab, name):
    found = forwarded(lab, request("POST", body="abc", headers=[
        ("Connection", name), ("Cookie", "c=1"), ("Authorization", "x y"), ("X-Request-Id", "i")]))
    assert found.body == b"abc"
    assert found.header(name)


def test_h1_te_trailers_is_passed_on(lab):
    found = forwarded(lab, request(headers={"TE": "trailers", "Connection": "te"}))
    assert found.header("te") == "trailers"


def test_h1_client_that_closes_does_not_close_upstream(lab):
    client, origin, gateway = lab.pair()
    client.send(request(headers={"Connection": "close"}))
    connection, found = origin.serve_one()
    assert "close" not in found.headers.all("connection")
    answer = client.read_response()
    assert answer.header("connection") == "close"
    client.expect_end()
    second = lab.client(gateway)
    second.send(request("GET", "/again"))
    connection.expect("GET", "/again")
    connection.answer()
    assert second.read_response().status == 200


# ---- What weir adds.
def test_h1_via_is_added(lab):
    assert forwarded(lab, request()).headers.all("via") == ["1.1 weir"]


def test_h1_via_is_appended_to_what_came(lab):
    found = forwarded(lab, request(headers={"Via": "1.0 other"}))
    assert ", ".join(found.headers.all("via")) == "1.0 other, 1.1 weir"


def test_h1_via_names_the_version_that_came(lab):
    assert forwarded(lab, request(version="1.0")).headers.all("via") == ["1.0 weir"]


def test_h1_forwarding_fields_tell_the_peer(lab):
    found = forwarded(lab, request(host="a.test:8080"))
    assert found.header("x-forwarded-for") == "127.0.0.1"
    assert found.header("x-forwarded-proto") == "http"
    assert found.header("x-forwarded-host") == "a.test:8080"
    assert found.header("forwarded") == 'for=127.0.0.1;host="a.test:8080";proto=http'


LIES = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"), ("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6")]


def test_h1_forwarding_fields_of_strangers_are_replaced(lab):
    found = forwarded(lab, request(headers=LIES))
    assert "6.6.6.6" not in repr(found.headers) and "evil.test" not in repr(found.headers)
    assert found.header("x-forwarded-for") == "127.0.0.1"
    assert found.header("x-forwarded-proto") == "http"


def test_h1_forwarding_fields_of_trusted_proxies_are_kept_and_appended_to(lab):
    found = forwarded(lab, request(headers=LIES), trusted_proxies=["127.0.0.0/8"])
    assert ", ".join(found.headers.all("x-forwarded-for")) == "6.6.6.6, 127.0.0.1"
    assert found.header("x-forwarded-proto") == "https"
    assert found.header("x-forwarded-host") == "evil.test"
    assert ", ".join(found.headers.all("forwarded")).startswith("for=6.6.6.6, for=127.0.0.1")


def test_h1_request_id_is_begun(lab):
    assert re.fullmatch("[0-9a-f]{32}", forwarded(lab, request()).header("x-request-id"))


def test_h1_request_id_differs_from_request_to_request(lab):
    client, origin, _ = lab.pair()
    client.send(request())
    connection, first = origin.serve_one()
    client.read_response()
    client.send(request())
    second = connection.expect()
    connection.answer()
    client.read_response()
    assert first.header("x-request-id") != second.header("x-request-id")


def test_h1_request_id_of_a_trusted_proxy_is_kept(lab):
    found = forwarded(lab, request(headers={"X-Request-Id": "mine-1"}),
                      trusted_proxies=["127.0.0.1"])
    assert found.header("x-request-id") == "mine-1"


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_h1_traceparent_is_passed_on(lab):
    found = forwarded(lab, request(headers={"traceparent": TRACE, "tracestate": "a=b"}),
                      trusted_proxies=["127.0.0.1"])
    assert found.header("traceparent").split("-")[1] == TRACE.split("-")[1]
    assert found.header("tracestate") == "a=b"


def test_h1_traceparent_is_begun_where_none_came(lab):
    found = forwarded(lab, request())
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", found.header("traceparent"))


def test_h1_invalid_traceparent_is_replaced(lab):
    found = forwarded(lab, request(headers={"traceparent": "00-nonsense-1-01"}),
                      trusted_proxies=["127.0.0.1"])
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", found.header("traceparent"))


def test_h1_other_fields_keep_order_case_and_value(lab):
    fields = [("X-b", "1"), ("x-A", "two words"), ("X-b", "3"), ("X-Empty", ""),
              ("X-High", "caf\xe9")]
    found = forwarded(lab, request(headers=fields))
    assert [p for p in found.headers.pairs if p[0].lower() in ("x-a", "x-b", "x-empty", "x-high")
            ] == fields


def test_h1_white_space_around_a_value_is_not_passed_on(lab):
    found = forwarded(lab, "GET / HTTP/1.1\r\nHost: a\r\nX-A: \t b  \r\n\r\n")
    assert b"X-A: b\r\n" in found.raw_head


# ---- Max-Forwards.
def test_h1_options_with_max_forwards_0_is_answered_here(lab):
    client, origin, _ = lab.pair()
    answer = client.request("OPTIONS", "/", headers={"Max-Forwards": "0"})
    assert answer.status == 200
    assert not origin.connections


def test_h1_options_with_max_forwards_is_counted_down(lab):
    found = forwarded(lab, request("OPTIONS", "/", headers={"Max-Forwards": "3"}))
    assert found.header("max-forwards") == "2"


# ---- Bodies.
def test_h1_body_with_length_keeps_its_length(lab):
    found = forwarded(lab, request("POST", body="abc"))
    assert (found.length, found.body) == (3, b"abc")


def test_h1_empty_body_keeps_its_length(lab):
    assert forwarded(lab, request("POST", body="")).length == 0


def test_h1_get_without_body_gets_no_framing(lab):
    found = forwarded(lab, request())
    assert found.length is None and not found.chunked


def test_h1_get_may_have_a_body(lab):
    assert forwarded(lab, request("GET", body="abc")).body == b"abc"


def test_h1_chunked_body_stays_chunked(lab):
    found = forwarded(lab, request("POST", chunks=["a", "bc", "d" * 5000]))
    assert found.chunked and found.body == b"abc" + b"d" * 5000


def test_h1_request_trailers_are_passed_on(lab):
    found = forwarded(lab, request("POST", chunks=["a"], trailers={"X-Sum": "7"}))
    assert found.trailers.pairs == [("X-Sum", "7")]


@pytest.mark.parametrize("name", ["Content-Length", "Host", "Transfer-Encoding", "Authorization"])
def test_h1_trailers_that_may_not_be_trailers_are_dropped(lab, name):
    found = forwarded(lab, request("POST", chunks=["a"], trailers={name: "5", "X-Ok": "1"}))
    assert found.trailers.pairs == [("X-Ok", "1")]


def test_h1_chunk_extensions_are_dropped(lab):
    found = forwarded(lab, request("POST", headers={"Transfer-Encoding": "chunked"})
                      + b"3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n")
    assert found.body == b"abc"


def test_h1_body_reaches_the_origin_before_it_is_complete(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Content-Length": "6"}), "abc")
    connection = origin.accept()
    head = connection.read_head()
    assert connection.read_exact(3) == b"abc"
    client.send("def")
    assert connection.read_exact(3) == b"def"
    connection.answer()
    assert client.read_response().status == 200
    assert head.length == 6


def test_h1_chunk_reaches_the_origin_before_the_next(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Transfer-Encoding": "chunked"}), "3\r\nabc\r\n")
    connection = origin.accept()
    connection.read_head()
    assert connection.read_chunk() == b"abc"
    client.send("1\r\nd\r\n0\r\n\r\n")
    assert connection.read_chunk() == b"d"
    assert connection.read_chunk() == b""


# ---- Expect.
def test_h1_expect_continue_is_answered_once_an_origin_is_there(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Expect": "100-continue", "Content-Length": "3"}))
    connection = origin.accept()
    assert "expect" not in connection.read_head().headers
    assert client.read_head().status == 100
    client.send("abc")
    assert connection.read_exact(3) == b"abc"
    connection.answer(201)
    answer = client.read_response()
    assert (answer.status, answer.interim) == (201, [])


def test_h1_expect_continue_is_not_answered_where_no_origin_is(lab):
    gateway = lab.relay("127.0.0.1:1", route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(request("POST", headers={"Expect": "100-continue", "Content-Length": "3"}))
    answer = client.read_response()
    assert_refused(answer, "connect_refused")
    assert answer.interim == []


def test_h1_100_of_the_origin_is_not_sent_twice(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", headers={"Expect": "100-continue", "Content-Length": "3"}))
    connection = origin.accept()
    connection.read_head()
    assert client.read_head().status == 100
    client.send("abc")
    connection.send("HTTP/1.1 100 Continue\r\n\r\n")
    connection.answer(200, b"x")
    answer = client.read_response()
    assert (answer.body, answer.interim) == (b"x", [])


def test_h1_client_that_expects_continue_may_send_the_body_unasked(lab):
    client, origin, _ = lab.pair()
    client.send(request("POST", body="abc", headers={"Expect": "100-continue"}))
    _, found = origin.serve_one()
    assert found.body == b"abc"
    assert client.read_response().status == 200


def test_h1_refused_request_with_expect_gets_no_100(lab):
    client, _, _ = lab.pair(route={"limits": {"max_request_bytes": 2}})
    client.send(request("POST", headers={"Expect": "100-continue", "Content-Length": "3"}))
    answer = client.read_response()
    assert_refused(answer, "body_too_large")
    assert answer.interim == []


def test_h1_other_expectations_fail(lab):
    client, _, _ = lab.pair()
    assert_refused(client.get(headers={"Expect": "tea"}), "expectation_failed")


# ---- Upgrade.
def test_h1_upgrade_is_refused(lab):
    client, origin, _ = lab.pair()
    answer = client.get(headers={"Connection": "upgrade", "Upgrade": "websocket"})
    assert_refused(answer, "upgrade_refused")
    assert not origin.connections


def test_h1_upgrade_that_connection_does_not_name_is_only_removed(lab):
    found = forwarded(lab, request(headers={"Upgrade": "websocket"}))
    assert "upgrade" not in found.headers
