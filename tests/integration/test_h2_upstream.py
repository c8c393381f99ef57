# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards origins: connections are shared and grow by need; what an origin refuses is tried
again, and what it breaks off is seen."""
import pytest
from support.h2frames import (CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM,
                              frame_bytes)
from support.message import request
from support.pairing import Pairing
from support.refusal import assert_refused
from support.waiting import eventually

FAST = {"retry": {"backoff": {"base": "1ms", "max": "1ms"}}}
H2 = {"protocol": "http2"}


def connections_open(gateway):
    return gateway.metric("weir_cluster_connections", cluster="app")


def holding(lab, settings=(), **changes):
    """An origin that answers when told: (gateway, origin, what waits)."""
    waiting = []
    origin = lab.h2_serving(lambda found, connection: waiting.append((found, connection)),
                            settings=settings)
    return lab.relay(origin, cluster=changes.pop("cluster", H2), **changes), origin, waiting


def ask_many(lab, gateway, count):
    clients = [lab.client(gateway) for _ in range(count)]
    for n, client in enumerate(clients):
        client.send(request("GET", f"/{n}"))
    return clients


def answer_all(clients, waiting):
    for found, connection in list(waiting):
        connection.answer(found, 200, found.target.encode())
    for n, client in enumerate(clients):
        assert client.read_response().body == f"/{n}".encode()


# ---- Sharing.
def test_h2up_many_requests_share_few_connections(lab):
    gateway, origin, waiting = holding(lab)
    clients = ask_many(lab, gateway, 100)
    eventually(lambda: len(waiting) == 100, "all requests are at the origin")
    assert len(origin.connections) <= 2, len(origin.connections)
    answer_all(clients, waiting)


def test_h2up_grows_beyond_the_origins_limit_of_streams(lab):
    gateway, origin, waiting = holding(lab, settings={"max_concurrent_streams": 5})
    warm = lab.client(gateway)
    warm.send(request("GET", "/warm"))
    eventually(lambda: waiting, "the first request")
    found, connection = waiting.pop()
    connection.answer(found)
    warm.read_response()
    clients = ask_many(lab, gateway, 23)
    eventually(lambda: len(waiting) == 23, "all requests are at the origin")
    assert len(origin.connections) == 5
    per = [sum(c is connection for _, c in waiting) for connection in origin.connections]
    assert max(per) <= 5, per
    answer_all(clients, waiting)


def test_h2up_own_limit_of_streams_holds_too(lab):
    gateway, origin, waiting = holding(
        lab, cluster={**H2, "http2": {"max_concurrent_streams": 4}})
    clients = ask_many(lab, gateway, 12)
    eventually(lambda: len(waiting) == 12, "all requests are at the origin")
    assert len(origin.connections) == 3
    answer_all(clients, waiting)


def test_h2up_max_connections_lets_requests_wait_for_streams(lab):
    gateway, origin, waiting = holding(
        lab, settings={"max_concurrent_streams": 2},
        cluster={**H2, "http2": {"max_concurrent_streams": 2},
                 "resource_limits": {"max_connections": 1}})
    clients = ask_many(lab, gateway, 4)
    eventually(lambda: len(waiting) == 2, "two are served")
    eventually(lambda: gateway.metric("weir_cluster_requests_pending", cluster="app") == 2,
               "two wait")
    answered = 0
    while answered < 4:
        eventually(lambda: waiting, "the next request")
        found, connection = waiting.pop(0)
        connection.answer(found, 200, found.target.encode())
        answered += 1
    for n, client in enumerate(clients):
        assert client.read_response().body == f"/{n}".encode()
    assert len(origin.connections) == 1


def test_h2up_limit_that_the_origin_lowers_is_kept(lab):
    gateway, origin, waiting = holding(lab)
    clients = ask_many(lab, gateway, 1)
    eventually(lambda: len(waiting) == 1, "the first request")
    first = waiting[0][1]
    first.send_settings(max_concurrent_streams=1)
    eventually(lambda: first.settings_acks >= 2 or len(first.frames) > 3, "the change is known", 5)
    clients += [lab.client(gateway)]
    clients[1].send(request("GET", "/1"))
    eventually(lambda: len(waiting) == 2, "the second request")
    assert waiting[1][1] is not first
    answer_all(clients, waiting)


def test_h2up_limit_that_the_origin_raises_is_used(lab):
    gateway, origin, waiting = holding(lab, settings={"max_concurrent_streams": 1})
    clients = ask_many(lab, gateway, 1)
    eventually(lambda: len(waiting) == 1, "the first request")
    first = waiting[0][1]
    first.send_settings(max_concurrent_streams=50)
    eventually(lambda: first.settings_acks >= 2, "the change is known")
    for n in range(1, 20):
        clients.append(lab.client(gateway))
        clients[n].send(request("GET", f"/{n}"))
    eventually(lambda: len(waiting) == 20, "all requests")
    assert len(origin.connections) == 1
    answer_all(clients, waiting)


def test_h2up_idle_connection_is_closed_after_idle_timeout(lab):
    pairing = Pairing(lab, "1-2", cluster={"pool": {"idle_timeout": "200ms"}})
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.answer(200, b"ok")
    caller.response()
    answerer.peer.read_all()
    eventually(lambda: connections_open(pairing.gateway) == 0, "it is gone")


def test_h2up_pool_max_requests_replaces_the_connection(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={**H2, "pool": {"max_requests": 3}})
    client = lab.client(gateway)
    for _ in range(9):
        assert client.get().body == b"ok"
    assert len(origin.connections) == 3


# ---- Refusals.
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_h2up_refused_stream_is_tried_again(lab, method):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send(method, body=b"pay" if method == "POST" else None)
    found = answerer.request()
    answerer.peer.send_reset(found.stream, REFUSED_STREAM)
    again = answerer.request()
    assert (again.method, again.body) == (method, found.body)
    assert again.stream > found.stream
    answerer.answer(200, b"second")
    assert caller.response().body == b"second"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_h2up_goaway_that_did_not_process_is_tried_again(lab, method):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send(method, body=b"pay" if method == "POST" else None)
    found = answerer.request()
    answerer.peer.send_goaway(last=0)
    other = pairing.origin.accept()
    again = other.expect(method)
    assert again.body == found.body
    other.answer(again, 200, b"second")
    assert caller.response().body == b"second"


def test_h2up_goaway_finishes_what_was_processed_and_goes_on_elsewhere(lab):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send("GET", "/1")
    found = answerer.request()
    answerer.peer.send_goaway(last=found.stream)
    answerer.peer.sync()
    late = pairing.caller()
    late.send("GET", "/2")
    other = pairing.origin.accept()
    other.answer(other.expect("GET", "/2"), 200, b"2")
    assert late.response().body == b"2"
    answerer.answer(200, b"1")
    assert caller.response().body == b"1"
    answerer.peer.read_all()


def test_h2up_graceful_goaway_in_two_steps(lab):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send("GET", "/1")
    found = answerer.request()
    answerer.peer.send_goaway(last=(1 << 31) - 1)
    answerer.peer.sync()
    answerer.peer.send_goaway(last=found.stream)
    answerer.answer(200, b"1")
    assert caller.response().body == b"1"


def test_h2up_refused_for_ever_is_503(lab):
    origin = lab.h2_serving(lambda f, c: c.send_reset(f.stream, REFUSED_STREAM))
    gateway = lab.relay(origin, cluster=H2, route=FAST)
    answer = lab.client(gateway).request("POST", body="x")
    assert_refused(answer, "upstream_refused_stream")
    assert origin.count() == 3


@pytest.mark.parametrize("code", [CANCEL, INTERNAL_ERROR, ENHANCE_YOUR_CALM, NO_ERROR])
def test_h2up_post_that_was_reset_is_not_repeated(lab, code):
    origin = lab.h2_serving(lambda f, c: c.send_reset(f.stream, code))
    gateway = lab.relay(origin, cluster=H2, route=FAST)
    assert lab.client(gateway).request("POST", body="x").status == 502
    assert origin.count() == 1


def test_h2up_get_that_was_reset_is_repeated(lab):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send()
    found = answerer.request()
    answerer.peer.send_reset(found.stream, INTERNAL_ERROR)
    answerer.request()
    answerer.answer(200, b"second")
    assert caller.response().body == b"second"


def test_h2up_post_whose_connection_died_is_not_repeated(lab):
    pairing = Pairing(lab, "1-2", route=FAST)
    caller, answerer = pairing.ends()
    caller.send("POST", body=b"x")
    answerer.request()
    answerer.peer.close()
    assert_refused(caller.response(), "upstream_reset")


# ---- In the middle.
@pytest.mark.parametrize("which", ["1-2", "2-2"])
def test_h2up_reset_in_mid_body_is_seen_by_the_client_and_by_nobody_else(lab, which):
    pairing = Pairing(lab, which)
    broken, answerer = pairing.ends()
    other = pairing.caller()
    broken.send("GET", "/broken")
    other.send("GET", "/other")
    heads = {f.target: f for f in (answerer.head(), answerer.head())}
    connection = answerer.peer
    for found in heads.values():
        connection.send_head(found.stream, 200)
        connection.send_data(found.stream, b"half", end=False)
    broken.head()
    connection.send_reset(heads["/broken"].stream, INTERNAL_ERROR)
    broken.expect_cut()
    other_head = other.head() if pairing.down == 1 else None
    connection.send_data(heads["/other"].stream, b"whole", end=True)
    if pairing.down == 2:
        assert other.response().body == b"halfwhole"
    else:
        other.peer.read_response_body(other_head)
        assert other_head.body == b"halfwhole"


def test_h2up_reset_no_error_after_a_whole_answer_is_fine(lab):
    """RFC 9113, 8.1: an origin that wants no more of the request body."""
    pairing = Pairing(lab, "2-2")
    caller, answerer = pairing.ends()
    caller.send_head("POST", length=100_000)
    caller.send_data(b"x" * 10)
    answerer.head()
    answerer.answer(413, b"enough")
    answerer.peer.send_reset(answerer.stream, NO_ERROR)
    message = caller.peer.message(caller.stream)
    caller.peer.wait(lambda: message.ended, "the answer")
    assert (message.status, message.body) == (413, b"enough")


def test_h2up_content_length_that_lies_is_no_whole_answer(lab):
    for stated, sent in ((10, b"short"), (3, b"too long")):
        pairing = Pairing(lab, "2-2", route={"retry": {"num_retries": 0}})
        caller, answerer = pairing.ends()
        caller.send()
        answerer.request()
        answerer.answer(200, sent, [("content-length", str(stated))])
        found = caller.peer.outcome(caller.stream)
        assert found.headers is None or found.status == 502 or not found.ended, found


# ---- SETTINGS.
def test_h2up_origins_window_is_respected_and_its_change_too(lab):
    pairing = Pairing(lab, "1-2", settings={"initial_window_size": 10},
                      route={"limits": {"max_request_bytes": 0}})
    caller, answerer = pairing.ends()
    caller.send_head("POST", length=100)
    caller.send_data(b"x" * 100)
    connection = answerer.accept()
    connection.opens_windows = False
    found = answerer.head()
    connection.settle()
    # What was sent before the origin's SETTINGS came was sent by the default window.
    if found.received < 100:
        assert found.received == 10
        connection.send_settings(initial_window_size=40)
        connection.wait(lambda: found.received >= 40, "the larger window")
        connection.settle()
        assert found.received == 40
        connection.send_window(found.stream, 60)
    connection.wait(lambda: found.ended, "the rest")
    answerer.answer()
    assert caller.response().status == 200


def test_h2up_header_table_size_0_is_respected(lab):
    """hpack's decoder fails if the encoder does not say that it obeys."""
    pairing = Pairing(lab, "1-2", settings={"header_table_size": 0})
    caller, answerer = pairing.ends()
    for n in range(3):
        caller.send("GET", f"/{n}", [("X-Same", "value")])
        assert answerer.request().header("x-same") == "value"
        if n == 0:
            answerer.peer.decoder.max_allowed_table_size = 0
        answerer.answer()
        caller.response()


def test_h2up_unknown_frames_and_settings_are_ignored(lab):
    pairing = Pairing(lab, "1-2")
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.peer.send_frame(frame_bytes(0xbe, 0xff, answerer.stream, b"odd"),
                             frame_bytes(4, 0, 0, b"\xba\xba\0\0\0\1"))
    answerer.answer(200, b"ok")
    assert caller.response().body == b"ok"


def test_h2up_ping_is_answered(lab):
    pairing = Pairing(lab, "1-2")
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    answerer.peer.sync()
    answerer.answer()
    caller.response()


def test_h2up_push_is_refused(lab):
    pairing = Pairing(lab, "1-2")
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    connection = answerer.peer
    assert connection.peer_settings.get(2) == 0
    block = connection.encoder.encode([(b":method", b"GET"), (b":scheme", b"http"),
                                       (b":path", b"/p"), (b":authority", b"a.test")])
    connection.send_frame(frame_bytes(5, 4, answerer.stream, b"\0\0\0\2" + block))
    connection.read_all()
    assert connection.goaways and connection.goaways[-1].error_code != NO_ERROR


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 50,
                                      frame_bytes(6, 0, 0, b"12345678")],
                         ids=["http/1", "zeros", "no settings"])
def test_h2up_origin_that_does_not_speak_http2_is_502(lab, greeting):
    origin = lab.origin()
    gateway = lab.relay(origin, cluster=H2, route={"retry": {"num_retries": 0}})
    client = lab.client(gateway)
    client.send(request())
    connection = origin.accept()
    connection.send(greeting)
    assert client.read_response().status == 502
    connection.expect_ended()


def test_h2up_response_timeout_ends_the_stream_only(lab):
    pairing = Pairing(lab, "1-2", cluster={"response_timeout": "200ms"},
                      route={"retry": {"num_retries": 0}})
    caller, answerer = pairing.ends()
    caller.send()
    answerer.request()
    assert_refused(caller.response(), "upstream_timeout")
    answerer.expect_cut()
    caller.send("GET", "/next")
    assert answerer.request().target == "/next"
    answerer.answer()
    assert caller.response().status == 200


def test_h2up_reuse_is_logged(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster=H2)
    client = lab.client(gateway)
    for _ in range(3):
        client.get()
    assert [line["upstream_reused"] for line in gateway.log(3)] == [False, True, True]


@pytest.mark.tsan
def test_h2up_two_workers_under_load(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster=H2, workers=2)
    clients = [lab.h2_client(gateway) for _ in range(10)]
    streams = [(c, c.send_request("POST", body=b"x" * 1000)) for c in clients for _ in range(20)]
    for client, stream in streams:
        assert client.read_response(stream).body == b"ok"
    assert len(origin.connections) <= 20
