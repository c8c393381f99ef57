# SPDX-License-Identifier: Apache-2.0
"""The memory budget: what is refused when it is full, and with which words; that what is accounted
stays within it; that one tenant cannot take what is another's; and that all of it comes back."""
import pytest
from support.h2frames import REFUSED_STREAM
from support.lab import config_for
from support.message import request
from support.refusal import assert_refused
from support.waiting import eventually

MIB = 1024 * 1024
TENANTS = {"identity": {"tenant": [{"header": "x-tenant"}]}, "tenants": {"open": True},
           "trusted_proxies": ["127.0.0.0/8"]}


def accounted(gateway):
    return gateway.metric("weir_memory_accounted_bytes")


def stage(gateway):
    return gateway.metric("weir_memory_stage_percent")


def refusals(gateway, reason):
    return gateway.metric("weir_memory_refusals_total", reason=reason)


def within_budget(gateway, refused=0):
    """At this moment; and the probes see a healthy process. A refusal that is still on its way out
    holds the block that its head is in."""
    metrics = gateway.metrics()
    held = metrics.sum("weir_memory_accounted_bytes")
    most = metrics.sum("weir_memory_budget_bytes") + metrics.sum("weir_memory_error_bound_bytes")
    assert held <= most + refused * 4096, f"{held} of {most}"
    assert gateway.admin("/healthz", tcp=True).status == 200
    assert gateway.admin("/readyz", tcp=True).status == 200
    return held


def all_back(gateway):
    """Nothing but idle connections is charged, and the pressure is over."""
    eventually(lambda: accounted(gateway) < 64 * 1024 and stage(gateway) == 0, "memory is back")


def upload(lab, gateway, length=200_000, sent=1000, headers=None, **rest):
    """A client that has begun to send a body and does not go on."""
    client = lab.client(gateway, **rest)
    client.send(request("POST", "/", headers={"Content-Length": str(length), **(headers or {})}),
                b"x" * sent)
    return client


def sort_out(clients, wait=1.0):
    """(those that wait, the answers of the others)."""
    waiting, answers = [], []
    for client in clients:
        if client.has_input(wait):
            answers.append(client.read_response())
        else:
            waiting.append(client)
        wait = 0.0
    return waiting, answers


def stop(*peers):
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_slow_uploads_stop_at_the_budget(lab, workers):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, memory={"budget": "2MiB"}, workers=workers))
    clients = [upload(lab, gateway) for _ in range(60)]
    waiting, answers = sort_out(clients)
    assert 20 <= len(waiting) <= 30 and answers
    for answer in answers:
        assert_refused(answer, "memory_budget_exceeded")
        assert answer.headers.get("retry-after") == "1"
    assert within_budget(gateway, refused=len(answers)) > 1.5 * MIB
    assert sum(refusals(gateway, why) for why in ("body", "budget", "priority")) == len(answers)
    stop(*clients)
    all_back(gateway)
    again = lab.client(gateway)
    again.send(request("POST", "/", body=b"small"))
    connection = origin.accept()
    while not connection.has_input(0.2) or connection.read_head().length != 5:
        connection = origin.accept()
    connection.answer()
    assert again.read_response().status == 200


def test_memory_whole_body_is_reserved_before_the_client_is_asked_for_it(lab):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, route={"buffer_request": True},
                                     memory={"budget": "4MiB"}))
    expect = {"Expect": "100-continue"}
    first = lab.client(gateway)
    first.send(request("POST", "/", headers={"Content-Length": str(2 * MIB), **expect}))
    assert first.read_head().status == 100
    assert 2 * MIB <= accounted(gateway) < 2.1 * MIB
    second = lab.client(gateway)
    second.send(request("POST", "/", headers={"Content-Length": str(2 * MIB), **expect}))
    answer = second.read_response()
    assert_refused(answer, "memory_budget_exceeded")
    assert answer.interim == []
    within_budget(gateway)
    first.send(b"x" * (2 * MIB))
    connection = origin.accept()
    assert len(connection.read_request().body) == 2 * MIB
    connection.answer()
    assert first.read_response().status == 200
    stop(first, second)
    all_back(gateway)


def test_memory_body_of_unknown_length_is_cut_where_the_budget_ends(lab):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, route={"buffer_request": True},
                                     memory={"budget": "1MiB"}))
    client = lab.client(gateway)
    client.send(request("POST", "/", headers={"Transfer-Encoding": "chunked"}))
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    try:
        for _ in range(32):
            client.send(piece)
    except OSError:
        pass  # refused meanwhile
    assert_refused(client.read_response(), "memory_budget_exceeded")
    within_budget(gateway)
    stop(client)
    all_back(gateway)


def test_memory_tenant_is_held_to_its_share(lab):
    origin = lab.serving()
    config = config_for(origin, memory={"budget": "2MiB"}, **TENANTS)
    config["tenants"]["classes"] = {"small": {"memory_share": "25%"}}
    config["tenants"]["default_class"] = "small"
    gateway = lab.gateway(config)
    clients = [upload(lab, gateway, headers={"X-Tenant": "loud"}) for _ in range(20)]
    waiting, answers = sort_out(clients)
    assert 5 <= len(waiting) <= 8
    for answer in answers:
        assert_refused(answer, "memory_share_exceeded")
        assert answer.headers.get("retry-after") == "1"
    assert accounted(gateway) < 0.6 * MIB and stage(gateway) == 0
    quiet = lab.client(gateway)
    for _ in range(20):
        answer = quiet.request("POST", "/", headers={"X-Tenant": "quiet"}, body=b"x" * 50_000)
        assert answer.status == 200
    stop(quiet, *clients)
    all_back(gateway)


def test_memory_unidentified_requests_have_a_share_of_their_own(lab):
    gateway = lab.gateway(config_for(
        lab.origin(), memory={"budget": "2MiB", "unidentified_share": "10%"}, **TENANTS))
    clients = [upload(lab, gateway) for _ in range(8)]
    waiting, answers = sort_out(clients)
    assert len(waiting) in (2, 3)
    for answer in answers:
        assert_refused(answer, "memory_share_exceeded")
    stop(*clients)
    all_back(gateway)


def test_memory_http2_streams_are_reserved_by_their_windows(lab):
    """The windows of a hundred streams of one client are more than the budget."""
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, memory={"budget": "2MiB"}))
    client = lab.h2_client(gateway)
    streams = []
    for _ in range(100):
        stream = client.open("POST", end=False)
        streams.append(stream)
        client.send_data_frame(stream, b"x" * 8000)
    client.sync()
    found = [client.message(stream) for stream in streams]
    answered = [message for message in found if message.headers is not None]
    unread = [message for message in found if message.headers is None and message.reset]
    assert answered and 60 <= len(answered) + len(unread) <= 80
    assert all(message.status == 503 for message in answered)
    assert all(message.reset == REFUSED_STREAM for message in unread)
    within_budget(gateway)
    # The connection itself goes on.
    stop(*origin.connections)
    stop(client)
    all_back(gateway)


def test_memory_http2_stream_that_cannot_even_begin_is_refused_unread(lab):
    origin = lab.origin()
    gateway = lab.gateway(config_for(origin, route={"buffer_request": True},
                                     memory={"budget": "1MiB"}))
    holder = lab.client(gateway)
    client = lab.h2_client(gateway)
    client.open("POST", headers=[("content-length", "10")], end=False)
    client.sync()
    spare = MIB - int(accounted(gateway)) - 11_000
    holder.send(request("POST", "/", headers={"Content-Length": str(spare),
                                              "Expect": "100-continue"}))
    assert holder.read_head().status == 100
    # By a reset where not even its head fits; what is freed meanwhile may leave room for a 503.
    refused = client.outcome(client.open("GET"))
    assert refused.reset == REFUSED_STREAM or refused.headers.get(":status") == "503", refused
    client.sync()
    within_budget(gateway)
    stop(holder, client)
    all_back(gateway)


def test_memory_slow_readers_of_one_tenant_are_reset_and_others_served(lab):
    body = b"y" * (400 * 1024)
    origin = lab.serving(lambda found, connection: connection.answer(
        200, body if found.target == "/large" else b"small"))
    gateway = lab.gateway(config_for(origin, memory={"budget": "2MiB"}, **TENANTS))
    readers = []
    for _ in range(60):
        client = lab.client(gateway, receive_buffer=4096)
        client.send(request("GET", "/large", headers={"X-Tenant": "loud"}))
        readers.append(client)
    quiet = lab.client(gateway)
    for _ in range(50):
        within_budget(gateway)
        answer = quiet.request("GET", "/", headers={"X-Tenant": "quiet"})
        assert answer.status == 200, answer
    stop(quiet, *readers)
    all_back(gateway)


def test_memory_without_identity_slow_readers_never_exceed_the_budget(lab):
    body = b"y" * (1024 * 1024)
    origin = lab.serving(lambda found, connection: connection.answer(200, body))
    gateway = lab.gateway(config_for(origin, memory={"budget": "1MiB"}))
    readers = []
    for _ in range(60):
        client = lab.client(gateway, receive_buffer=4096)
        client.send(request("GET", "/large"))
        readers.append(client)
        if len(readers) % 10 == 0:
            within_budget(gateway)
    for _ in range(20):
        within_budget(gateway)
    stop(*readers)
    all_back(gateway)


def test_memory_stage_follows_a_reload_of_the_budget(lab):
    origin = lab.origin()
    config = config_for(origin, route={"buffer_request": True}, memory={"budget": "8MiB"})
    gateway = lab.gateway(config)
    holder = lab.client(gateway)
    holder.send(request("POST", "/", headers={"Content-Length": str(2 * MIB),
                                              "Expect": "100-continue"}))
    assert holder.read_head().status == 100
    assert stage(gateway) == 0
    config["memory"]["budget"] = "2MiB"
    assert gateway.reload(config)[0] == 0
    eventually(lambda: stage(gateway) == 98, "the stage of a full budget")
    other = lab.client(gateway)
    assert_refused(other.get(), "memory_budget_exceeded")
    config["memory"]["budget"] = "8MiB"
    assert gateway.reload(config)[0] == 0
    eventually(lambda: stage(gateway) == 0, "calm again")
    holder.send(b"x" * (2 * MIB))
    connection = origin.accept()
    assert len(connection.read_request().body) == 2 * MIB
    connection.answer()
    assert holder.read_response().status == 200


def test_memory_idle_connections_go_when_it_is_short(lab):
    origin = lab.serving()
    gateway = lab.gateway(config_for(origin, memory={"budget": "4MiB"},
                                     route={"buffer_request": True}))
    idle = lab.client(gateway)
    assert idle.request("POST", "/", body=b"x").status == 200
    holder = lab.client(gateway)
    holder.send(request("POST", "/", headers={"Content-Length": str(35 * MIB // 10),
                                              "Expect": "100-continue"}))
    assert holder.read_head().status == 100
    idle.expect_end()
    stop(holder)
    all_back(gateway)


def test_memory_client_who_speaks_keeps_his_connection_while_it_is_short(lab):
    gateway = lab.gateway(config_for(lab.serving(), memory={"budget": "4MiB"},
                                     route={"buffer_request": True}))
    holder = lab.client(gateway)
    holder.send(request("POST", "/", headers={"Content-Length": str(35 * MIB // 10),
                                              "Expect": "100-continue"}))
    assert holder.read_head().status == 100
    eventually(lambda: stage(gateway) == 80, "it is short")
    speaker = lab.client(gateway)
    for _ in range(10):
        assert speaker.get().status == 200
        assert not speaker.has_input(0.12), "closed"
    stop(holder, speaker)
    all_back(gateway)


def test_memory_is_in_what_operators_see(lab):
    gateway = lab.gateway(config_for(lab.serving(), memory={"budget": "64MiB"}))
    assert gateway.metric("weir_memory_budget_bytes") == 64 * MIB
    assert 0 < gateway.metric("weir_memory_error_bound_bytes") <= 64 * 1024
    assert gateway.metric("weir_memory_resident_bytes") > 0
    memory = gateway.admin_json("/stats")["process"]["memory"]
    assert memory["budget_bytes"] == 64 * MIB and memory["stage_percent"] == 0
    gateway.wait_for_line(lambda line: "budget_bytes=67108864" in line, "the budget")
    gateway = lab.gateway(config_for(lab.serving()))
    assert gateway.metric("weir_memory_budget_bytes") > 64 * MIB


def test_memory_large_answers_go_through_a_small_budget(lab):
    body = bytes(range(256)) * 16 * 1024
    gateway = lab.gateway(config_for(lab.serving(lambda found, connection: connection.answer(200, body)),
                                     memory={"budget": "1MiB"}))
    client = lab.client(gateway)
    for _ in range(3):
        assert client.get("/").body == body
    answer = client.request("POST", "/", body=body)
    assert answer.status == 200
    within_budget(gateway)
    stop(client)
    all_back(gateway)
