# SPDX-License-Identifier: Apache-2.0
"""TLS towards origins: what is verified, what is sent, and that a failure is 502 upstream_tls and
never a plain connection."""
import socket

import pytest
from support import certs
from support.message import request
from support.refusal import assert_refused
from support.tls import V12, V13, names_asked, server_context
from support.waiting import eventually

NO_RETRY = {"retry": {"num_retries": 0}}


def towards(lab, origin, protocol="http1", **keys):
    tls = {"ca": certs.authority().cert, "sni": "origin.test", **keys}
    return lab.relay(origin, cluster={"tls": tls, "protocol": protocol}, route=NO_RETRY)


def expect_502(lab, gateway, origin):
    """Refused, counted, explained in the log; no request arrived in any form."""
    assert_refused(lab.client(gateway).get(), "upstream_tls")
    assert gateway.log(1)[0]["reason"] == "upstream_tls"
    gateway.expect_metric(1, "weir_proxy_failures_total", reason="upstream_tls")
    assert origin.count() == 0


@pytest.mark.parametrize("version", [V12, V13])
def test_upstream_tls(lab, version):
    context = server_context(version=version)
    origin = lab.serving(tls=context)
    assert lab.client(towards(lab, origin)).get().body == b"ok"
    assert names_asked(context) == ["origin.test"]


def test_upstream_tls_wrong_ca(lab):
    origin = lab.serving(tls=server_context(certs.leaf("origin.test", ca="other")))
    expect_502(lab, towards(lab, origin), origin)


def test_upstream_tls_expired(lab):
    origin = lab.serving(tls=server_context(certs.leaf("origin.test", days=-3)))
    expect_502(lab, towards(lab, origin), origin)


def test_upstream_tls_wrong_name(lab):
    origin = lab.serving(tls=server_context(certs.leaf("elsewhere.test")))
    expect_502(lab, towards(lab, origin), origin)


def test_upstream_tls_wildcard_name(lab):
    origin = lab.serving(tls=server_context(certs.leaf("*.origins.test")))
    assert lab.client(towards(lab, origin, sni="one.origins.test")).get().body == b"ok"
    expect_502(lab, towards(lab, origin, sni="one.two.origins.test"),
               lab.serving(tls=server_context()))


def test_upstream_tls_plain_origin_is_502(lab):
    origin = lab.origin()
    gateway = towards(lab, origin)
    client = lab.client(gateway)
    client.send(request())
    connection = origin.accept()
    connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert_refused(client.read_response(), "upstream_tls")
    connection.expect_ended()
    assert b"GET" not in connection.received


def test_upstream_tls_reason_is_in_the_log(lab):
    origin = lab.serving(tls=server_context(certs.leaf("origin.test", ca="other")))
    gateway = towards(lab, origin)
    lab.client(gateway).get()
    line = gateway.log(1)[0]
    assert line["reason"] == "upstream_tls" and "unknown CA" in line["detail"], line


def test_upstream_tls_verify_false_takes_anything(lab):
    context = server_context(certs.leaf("elsewhere.test", ca="other", days=-3))
    origin = lab.serving(tls=context)
    assert lab.client(towards(lab, origin, verify=False)).get().body == b"ok"


def test_upstream_tls_sni_auto_is_the_endpoints_address(lab):
    """An address is no SNI (RFC 6066, 3), but it is what the certificate must name."""
    context = server_context(certs.leaf("127.0.0.1"))
    origin = lab.serving(tls=context)
    assert lab.client(towards(lab, origin, sni="auto")).get(host="b.test").body == b"ok"
    assert names_asked(context) == [None]
    origin = lab.serving(tls=server_context(certs.leaf("10.9.9.9")))
    expect_502(lab, towards(lab, origin, sni="auto"), origin)


def test_upstream_tls_sni_auto_is_the_dns_name(lab):
    context = server_context(certs.leaf("localhost"))
    origin = lab.serving(tls=context)
    gateway = lab.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"app": {"dns": {"name": "localhost", "port": origin.port},
                             "tls": {"ca": certs.authority().cert}}},
        "routes": [{"name": "all", "target": {"cluster": "app"}}]})
    assert lab.client(gateway).get(host="attacker.test").body == b"ok"
    assert set(names_asked(context)) == {"localhost"}


@pytest.mark.parametrize("version", [V12, V13])
def test_upstream_tls_client_certificate(lab, version):
    origin = lab.serving(tls=server_context(client_ca="ids", version=version))
    own = certs.leaf("weir.test", ca="ids")
    gateway = towards(lab, origin, client_cert=own.listed)
    assert lab.client(gateway).get().body == b"ok"
    assert origin.connections[0].sock.getpeercert(True) == own.der()


@pytest.mark.parametrize("version", [V12, V13])
def test_upstream_tls_origin_that_wants_a_client_certificate(lab, version):
    origin = lab.serving(tls=server_context(client_ca="ids", version=version))
    expect_502(lab, towards(lab, origin), origin)


@pytest.mark.parametrize("version", [V12, V13])
def test_upstream_tls_sessions_are_reused(lab, version):
    context = server_context(version=version)
    reused = []

    def handler(found, connection):
        reused.append(connection.sock.session_reused)
        connection.answer(200, b"ok")

    gateway = lab.relay(lab.serving(handler, tls=context), cluster={
        "tls": {"ca": certs.authority().cert, "sni": "origin.test"}, "pool": {"max_idle": 0}})
    for _ in range(3):
        assert lab.client(gateway).get().body == b"ok"
    assert reused == [False, True, True]


@pytest.mark.parametrize("offers, spoken", [(["h2", "http/1.1"], "h2"), (["h2"], "h2"),
                                            (["http/1.1"], "http/1.1"), (None, None)])
def test_upstream_tls_auto_takes_what_alpn_agrees(lab, offers, spoken):
    serve = lab.h2_serving if spoken == "h2" else lab.serving
    origin = serve(tls=server_context(alpn=offers))
    gateway = towards(lab, origin, protocol="auto")
    assert lab.client(gateway).get().body == b"ok"
    assert origin.connections[0].sock.selected_alpn_protocol() == spoken


@pytest.mark.parametrize("offers", [["http/1.1"], None])
def test_upstream_tls_http2_that_the_origin_does_not_agree_to_is_502(lab, offers):
    origin = lab.serving(tls=server_context(alpn=offers))
    gateway = towards(lab, origin, protocol="http2")
    assert lab.client(gateway).get().status == 502
    assert origin.count() == 0


def test_upstream_tls_handshake_counts_as_connecting(lab):
    origin = lab.origin()
    gateway = lab.relay(origin, route=NO_RETRY, cluster={
        "tls": {"ca": certs.authority().cert, "sni": "origin.test"}, "connect_timeout": "200ms"})
    answer = lab.client(gateway).get()
    assert answer.status in (502, 504), answer
    origin.accept().expect_ended()


def test_upstream_tls_failure_tries_another_endpoint(lab):
    good = lab.serving(tls=server_context())
    bad = lab.serving(tls=server_context(certs.leaf("origin.test", ca="other")))
    gateway = lab.relay(good, bad, cluster={
        "tls": {"ca": certs.authority().cert, "sni": "origin.test"}},
        route={"retry": {"backoff": {"base": "1ms", "max": "1ms"}}})
    client = lab.client(gateway)
    for n in range(10):
        assert client.request("POST", f"/{n}", body="x").status == 200
    assert bad.count() == 0


def test_upstream_tls_connection_that_the_origin_closes_is_replaced(lab):
    origin = lab.origin(tls=server_context())
    gateway = towards(lab, origin)
    client = lab.client(gateway)
    for n in range(5):
        client.send(request("GET", f"/{n}"))
        connection, _ = origin.serve_one(200, str(n))
        assert client.read_response().body == str(n).encode()
        try:
            connection.sock.unwrap()
        except OSError:
            pass  # weir need not answer close_notify
        connection.close()
        eventually(lambda: gateway.metric("weir_cluster_connections", cluster="app") == 0,
                   "the pool has noticed")


def test_upstream_tls_body_cut_by_fin_without_close_notify_is_truncated(lab):
    """Until-close bodies over TLS: only close_notify is an end (RFC 9112, 9.8)."""
    origin = lab.origin(tls=server_context())
    client = lab.client(towards(lab, origin))
    client.send(request())
    connection = origin.accept()
    connection.expect()
    connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf")
    client.read_head()
    assert client.read_chunk() == b"half"
    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
    assert client.read_to_end_or_reset() == b"", "passed off as whole"
