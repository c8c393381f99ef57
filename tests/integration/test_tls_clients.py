# SPDX-License-Identifier: Apache-2.0
"""Client certificates: who gets in, and what origins are told (RFC 9440)."""
import base64

import pytest
from support import certs
from support.tls import V12, V13, client_context

BOTH = pytest.mark.parametrize("version", [V12, V13])


def gateway_with(lab, origin, auth, **keys):
    return lab.relay(origin, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed], "client_ca": certs.authority("ids").cert,
        "client_auth": auth, **keys}})


def ask(lab, gateway, version, cert=None, **rest):
    client = lab.client(gateway, tls=client_context(cert=cert, version=version))
    return client.get(**rest)


def identity(**rest):
    return certs.leaf("client.test", ca="ids", **rest)


def expect_no_entry(lab, gateway, version, cert=None):
    with pytest.raises((OSError, AssertionError)):
        ask(lab, gateway, version, cert)
    gateway.expect_metric(1, "weir_listener_tls_failures_total", listener="main")


def forwarded(found, name="client-cert"):
    """The field as the structured byte sequence that it must be."""
    value = found.header(name)
    assert value[0] == value[-1] == ":", value
    return base64.b64decode(value[1:-1], validate=True)


@BOTH
@pytest.mark.parametrize("auth", ["optional", "required"])
def test_client_certificate_is_forwarded(lab, auth, version):
    origin = lab.serving()
    gateway = gateway_with(lab, origin, auth)
    assert ask(lab, gateway, version, identity()).status == 200
    assert forwarded(origin.next_request()) == identity().der()


@BOTH
def test_client_certificate_is_not_asked_for_with_none(lab, version):
    origin = lab.serving()
    gateway = lab.relay(origin, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed]}})
    assert ask(lab, gateway, version, identity()).status == 200
    assert "client-cert" not in origin.next_request().headers


@BOTH
def test_client_without_certificate_where_it_is_optional(lab, version):
    origin = lab.serving()
    gateway = gateway_with(lab, origin, "optional")
    assert ask(lab, gateway, version).status == 200
    assert "client-cert" not in origin.next_request().headers


@BOTH
def test_client_without_certificate_where_it_is_required(lab, version):
    expect_no_entry(lab, gateway_with(lab, lab.serving(), "required"), version)


@BOTH
@pytest.mark.parametrize("auth", ["optional", "required"])
@pytest.mark.parametrize("fault", ["wrong ca", "expired"])
def test_client_certificate_that_does_not_verify_is_refused(lab, auth, fault, version):
    bad = certs.leaf("client.test") if fault == "wrong ca" else identity(days=-3)
    expect_no_entry(lab, gateway_with(lab, lab.serving(), auth), version, bad)


@pytest.mark.parametrize("auth", ["none", "optional"])
def test_clients_own_client_cert_field_is_stripped(lab, auth):
    origin = lab.serving()
    keys = {} if auth == "none" else {"client_ca": certs.authority("ids").cert,
                                      "client_auth": auth}
    gateway = lab.relay(origin, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed], **keys}})
    ask(lab, gateway, V13, headers=[("Client-Cert", ":Zm9yZ2Vk:"), ("CLIENT-CERT", ":YQ==:"),
                                    ("Client-Cert-Chain", ":Zm9yZ2Vk:")])
    found = origin.next_request()
    assert "client-cert" not in found.headers and "client-cert-chain" not in found.headers


def test_clients_own_client_cert_field_is_stripped_on_plain_listeners(lab):
    origin = lab.serving()
    lab.client(lab.relay(origin)).get(headers={"Client-Cert": ":Zm9yZ2Vk:"})
    assert "client-cert" not in origin.next_request().headers


def test_clients_own_client_cert_field_is_replaced_by_the_true_one(lab):
    origin = lab.serving()
    gateway = gateway_with(lab, origin, "required")
    ask(lab, gateway, V13, identity(), headers={"Client-Cert": ":Zm9yZ2Vk:"})
    assert forwarded(origin.next_request()) == identity().der()


def test_client_certificate_is_not_forwarded_where_that_is_off(lab):
    origin = lab.serving()
    gateway = gateway_with(lab, origin, "required", forward_client_cert=False)
    ask(lab, gateway, V13, identity(), headers={"Client-Cert": ":Zm9yZ2Vk:"})
    assert "client-cert" not in origin.next_request().headers


def test_client_certificate_goes_with_http2_requests(lab):
    origin = lab.h2_serving()
    gateway = lab.relay(origin, cluster={"protocol": "http2"}, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed], "client_ca": certs.authority("ids").cert,
        "client_auth": "required"}})
    client = lab.h2_client(gateway, tls=client_context(alpn=["h2"], cert=identity()))
    assert client.get().status == 200
    assert client.get("/2", headers=[("client-cert", ":YQ==:")]).status == 200
    for _ in range(2):
        assert forwarded(origin.next_request()) == identity().der()
