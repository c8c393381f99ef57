# SPDX-License-Identifier: Apache-2.0
"""Session resumption: it saves the handshake, across weirs that share ticket keys too, and never
carries a client past a changed CA."""
import pytest
from support import certs
from support.tls import REQUEST, V12, V13, client_context, s_client

VERSIONS = ["-tls1_2", "-tls1_3"]


def gateway_with(lab, **keys):
    return lab.relay(lab.serving(), listener={"tls": {
        "certificates": [certs.leaf("a.test").listed], **keys}})


def first(lab, gateway, option):
    """A full handshake whose session is kept in a file."""
    path = lab.path("session.pem")
    # TLS 1.3 sends its tickets after the handshake: an answer must be read for them to come.
    seen = s_client(gateway.address(), option, "-sess_out", path, send=REQUEST)
    assert seen.ok and not seen.reused, seen.text
    return path


def again(gateway, path, option):
    return s_client(gateway.address(), option, "-sess_in", path, send=REQUEST)


@pytest.mark.parametrize("option", VERSIONS)
def test_resumption(lab, option):
    gateway = gateway_with(lab)
    seen = again(gateway, first(lab, gateway, option), option)
    assert seen.reused and "200 OK" in seen.text, seen.text
    gateway.expect_metric(1, "weir_listener_tls_handshakes_total", listener="main",
                          kind="resumed")
    gateway.expect_metric(1, "weir_listener_tls_handshakes_total", listener="main", kind="full")


@pytest.mark.parametrize("option", VERSIONS)
def test_resumption_on_another_worker(lab, option):
    gateway = gateway_with(lab)
    config = {**gateway.config, "workers": 2}
    gateway = lab.gateway(config)
    path = first(lab, gateway, option)
    assert all(again(gateway, path, option).reused for _ in range(6))


@pytest.mark.parametrize("option", VERSIONS)
def test_resumption_at_another_weir_with_the_same_ticket_keys(lab, option):
    keys = {"session_tickets": {"key_files": [certs.ticket_key("shared")]}}
    here, there = gateway_with(lab, **keys), gateway_with(lab, **keys)
    assert again(there, first(lab, here, option), option).reused


@pytest.mark.parametrize("option", VERSIONS)
def test_no_resumption_at_a_weir_with_other_ticket_keys(lab, option):
    here = gateway_with(lab, session_tickets={"key_files": [certs.ticket_key("one")]})
    there = gateway_with(lab, session_tickets={"key_files": [certs.ticket_key("two")]})
    seen = again(there, first(lab, here, option), option)
    assert seen.ok and not seen.reused and "200 OK" in seen.text, seen.text


@pytest.mark.parametrize("option", VERSIONS)
def test_rotated_ticket_keys_still_open_what_the_old_sealed(lab, option):
    old, new = certs.ticket_key("old"), certs.ticket_key("new")
    gateway = gateway_with(lab, session_tickets={"key_files": [old]})
    path = first(lab, gateway, option)
    config = dict(gateway.config)
    for files, reused in (([new, old], True), ([new], False)):
        config["listeners"] = {"main": {"address": "127.0.0.1:0", "tls": {
            "certificates": [certs.leaf("a.test").listed],
            "session_tickets": {"key_files": files}}}}
        assert gateway.reload(config)[0] == 0
        assert again(gateway, path, option).reused == reused


@pytest.mark.parametrize("option", VERSIONS)
def test_resumption_survives_a_reload_that_changes_nothing(lab, option):
    gateway = gateway_with(lab)
    path = first(lab, gateway, option)
    assert gateway.reload()[0] == 0
    assert again(gateway, path, option).reused


@pytest.mark.parametrize("option", VERSIONS)
def test_session_tickets_can_be_switched_off(lab, option):
    gateway = gateway_with(lab, session_tickets={"enabled": False})
    path = lab.path("session.pem")
    s_client(gateway.address(), option, "-sess_out", path, send=REQUEST)
    import os
    assert not os.path.exists(path) or not again(gateway, path, option).reused


@pytest.mark.parametrize("option", VERSIONS)
def test_session_of_another_name_is_not_resumed_across_names(lab, option):
    """RFC 8446, 4.6.1: a session is only good for the name that it was made with."""
    gateway = lab.relay(lab.serving(), listener={"tls": {"certificates": [
        certs.leaf("a.test").listed, certs.leaf("b.test").listed]}})
    path = first(lab, gateway, option)
    seen = s_client(gateway.address(), option, "-sess_in", path, send=REQUEST, name="b.test")
    assert not seen.ok or not seen.reused or seen.subject == "b.test", seen.text


@pytest.mark.parametrize("version", [V12, V13])
def test_resumption_never_skips_a_changed_client_ca(lab, version):
    keys = {"client_ca": certs.authority().cert, "client_auth": "required",
            "session_tickets": {"key_files": [certs.ticket_key("mtls")]}}
    gateway = gateway_with(lab, **keys)
    context = client_context(cert=certs.leaf("client.test"), version=version)
    client = lab.client(gateway, tls=context)
    assert client.get().status == 200
    session = client.sock.session
    same = lab.client(gateway, tls=context, session=session)
    assert same.get().status == 200 and same.sock.session_reused
    config = dict(gateway.config)
    config["listeners"] = {"main": {"address": "127.0.0.1:0", "tls": {
        "certificates": [certs.leaf("a.test").listed], **keys,
        "client_ca": certs.authority("other").cert}}}
    assert gateway.reload(config)[0] == 0
    with pytest.raises((OSError, AssertionError)):
        lab.client(gateway, tls=context, session=session).get()


@pytest.mark.parametrize("version", [V12, V13])
def test_resumption_keeps_the_client_certificate(lab, version):
    origin = lab.serving()
    gateway = lab.relay(origin, listener={"tls": {
        "certificates": [certs.leaf("a.test").listed], "client_ca": certs.authority().cert,
        "client_auth": "required"}})
    context = client_context(cert=certs.leaf("client.test"), version=version)
    client = lab.client(gateway, tls=context)
    client.get()
    again_client = lab.client(gateway, tls=context, session=client.sock.session)
    again_client.get()
    assert again_client.sock.session_reused
    sent = [found.header("client-cert") for found in origin.seen]
    assert sent[0] and sent[0] == sent[1]
