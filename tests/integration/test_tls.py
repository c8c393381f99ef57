# SPDX-License-Identifier: Apache-2.0
"""TLS towards clients: which handshakes come about, with which certificate, and what is said of
those that do not. `openssl s_client` is the peer wherever the handshake itself is the matter."""
import pytest
from support import certs
from support.lab import config_for
from support.tls import REQUEST, V12, V13, client_context, s_client
from support.waiting import eventually


def listener(*certificates, **keys):
    made = certificates or (certs.leaf("a.test"),)
    return {"tls": {"certificates": [c.listed for c in made], **keys}}


def edge(lab, *certificates, origin=None, **keys):
    """A gateway with TLS before an origin that answers "ok"."""
    return lab.relay(origin or lab.serving(), listener=listener(*certificates, **keys))


def shake(gateway, *options, **rest):
    return s_client(gateway.address(), *options, **rest)


def expect_refused(gateway, seen, alert):
    """The alert, the counter, and a line that says why."""
    assert not seen.ok and seen.alert == str(alert), seen.text
    gateway.expect_metric(1, "weir_listener_tls_failures_total", listener="main")
    line = gateway.log(1)[-1]
    assert line["reason"] == "tls_handshake" and line["detail"], line


# ---- Versions and suites.
@pytest.mark.parametrize("option, version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_tls_version(lab, option, version):
    gateway = edge(lab)
    seen = shake(gateway, option, send=REQUEST)
    assert seen.version == version and "HTTP/1.1 200 OK" in seen.text, seen.text


def test_tls_min_version_1_3_refuses_1_2(lab):
    gateway = edge(lab, min_version="1.3")
    assert shake(gateway, "-tls1_3").ok
    expect_refused(gateway, shake(gateway, "-tls1_2"), 70)


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_tls_below_1_2_is_refused(lab, option):
    gateway = edge(lab)
    expect_refused(gateway, shake(gateway, option, "-cipher", "ALL:@SECLEVEL=0"), 70)


def test_tls_without_a_common_suite_is_refused(lab):
    gateway = edge(lab)
    expect_refused(gateway, shake(gateway, "-tls1_2", "-cipher", "DHE-RSA-AES256-SHA256"), 40)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256",
                                   "ECDHE-ECDSA-AES256-GCM-SHA384",
                                   "ECDHE-ECDSA-CHACHA20-POLY1305",
                                   "ECDHE-RSA-AES128-GCM-SHA256"])
def test_tls_1_2_suites_that_are_safe_for_http2(lab, suite):
    gateway = edge(lab, certs.leaf("a.test"), certs.leaf("a.test", kind="rsa"))
    assert shake(gateway, "-tls1_2", "-cipher", suite).suite == suite


@pytest.mark.parametrize("suite", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256",
                                   "NULL-SHA256", "DES-CBC3-SHA"])
def test_tls_1_2_suites_that_http2_forbids_never_carry_http2(lab, suite):
    """RFC 9113, appendix A: either the handshake fails or HTTP/1.1 is spoken."""
    gateway = edge(lab, certs.leaf("a.test", kind="rsa"))
    seen = shake(gateway, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0", "-alpn", "h2,http/1.1")
    assert not seen.ok or seen.alpn != "h2", seen.text


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                   "TLS_CHACHA20_POLY1305_SHA256"])
def test_tls_1_3_suites(lab, suite):
    assert shake(edge(lab), "-tls1_3", "-ciphersuites", suite).suite == suite


def test_tls_plain_http_on_a_tls_port_is_ended(lab):
    gateway = edge(lab)
    client = lab.client(gateway)
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert b"200 OK" not in client.read_to_end_or_reset()


def test_tls_handshake_that_never_comes_is_ended_in_time(lab):
    gateway = edge(lab, handshake_timeout="200ms")
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
        client = lab.client(gateway)
        client.send(sent)
        client.expect_ended()


def test_tls_handshake_in_single_bytes(lab):
    """A client hello may come in any pieces."""
    import ssl
    gateway = edge(lab)
    client = lab.client(gateway)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = client_context().wrap_bio(incoming, outgoing, server_hostname="a.test")
    while True:
        try:
            half.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                client.send(bytes([byte]))
            incoming.write(client.sock.recv(100))
    half.write(REQUEST.encode())
    client.send(outgoing.read())
    incoming.write(client.read_to_end_or_reset())
    assert half.read(1 << 16).startswith(b"HTTP/1.1 200 OK")


# ---- Which certificate.
NAMES = [("a.test", "a.test"), ("A.TEST", "a.test"), ("b.test", "b.test"),
         ("x.wild.test", "*.wild.test"), ("exact.wild.test", "exact.wild.test"),
         ("x.y.wild.test", "a.test"), ("wild.test", "a.test"), ("unknown.test", "a.test"),
         (None, "a.test")]


@pytest.fixture(scope="module")
def many():
    from support.lab import Lab
    lab = Lab()
    made = [certs.leaf(n) for n in ("a.test", "b.test", "*.wild.test", "exact.wild.test")]
    yield edge(lab, *made)
    lab.close()


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("name, subject", NAMES, ids=[str(n) for n, _ in NAMES])
def test_tls_certificate_by_name(many, name, subject, option):
    seen = shake(many, option, name=name)
    assert seen.ok and seen.subject == subject, seen.text


def test_tls_one_certificate_for_several_names(lab):
    gateway = edge(lab, certs.leaf("first.test"), certs.leaf("n1.test", "n2.test", "*.n3.test"))
    for name in ("n1.test", "n2.test", "x.n3.test"):
        assert shake(gateway, name=name).subject == "n1.test"


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("algorithms, signature", [("ECDSA+SHA256", "ECDSA"),
                                                   ("RSA-PSS+SHA256", "RSA-PSS")])
def test_tls_ecdsa_and_rsa_for_the_same_name(lab, algorithms, signature, option):
    gateway = edge(lab, certs.leaf("a.test"), certs.leaf("a.test", kind="rsa"))
    seen = shake(gateway, option, "-sigalgs", algorithms)
    assert seen.ok and seen.signature == signature, seen.text


def test_tls_ecdsa_is_preferred_whatever_stands_first(lab):
    for made in ((certs.leaf("a.test"), certs.leaf("a.test", kind="rsa")),
                 (certs.leaf("a.test", kind="rsa"), certs.leaf("a.test"))):
        assert shake(edge(lab, *made)).signature == "ECDSA"


# ---- ALPN.
@pytest.mark.parametrize("offered, agreed", [
    ("h2", "h2"), ("http/1.1", "http/1.1"), ("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"),
    ("spdy/3,http/1.1", "http/1.1")])
def test_tls_alpn(lab, offered, agreed):
    assert shake(edge(lab), "-alpn", offered).alpn == agreed


def test_tls_without_alpn_http_1_is_spoken(lab):
    seen = shake(edge(lab), send=REQUEST)
    assert seen.alpn is None and "HTTP/1.1 200 OK" in seen.text


def test_tls_alpn_without_overlap_is_refused(lab):
    gateway = edge(lab)
    expect_refused(gateway, shake(gateway, "-alpn", "smtp"), 120)


def test_tls_alpn_of_the_listener_decides(lab):
    assert shake(edge(lab, alpn=["http/1.1"]), "-alpn", "h2,http/1.1").alpn == "http/1.1"
    assert shake(edge(lab, alpn=["http/1.1", "h2"]), "-alpn", "h2,http/1.1").alpn == "http/1.1"


def test_tls_http2_preface_where_http_1_was_agreed_is_not_http2(lab):
    from support.h2frames import PREFACE
    gateway = edge(lab, alpn=["http/1.1"])
    client = lab.client(gateway, tls=client_context(alpn=["http/1.1"]))
    client.send(PREFACE)
    assert client.read_to_end_or_reset()[:9] in (b"HTTP/1.1 ", b"")


# ---- What is known of the connection.
@pytest.mark.parametrize("version", [V12, V13])
def test_tls_request_is_told_apart_from_plain(lab, version):
    origin = lab.serving()
    gateway = edge(lab, origin=origin)
    client = lab.client(gateway, tls=client_context(version=version))
    assert client.get().status == 200
    assert origin.next_request().header("x-forwarded-proto") == "https"
    assert gateway.log(1)[0]["scheme"] == "https"


def test_tls_host_that_no_certificate_covers_is_misdirected(lab):
    """RFC 9110, 7.4: a client may reuse a connection for names that the server never offered."""
    gateway = edge(lab, certs.leaf("a.test"))
    client = lab.client(gateway, tls=client_context())
    answer = client.get(host="elsewhere.test")
    assert answer.status in (200, 421)


# ---- Certificates that cannot be used.
def refuses(lab, gateway, keys, *words):
    good = gateway.config
    code, out, err = gateway.reload(config_for("127.0.0.1:1", listener={"tls": keys}))
    assert code != 0
    for word in words:
        assert word in out + err, out + err
    assert shake(gateway).ok
    gateway.write(good)


def test_tls_reload_refuses_a_key_of_another_certificate(lab):
    gateway = edge(lab)
    mixed = {"cert": certs.leaf("a.test").cert, "key": certs.leaf("b.test").key}
    refuses(lab, gateway, {"certificates": [mixed]}, "weir.yaml:", mixed["key"])


def test_tls_reload_refuses_files_that_cannot_be_read(lab):
    gateway = edge(lab)
    good = certs.leaf("a.test")
    for cert, key, word in ((lab.path("none.pem"), good.key, "none.pem"),
                            (good.cert, lab.path("none.key"), "none.key"),
                            (good.key, good.key, "weir.yaml:"),
                            (good.cert, certs.write("junk.key", "junk"), "junk.key")):
        refuses(lab, gateway, {"certificates": [{"cert": cert, "key": key}]}, word, "weir.yaml:")


def test_tls_reload_refuses_a_client_ca_that_is_none(lab):
    gateway = edge(lab)
    keys = listener(client_ca=certs.write("junk.pem", "junk"), client_auth="required")["tls"]
    refuses(lab, gateway, keys, "junk.pem", "weir.yaml:")


def test_tls_reload_refuses_ticket_keys_of_another_size(lab):
    gateway = edge(lab)
    keys = listener(session_tickets={"key_files": [certs.write("short", "x" * 47)]})["tls"]
    refuses(lab, gateway, keys, "48", "weir.yaml:")


def check(lab, config):
    """What `weir check` says of it: (exit code, all its text)."""
    import json

    from support.gateway import run_cli
    path = lab.path("checked.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    code, out, err = run_cli("check", "-c", path)
    return code, out + err


def test_tls_check_warns_of_expiry(lab):
    for days, word in ((300, None), (5, "expires"), (-3, "expired")):
        made = certs.leaf("a.test", days=days)
        code, text = check(lab, config_for("127.0.0.1:1", listener=listener(made)))
        assert code == 0, text
        assert (word is None and "expire" not in text) or word in text, text
        assert word is None or "warning" in text and made.cert in text, text


def test_tls_check_refuses_a_mismatching_key_with_file_and_line(lab):
    mixed = {"cert": certs.leaf("a.test").cert, "key": certs.leaf("b.test").key}
    code, text = check(lab, config_for("127.0.0.1:1",
                                       listener={"tls": {"certificates": [mixed]}}))
    assert code != 0
    import re
    assert re.search(r"checked\.yaml:\d+:\d+: error: ", text) and mixed["key"] in text, text


def test_tls_days_left_are_a_metric(lab):
    gateway = edge(lab, certs.leaf("a.test", days=20), certs.leaf("b.test", days=90))
    found = gateway.metrics()
    names = [name for name in found.names() if "certificate" in name]
    assert len(names) == 1, found.names()
    days = sorted(round(value) for _, value in found.series(names[0], listener="main"))
    assert days == [20, 90], days


# ---- Swapping certificates.
def test_tls_reload_swaps_the_certificate_and_keeps_connections(lab):
    gateway = edge(lab, certs.leaf("a.test"))
    old = lab.client(gateway, tls=client_context())
    assert old.get().status == 200
    new = certs.leaf("a.test", serial=1)
    config = dict(gateway.config)
    config["listeners"] = {"main": {"address": "127.0.0.1:0", **listener(new)}}
    assert gateway.reload(config)[0] == 0
    fresh = lab.client(gateway, tls=client_context())
    assert fresh.sock.getpeercert(True) == new.der()
    assert old.get().status == 200
    assert old.sock.getpeercert(True) == certs.leaf("a.test").der()


def test_tls_reload_while_a_handshake_is_under_way(lab):
    gateway = edge(lab, certs.leaf("a.test"))
    halfway = lab.client(gateway)
    halfway.send(b"\x16\x03\x01\x02\x00\x01\x00")
    for n in range(3):
        config = dict(gateway.config)
        config["listeners"] = {"main": {"address": "127.0.0.1:0",
                                        **listener(certs.leaf("a.test", serial=n))}}
        assert gateway.reload(config)[0] == 0
    halfway.close()
    assert lab.client(gateway, tls=client_context()).get().status == 200


def test_tls_file_that_changed_is_taken_by_reload_of_the_same_config(lab):
    import shutil
    first, second = certs.leaf("a.test"), certs.leaf("a.test", serial=1)
    cert, key = lab.path("c.pem"), lab.path("c.key")
    shutil.copy(first.cert, cert)
    shutil.copy(first.key, key)
    gateway = lab.relay(lab.serving(),
                        listener={"tls": {"certificates": [{"cert": cert, "key": key}]}})
    shutil.copy(second.cert, cert)
    shutil.copy(second.key, key)
    assert gateway.reload()[0] == 0
    client = lab.client(gateway, tls=client_context())
    assert client.sock.getpeercert(True) == second.der()


# ---- The end of connections.
def test_tls_close_notify_ends_the_connection(lab):
    gateway = edge(lab)
    client = lab.client(gateway, tls=client_context())
    assert client.get().status == 200
    client.sock.unwrap()
    eventually(lambda: gateway.metric("weir_listener_connections", listener="main") == 0,
               "the connection is gone")


def test_tls_answer_until_close_ends_with_close_notify(lab):
    """Without close_notify a client could not tell an end from an attack (RFC 8446, 6.1)."""
    import ssl
    gateway = edge(lab)
    client = lab.client(gateway, tls=client_context())
    client.sock.suppress_ragged_eofs = False
    answer = client.get(headers={"Connection": "close"})
    assert answer.body == b"ok"
    try:
        assert client.sock.recv(1) == b""
    except ssl.SSLEOFError:
        pytest.fail("ended without close_notify")


def test_tls_truncated_upload_is_no_whole_request(lab):
    """FIN without close_notify in the middle of a body."""
    import socket
    origin = lab.origin()
    gateway = edge(lab, origin=origin)
    client = lab.client(gateway, tls=client_context())
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc")
    connection = origin.accept()
    connection.read_head()
    socket.socket.shutdown(client.sock, socket.SHUT_RDWR)
    connection.read_exact(3)
    connection.expect_ended()
