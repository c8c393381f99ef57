# SPDX-License-Identifier: Apache-2.0
"""gRPC with real clients and servers (python3-grpcio) through weir: all kinds of calls, deadlines,
cancellation, statuses; what weir refuses itself is said in gRPC; gRPC-Web for browsers."""
import base64
import struct
import threading
from concurrent import futures

import grpc
import pytest
from support import certs
from support.waiting import SLOWNESS, eventually

TIMEOUT = 10 * SLOWNESS


class Service:
    """Bytes in, bytes out; no generated code."""

    def __init__(self, credentials=None):
        self.seen = []
        self.cancelled = threading.Event()
        self.deadlines = []
        rpc = {"Unary": grpc.unary_unary_rpc_method_handler(self.unary),
               "Down": grpc.unary_stream_rpc_method_handler(self.down),
               "Up": grpc.stream_unary_rpc_method_handler(self.up),
               "Both": grpc.stream_stream_rpc_method_handler(self.both),
               "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
               "Hang": grpc.unary_unary_rpc_method_handler(self.hang)}
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[
            ("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", rpc),))
        self.port = (self.server.add_secure_port("127.0.0.1:0", credentials) if credentials
                     else self.server.add_insecure_port("127.0.0.1:0"))
        self.server.start()
        self.over = threading.Event()

    address = property(lambda self: f"127.0.0.1:{self.port}")

    def note(self, context):
        self.seen.append(dict(context.invocation_metadata()))
        self.deadlines.append(context.time_remaining())

    def unary(self, message, context):
        self.note(context)
        context.send_initial_metadata((("x-initial", "1"),))
        context.set_trailing_metadata((("x-trailing", "2"), ("x-bin", b"\0\xff")))
        return b"echo:" + message

    def down(self, message, context):
        for n in range(int(message)):
            yield b"%d" % n

    def up(self, messages, context):
        return b"".join(messages)

    def both(self, messages, context):
        for message in messages:
            yield b"<" + message + b">"

    def fail(self, message, context):
        self.note(context)
        context.abort(getattr(grpc.StatusCode, message.decode()), "because: \u00e9 50%")

    def hang(self, message, context):
        self.note(context)
        context.add_callback(self.cancelled.set)
        self.over.wait(TIMEOUT)
        return b""

    def close(self):
        self.over.set()
        self.server.stop(0).wait()


class Call:
    """A channel through weir."""

    def __init__(self, gateway, secure=False):
        address = "%s:%d" % gateway.address()
        if secure:
            with open(certs.authority().cert, "rb") as file:
                roots = grpc.ssl_channel_credentials(file.read())
            self.channel = grpc.secure_channel(
                address, roots, [("grpc.ssl_target_name_override", "a.test")])
        else:
            self.channel = grpc.insecure_channel(address, [
                ("grpc.max_receive_message_length", -1)])

    def unary(self, name, message, **rest):
        return self.channel.unary_unary(f"/test.Echo/{name}").with_call(
            message, **{"timeout": TIMEOUT, **rest})

    def failure(self, name, message=b"", **rest):
        with pytest.raises(grpc.RpcError) as caught:
            self.unary(name, message, **rest)
        return caught.value

    def close(self):
        self.channel.close()


def relay(lab, service, secure=False, **changes):
    from support.lab import merge
    keys = {"cluster": {"protocol": "http2"}}
    if secure:
        keys["listener"] = {"tls": {"certificates": [certs.leaf("a.test").listed]}}
    return lab.relay(service.address, **merge(keys, changes))


@pytest.fixture
def service(lab):
    return lab.keep(Service())


@pytest.fixture
def call(lab, service):
    gateway = relay(lab, service)
    made = lab.keep(Call(gateway))
    made.gateway = gateway
    return made


# ---- Calls.
def test_grpc_unary(call):
    answer, rpc = call.unary("Unary", b"hello")
    assert answer == b"echo:hello"
    assert dict(rpc.initial_metadata())["x-initial"] == "1"
    assert dict(rpc.trailing_metadata())["x-trailing"] == "2"
    assert dict(rpc.trailing_metadata())["x-bin"] == b"\0\xff"


def test_grpc_over_tls_on_both_sides(lab):
    own = certs.leaf("origin.test")
    with open(own.key, "rb") as key, open(own.cert, "rb") as cert:
        credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
    service = lab.keep(Service(credentials))
    gateway = relay(lab, service, secure=True, cluster={
        "protocol": "auto", "tls": {"ca": certs.authority().cert, "sni": "origin.test"}})
    assert lab.keep(Call(gateway, secure=True)).unary("Unary", b"x")[0] == b"echo:x"


def test_grpc_metadata_reaches_the_server(call, service):
    call.unary("Unary", b"", metadata=(("x-mine", "a"), ("x-mine-bin", b"\1\2\xff")))
    assert service.seen[0]["x-mine"] == "a"
    assert service.seen[0]["x-mine-bin"] == b"\1\2\xff"


def test_grpc_server_stream(call):
    stream = call.channel.unary_stream("/test.Echo/Down")(b"500", timeout=TIMEOUT)
    assert [int(m) for m in stream] == list(range(500))


def test_grpc_client_stream(call):
    pieces = [b"%d," % n for n in range(500)]
    answer = call.channel.stream_unary("/test.Echo/Up")(iter(pieces), timeout=TIMEOUT)
    assert answer == b"".join(pieces)


def test_grpc_both_ways_one_by_one(call):
    """Each message passes before the next is sent: nothing is held back on the way."""
    import queue
    sending = queue.Queue()
    stream = call.channel.stream_stream("/test.Echo/Both")(
        iter(sending.get, None), timeout=TIMEOUT)
    for n in range(100):
        sending.put(b"%d" % n)
        assert next(stream) == b"<%d>" % n
    sending.put(None)
    assert list(stream) == [] and stream.code() == grpc.StatusCode.OK


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_grpc_messages_of_any_size(call, size):
    body = b"m" * size
    assert call.unary("Unary", body)[0] == b"echo:" + body


def test_grpc_many_calls_at_a_time(call):
    method = call.channel.unary_unary("/test.Echo/Unary")
    running = [method.future(b"%d" % n, timeout=TIMEOUT) for n in range(200)]
    assert [f.result() for f in running] == [b"echo:%d" % n for n in range(200)]


# ---- Failures of the server.
@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE", "INTERNAL",
                                    "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"])
def test_grpc_status_of_the_server_arrives(call, service, status):
    failure = call.failure("Fail", status.encode())
    assert failure.code() == getattr(grpc.StatusCode, status)
    assert failure.details() == "because: \u00e9 50%"
    assert len(service.seen) == 1  # UNAVAILABLE is no reason to repeat what may have been done


def test_grpc_unknown_method_is_the_servers_answer(call):
    assert call.failure("Nothing").code() == grpc.StatusCode.UNIMPLEMENTED


def test_grpc_unavailable_is_retried_where_the_route_says_so(lab):
    """Only where headers tell: trailers-only, so that no message was processed (gRFC A6)."""
    answers = [[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14")],
               None]

    def handler(found, connection):
        fields = answers.pop(0)
        if fields:
            connection.send_headers(found.stream, fields, end=True)
        else:
            connection.answer(found, 200, b"\0\0\0\0\0", [("content-type", "application/grpc")],
                              [("grpc-status", "0")])

    origin = lab.h2_serving(handler)
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, route={"retry": {
        "on": ["grpc_unavailable"], "backoff": {"base": "1ms", "max": "1ms"}}})
    client = lab.h2_client(gateway)
    answer = client.request("POST", "/s/m", headers=GRPC, body=b"\0\0\0\0\0")
    assert answer.trailers.get("grpc-status") == "0"
    assert origin.count() == 2


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


def test_grpc_unavailable_in_trailers_is_not_retried(lab):
    origin = lab.h2_serving(lambda f, c: c.answer(f, 200, b"\0\0\0\0\1x", GRPC[:1],
                                                  [("grpc-status", "14")]))
    gateway = lab.relay(origin, cluster={"protocol": "http2"},
                        route={"retry": {"on": ["grpc_unavailable"]}})
    answer = lab.h2_client(gateway).request("POST", "/s/m", headers=GRPC, body=b"\0\0\0\0\0")
    assert (answer.trailers.get("grpc-status"), origin.count()) == ("14", 1)


# ---- Time.
def test_grpc_deadline_is_passed_on_and_shrinks(call, service):
    call.unary("Unary", b"", timeout=5)
    # gRPC rounds a time-out up to what it can write, and reads it against its own clock.
    assert 0 < service.deadlines[0] <= 5.1


def test_grpc_deadline_that_passes_ends_the_call_at_the_server(call, service):
    failure = call.failure("Hang", timeout=0.3)
    assert failure.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.cancelled.wait(TIMEOUT)


def test_grpc_timeout_is_enforced_by_weir_itself(lab):
    """For a client that does not: the answer is trailers-only with DEADLINE_EXCEEDED."""
    waiting = []
    origin = lab.h2_serving(lambda f, c: waiting.append((f, c)))
    gateway = lab.relay(origin, cluster={"protocol": "http2"})
    client = lab.h2_client(gateway)
    answer = client.request("POST", "/s/m", headers=GRPC + [("grpc-timeout", "200m")],
                            body=b"\0\0\0\0\0")
    assert_grpc_refusal(answer, 4)
    found, connection = waiting[0]
    assert found.header("grpc-timeout")
    eventually(lambda: found.reset is not None, "the server's stream is ended")


def test_grpc_max_timeout_of_the_route(lab):
    waiting = []
    origin = lab.h2_serving(lambda f, c: waiting.append(f))
    gateway = lab.relay(origin, cluster={"protocol": "http2"},
                        route={"grpc": {"max_timeout": "200ms"}})
    client = lab.h2_client(gateway)
    answer = client.request("POST", "/s/m", headers=GRPC + [("grpc-timeout", "1H")],
                            body=b"\0\0\0\0\0")
    assert_grpc_refusal(answer, 4)


def test_grpc_cancellation_reaches_the_server(call, service):
    running = call.channel.unary_unary("/test.Echo/Hang").future(b"", timeout=TIMEOUT)
    eventually(lambda: service.seen, "the call is at the server")
    running.cancel()
    assert service.cancelled.wait(TIMEOUT)


def test_grpc_cancellation_of_a_stream(call, service):
    import itertools
    stream = call.channel.stream_stream("/test.Echo/Both")(itertools.repeat(b"x"),
                                                           timeout=TIMEOUT)
    assert next(stream) == b"<x>"
    stream.cancel()
    call.gateway.expect_metric(0, "weir_listener_exchanges", listener="main")


# ---- What weir says itself.
def assert_grpc_refusal(answer, status):
    """Trailers-only: one HEADERS frame with END_STREAM, HTTP status 200 (PROTOCOL-HTTP2.md)."""
    assert answer.status == 200 and answer.body == b"", answer
    assert answer.header("content-type").startswith("application/grpc"), answer
    assert answer.header("grpc-status") == str(status), answer
    assert answer.header("grpc-message"), answer
    assert not answer.trailers.pairs and answer.header("content-length") in (None, "0"), answer


def refusal(lab, gateway, path="/s/m", headers=(), body=b"\0\0\0\0\0"):
    return lab.h2_client(gateway).request("POST", path, headers=GRPC + list(headers), body=body)


def test_grpc_no_route_is_unimplemented(lab):
    gateway = lab.relay("127.0.0.1:1", route={"match": {"path": {"prefix": "/only"}}})
    assert_grpc_refusal(refusal(lab, gateway), 12)


def test_grpc_no_endpoint_is_unavailable(lab):
    gateway = lab.relay("127.0.0.1:1", cluster={"protocol": "http2", "state": "maint"})
    assert_grpc_refusal(refusal(lab, gateway), 14)


def test_grpc_connect_failure_is_unavailable(lab, service):
    service.close()
    gateway = relay(lab, service, route={"retry": {"num_retries": 0}})
    assert_grpc_refusal(refusal(lab, gateway), 14)
    assert lab.keep(Call(gateway)).failure("Unary").code() == grpc.StatusCode.UNAVAILABLE


def test_grpc_timeout_of_the_route_is_deadline_exceeded(lab):
    origin = lab.h2_serving(lambda f, c: None)
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, route={"timeout": "200ms"})
    assert_grpc_refusal(refusal(lab, gateway), 4)


def test_grpc_body_over_the_limit_is_resource_exhausted(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={"protocol": "http2"},
                        route={"limits": {"max_request_bytes": 10}})
    assert_grpc_refusal(refusal(lab, gateway, body=b"x" * 11,
                                headers=[("content-length", "11")]), 8)


@pytest.mark.parametrize("value", ["", "5", "S", "-1S", "123456789S", "1 S", "1X", "1.5S"])
def test_grpc_odd_timeouts_do_no_harm(lab, value):
    origin = lab.h2_serving(lambda f, c: c.answer(f, 200, b"", GRPC[:1], [("grpc-status", "0")]))
    gateway = lab.relay(origin, cluster={"protocol": "http2"})
    answer = refusal(lab, gateway, headers=[("grpc-timeout", value)])
    assert answer.status == 200


def test_grpc_refusals_for_others_stay_http(lab):
    gateway = lab.relay("127.0.0.1:1", route={"match": {"path": {"prefix": "/only"}}})
    answer = lab.h2_client(gateway).request("POST", headers=[("content-type", "text/plain")],
                                            body=b"x")
    assert answer.status == 404


def test_grpc_stream_cut_by_the_origin_is_no_success(lab):
    origin = lab.h2_serving(lambda f, c: (c.send_head(f.stream, 200, GRPC[:1]),
                                          c.send_data_frame(f.stream, b"\0\0\0\0\1x"),
                                          c.send_reset(f.stream, 2)))
    gateway = lab.relay(origin, cluster={"protocol": "http2"})
    client = lab.h2_client(gateway)
    found = client.outcome(client.send_request("POST", "/s/m", headers=GRPC, body=b"\0\0\0\0\0"))
    assert found.reset is not None or found.trailers.get("grpc-status") not in (None, "0"), found


# ---- gRPC-Web.
def frame(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


def frames(body):
    found = []
    while body:
        flag, size = struct.unpack(">BI", body[:5])
        found.append((flag, body[5:5 + size]))
        assert len(body) >= 5 + size
        body = body[5 + size:]
    return found


def trailers_of(body):
    flag, text = frames(body)[-1]
    assert flag == 0x80
    return dict(line.split(":", 1) for line in text.decode().strip().split("\r\n"))


def web(lab, service, kind, method, message, protocol=1, **rest):
    gateway = relay(lab, service, route={"grpc": {"web": True}})
    text = "text" in kind
    body = base64.b64encode(frame(message)) if text else frame(message)
    headers = [("content-type", kind), ("x-grpc-web", "1")]
    if protocol == 1:
        answer = lab.client(gateway).request("POST", f"/test.Echo/{method}", headers=headers,
                                             body=body)
    else:
        answer = lab.h2_client(gateway).request("POST", f"/test.Echo/{method}", headers=headers,
                                                body=body)
    # The message format ("+proto") is what the server says.
    assert answer.status == 200, answer
    assert answer.header("content-type").split("+")[0] == kind.split("+")[0], answer
    return answer, unbase64(answer.body) if text else answer.body


def unbase64(body):
    """Pieces may each be padded."""
    return b"".join(base64.b64decode(body[at:at + 4], validate=True)
                    for at in range(0, len(body), 4))


KINDS = ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text",
         "application/grpc-web-text+proto"]


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_grpc_web_unary(lab, service, kind, protocol):
    _, body = web(lab, service, kind, "Unary", b"hello", protocol)
    assert frames(body)[0] == (0, b"echo:hello")
    told = {n: v.strip() for n, v in trailers_of(body).items()}
    assert told["grpc-status"] == "0" and told["x-trailing"] == "2"
    assert all(n == n.lower() for n in told)


@pytest.mark.parametrize("kind", KINDS[:3:2])
def test_grpc_web_server_stream(lab, service, kind):
    _, body = web(lab, service, kind, "Down", b"50")
    found = frames(body)
    assert [m for flag, m in found if not flag] == [b"%d" % n for n in range(50)]
    assert trailers_of(body)["grpc-status"].strip() == "0"


@pytest.mark.parametrize("kind", KINDS[:3:2])
def test_grpc_web_failure_of_the_server(lab, service, kind):
    answer, body = web(lab, service, kind, "Fail", b"NOT_FOUND")
    status = answer.header("grpc-status") or trailers_of(body)["grpc-status"].strip()
    assert status == "5"


def test_grpc_web_large_message(lab, service):
    _, body = web(lab, service, "application/grpc-web-text", "Unary", b"m" * 200_000)
    assert frames(body)[0] == (0, b"echo:" + b"m" * 200_000)


def test_grpc_web_text_that_is_no_base64_is_refused(lab, service):
    gateway = relay(lab, service, route={"grpc": {"web": True}})
    answer = lab.client(gateway).request(
        "POST", "/test.Echo/Unary", headers=[("Content-Type", "application/grpc-web-text")],
        body="!!!!")
    assert answer.status != 200 or answer.header("grpc-status") not in (None, "0"), answer


def test_grpc_web_is_not_translated_where_the_route_does_not_say_so(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={"protocol": "http2"})
    lab.client(gateway).request("POST", "/s/m", body=frame(b"x"),
                                headers=[("Content-Type", "application/grpc-web")])
    assert origin.next_request().header("content-type") == "application/grpc-web"
